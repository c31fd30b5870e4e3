"""Files of hosts to the head, into a directory for each host."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from time import monotonic

from mpboot.net import files
from mpboot.net.login import SEND
from mpboot.node.target import cause_of
from mpboot.session.folding import folded, stage
from mpboot.session.incoming import Incoming
from mpboot.session.manifest import names
from mpboot.session.transfer import SILENT, Outcome, Transfer

MOST_OPEN = 128  # files of hosts that are written at the same time; the others are opened again for each piece


@dataclass
class Pulled:
    """What became of a pull. ``bytes``: of the files that came."""

    bytes: int
    seconds: float
    hosts: dict[str, Outcome]
    signal: int = 0
    folded: dict[str, list[str]] | None = None  # with ``fold``: by SET/NAME, the hosts that it is of

    @property
    def good(self) -> bool:
        """Has all come of every host?"""
        return all(one.done for one in self.hosts.values())

    def to_dict(self) -> dict[str, object]:
        """As --json has it."""
        hosts = {host: one.to_dict() for host, one in self.hosts.items()}
        told: dict[str, object] = {"bytes": self.bytes, "seconds": round(self.seconds, 4), "hosts": hosts}
        return told if self.folded is None else {**told, "folded": self.folded}


class Pull(Transfer):
    """``progress(pull)`` is called now and then."""

    def __init__(
        self,
        session: str,
        sources: Sequence[str],
        directory: str,
        on: Sequence[str] | None,
        without: Sequence[str] = (),
        progress: Callable[[Transfer], None] = lambda _: None,
        settles: bool = True,
    ) -> None:
        """``settles``: as Incoming has it."""
        super().__init__(session, SEND, on, without)
        self._settles = settles
        self._directory = directory
        self._progress = progress
        self.incoming: dict[str, Incoming] = {}
        self._made: list[str] = []  # directories of hosts
        self._open: dict[int, Incoming] = {}  # those that have a file open, who wrote last behind
        self.send_frame({"sources": list(sources)})
        self.send_end()

    def settled(self) -> None:
        """Nothing to send: each host ends by itself."""

    def waits_for(self, host: str) -> bool:
        """Whoever has nothing to say may be reading a large disk: only if nobody says anything at all."""
        return super().waits_for(host) and monotonic() - self._moved > SILENT

    @property
    def size(self) -> int:
        """So much has come."""
        return sum(one.bytes for one in self.incoming.values())

    def run(self) -> None:
        """As Transfer does."""
        try:
            super().run()
        finally:
            for one in self.incoming.values():
                one.close()
            for place in self._made:
                with suppress(OSError):  # something has come
                    os.rmdir(place)  # noqa: PTH106

    def heard(self, host: str, data: bytes) -> None:
        """A part of what a host sends."""
        if host in self.outcomes:
            return
        try:
            incoming = self.incoming.get(host)
            if incoming is None:
                if "/" in host or host in (".", ".."):
                    raise ValueError("a host of this name can have no directory")
                place = f"{self._directory}/{host}"
                if not os.path.isdir(place):  # noqa: PTH112
                    os.makedirs(place)  # noqa: PTH103
                    self._made.append(place)
                incoming = self.incoming[host] = Incoming(place, self._settles)
            incoming.feed(data)
        except OSError as error:
            cause, detail = cause_of(error)
            here = self._directory if self._settles else os.path.dirname(self._directory)  # noqa: PTH120
            self.outcomes[host] = Outcome(False, cause, detail if error.filename else f"{here}: {detail}")
        except (ValueError, LookupError, TypeError) as error:
            self.outcomes[host] = Outcome(cause=files.UNSUPPORTED, detail=f"what it sent can't be read: {error}")
        else:
            if incoming.complete:
                more = f" (and {incoming.problems - 1} more)" if incoming.problems > 1 else ""
                first = incoming.problem
                self.outcomes[host] = Outcome(False, first[0], first[1] + more) if first else Outcome(done=True)
            self._keep_few_open(incoming)
        if host in self.outcomes and incoming is not None:
            incoming.close()  # what is not complete holds room that others need
        self._progress(self)

    def wants(self, host: str) -> int:  # noqa: ARG002
        """As Transfer has it."""
        return 0

    def got(self, host: str) -> int:
        """As Transfer has it."""
        return self.incoming[host].bytes if host in self.incoming else 0

    def _keep_few_open(self, last: Incoming) -> None:
        self._open.pop(id(last), None)
        if last.writes:
            self._open[id(last)] = last
        if len(self._open) > MOST_OPEN:
            oldest = next(iter(self._open))
            self._open.pop(oldest).rest()


def pull(
    session: str,
    sources: Sequence[str],
    directory: str,
    on: Sequence[str] | None = None,
    without: Sequence[str] = (),
    progress: Callable[[Transfer], None] = lambda _: None,
    watched: Callable[[Transfer], None] = lambda one: one.run(),
    fold: bool = False,
) -> Pulled:
    """Pull sources of hosts into DIR/HOST; with ``fold`` equal ones once, into DIR/SET. ``watched(pull)`` runs it.

    SessionError, OSError for the directory.
    """
    begun = monotonic()
    names(sources)
    if not directory:
        raise ValueError("a directory without a name")
    with _there(directory), stage(directory) if fold else nullcontext(directory) as place:
        one = Pull(session, sources, place, on, without, progress, not fold)
        try:
            watched(one)
        finally:
            one.close()
        gone = Outcome(cause=files.LOST, detail="the session's daemon has ended")
        found = {host: one.outcomes.get(host, gone) for host in one.job.hosts}
        where = None
        if fold:
            came = {host: one.incoming[host] for host in one.job.hosts if host in one.incoming}
            where, problems = folded(place, directory, came, [host for host in came if found[host].done])
            for host, why in problems.items():
                found[host] = Outcome(cause=files.UNSUPPORTED, detail=why)
    return Pulled(one.size, monotonic() - begun, found, one.signal, where)


@contextmanager
def _there(directory: str) -> Iterator[None]:
    """Within the block there is this directory; one that was made for it, and that nothing came into, goes with it."""
    is_new = not os.path.lexists(directory)
    try:
        os.makedirs(directory, exist_ok=True)  # noqa: PTH103
    except FileExistsError:  # which would sound as if it were to be removed
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), directory) from None
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):  # something has come
                os.rmdir(directory)  # noqa: PTH106
