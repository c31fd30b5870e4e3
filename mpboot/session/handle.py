"""A session by its name: what can be done with it. The library's face, and all that the command line uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any

from mpboot.net.outlet import STDERR, STDOUT
from mpboot.session import given
from mpboot.session.connection import Connection, SessionLost
from mpboot.session.given import Input
from mpboot.session.registry import Place, SessionError, names
from mpboot.session.result import Result
from mpboot.session.run import Ended, Noted, Output, Room, Run
from mpboot.session.sets import Set, labels_of
from mpboot.text import Lines

if TYPE_CHECKING:
    from mpboot.head.report import BootReport
    from mpboot.hosts.host import Host
    from mpboot.session.pull import Pulled
    from mpboot.session.push import Pushed
    from mpboot.session.transfer import Transfer

Progress = Callable[["Transfer"], None]  # is called now and then while files move
Watched = Callable[["Transfer"], None]  # runs a transfer, and does what is its own around it


def _unseen(_: Transfer) -> None:
    """Nobody looks how far it is."""


def _run(one: Transfer) -> None:
    one.run()


class Session:
    """A session by its name. Each call has a connection of its own, so any thread may use it at any time.

    At the end of a ``with`` block, a session that ``session`` began is halted; one that ``attach`` found stays.
    SessionError where there is no such session (any more), or it can't do what is asked.
    """

    def __init__(self, name: str, report: BootReport | None = None) -> None:
        self.name = name
        self.report = report  # of the boot that began it here; None for one that ``attach`` found

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.report is None:
            return
        try:
            self.halt()
        except SessionError:  # it has ended, as it was to; what the block raised counts more
            if kind is None and Place(self.name).lives:
                raise

    def begin(
        self,
        argv: Sequence[str],
        on: Set = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        *,
        without: Set = None,
        barrier: bool = False,
        stdin: bool = False,
        detach: bool = False,
    ) -> Run:
        """Begin a command on the hosts of a set, or on all: a job, whose ``events`` are followed in a ``with`` block.

        ``without``: the hosts that are left out. ``barrier``: only if all of them are up. ``stdin``: it gets input, by
        the job's ``feed``. ``detach``: it goes on when the block is left, where any other ends, and gets no input.
        SessionError, ValueError.
        """
        if detach and stdin:
            raise ValueError("a job that is detached gets no input")
        return Run.begin(
            self.name, given.command(argv), given.hosts(on), given.variables(env),
            None if cwd is None else given.text("cwd", cwd), given.limit(timeout), stdin=stdin, detach=detach,
            barrier=barrier, without=labels_of(without) or (),
        )  # fmt: skip

    def run(
        self,
        argv: Sequence[str],
        on: Set = None,
        stdin: Input = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        *,
        without: Set = None,
        barrier: bool = False,
    ) -> Result:
        """Run a command on the hosts of a set, or on all, and wait for its end.

        ``timeout``: seconds after which the command is ended (exit code 124). ``without``: the hosts that are left out.
        ``barrier``: only if all of them are up. What a host does wrong is in the result, and raises nothing.
        SessionError, ValueError.
        """
        out: dict[int, dict[str, bytearray]] = {STDOUT: {}, STDERR: {}}
        pieces = given.pieces(stdin)
        with self.begin(
            argv, on, env, cwd, timeout, without=without, barrier=barrier, stdin=pieces is not None
        ) as job:  # fmt: skip
            result = Result(job.number, 0.0)
            for event in _fed(job, pieces):
                if isinstance(event, Output):
                    out[event.stream].setdefault(event.host, bytearray()).extend(event.data)
                elif isinstance(event, Noted):
                    result.notes.setdefault(event.host, []).append(event.text)
            result.seconds = job.seconds
            result.ends = {host: job.ends[host] for host in job.hosts if host in job.ends}
            ran = [host for host, end in result.ends.items() if end.exit is not None or host in out[STDOUT]]
            result.stdout = {host: bytes(out[STDOUT].get(host, b"")) for host in ran}
            result.stderr = {host: bytes(out[STDERR].get(host, b"")) for host in ran}
        return result

    def stream(
        self,
        argv: Sequence[str],
        on: Set = None,
        stdin: Input = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        *,
        without: Set = None,
        barrier: bool = False,
    ) -> Iterator[tuple[str, int, bytes]]:
        """Run a command, and give (host, stream, line) as lines come; stream 1 is stdout, 2 is stderr.

        Whoever leaves the iteration early ends the command.
        """
        lines: dict[tuple[str, int], Lines] = {}
        pieces = given.pieces(stdin)
        with self.begin(
            argv, on, env, cwd, timeout, without=without, barrier=barrier, stdin=pieces is not None
        ) as job:  # fmt: skip
            for event in _fed(job, pieces):
                if isinstance(event, Output):
                    for line, _ in lines.setdefault((event.host, event.stream), Lines()).cut(event.data):
                        yield event.host, event.stream, line
                elif isinstance(event, Ended):
                    for stream in (STDOUT, STDERR):
                        left = lines.pop((event.host, stream), None)
                        if left is not None and left.rest:
                            yield event.host, stream, left.rest

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The hosts, each with its state and what belongs to it, as `mpboot nodes --json` has it."""
        return dict(self._ask("nodes")["hosts"])

    def jobs(self) -> list[dict[str, Any]]:
        """The jobs that run: number (job), command, hosts, left (hosts where it runs), seconds, detached."""
        return list(self._ask("jobs")["jobs"])

    def kill(self, job: int, signal: int = 15, last: bool = True) -> None:
        """Send a signal to all processes of a job; ``last``: what is left after 1.5 s is killed. ValueError."""
        self._ask("kill", job=given.number("job", job), number=given.signal(signal), last=last)

    def about(self) -> dict[str, Any]:
        """How many hosts are up, lost, failed, booting; the session's age in seconds, its jobs, the daemon's pid."""
        return self._ask("about")

    def grow(self, hosts: Iterable[Host | str] | str) -> dict[str, dict[str, Any]]:
        """Boot more hosts, or again those that are not up; returns them as ``nodes`` does, when all is known."""
        from mpboot.hosts.chosen import chosen

        wanted = chosen(hosts, os.environ)
        told = self._ask("grow", timeout=None, hosts=[asdict(host) for host in wanted])
        return dict(told["hosts"])

    def shrink(self, on: Set) -> list[str]:
        """Let go of hosts: their agents end, others below them stay. Returns who is gone. ValueError for no hosts."""
        labels = labels_of(on)
        if not labels:
            raise ValueError("the set of hosts is empty")
        return list(self._ask("shrink", timeout=None, on=labels)["gone"])

    def push(
        self,
        sources: Sequence[str],
        dest: str,
        on: Set = None,
        verify: bool = False,
        *,
        without: Set = None,
        progress: Progress = _unseen,
        watched: Watched = _run,
    ) -> Pushed:
        """Copy files and directories to hosts, by cp's rules for ``dest``; what is there already is not sent.

        ``verify``: what is there is compared by its bytes, not by size and time. ``without``: the hosts that are left
        out. ``progress(transfer)`` is called now and then: the transfer's ``going()`` says how far it is.
        ``watched(transfer)`` is called instead of ``transfer.run()``, and calls it. What a host does wrong is in the
        result, and raises nothing. SessionError, ValueError, OSError for a source.
        """
        from mpboot.session.push import push

        chosen, left_out = labels_of(on), labels_of(without) or ()
        names, there = given.words("sources", sources), given.text("dest", dest)
        return push(self.name, names, there, chosen, left_out, verify, progress, watched)

    def pull(
        self,
        sources: Sequence[str],
        directory: str,
        on: Set = None,
        fold: bool = False,
        *,
        without: Set = None,
        progress: Progress = _unseen,
        watched: Watched = _run,
    ) -> Pulled:
        """Copy files and directories of hosts to ``directory``/HOST/.

        ``fold``: equal ones once, to ``directory``/SET/. The others: as ``push`` has them. SessionError, OSError for
        the directory, ValueError for a source or directory without a name.
        """
        from mpboot.session.pull import pull

        chosen, left_out = labels_of(on), labels_of(without) or ()
        names, here = given.words("sources", sources), given.text("directory", directory)
        return pull(self.name, names, here, chosen, left_out, progress, watched, fold)

    def ride(self) -> dict[str, Any]:
        """Where ssh rides: ``directory`` of sockets (or ""), ``rides`` (hosts), their ``names``, ``unfit`` (why)."""
        return self._ask("ride", timeout=None)

    def riders(self) -> list[dict[str, Any]]:
        """The ssh processes that ride: ``pid``, ``host``, ``job`` (None: none so far) and what each ``waits`` for."""
        return list(self._ask("riders")["riders"])

    def halt(self) -> None:
        """End the session: nothing is left anywhere. Returns when it has ended; SessionError if not within 20 s."""
        with Connection(self.name) as connection:
            connection.ask("halt")
            end = monotonic() + HALTS
            try:
                while True:
                    connection.next(max(0.0, end - monotonic()))
            except SessionLost:
                if Place(self.name).lives and monotonic() >= end:
                    raise

    # -- inside ------------------------------------------------------------------------------------

    def _ask(self, what: str, timeout: float | None = 10.0, **values: Any) -> dict[str, Any]:
        with Connection(self.name) as connection:
            connection.ask(what, **values)
            return connection.answer(timeout)


def sessions() -> list[str]:
    """The names of this user's sessions: those that live, and those that can't be used (to ask one says why)."""
    return names()


HALTS = 20.0  # seconds that a session may take to end


def _fed(job: Run, pieces: Iterator[bytes] | None) -> Iterator[Any]:
    """The job's events; meanwhile it gets its input."""
    rest, ended = b"", pieces is None

    def feed() -> None:
        nonlocal rest, ended
        while job.room > 0 and not ended:
            rest = rest or next((piece for piece in pieces or () if piece), b"")
            ended = not rest
            now, rest = rest[: job.room], rest[job.room :]
            job.feed(now)

    feed()
    for event in job.events():
        if isinstance(event, Room):
            feed()
        yield event
