"""Files of hosts to the head, into a directory for each host; what a host says of itself leads nowhere else."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from stat import S_ISDIR
from time import monotonic
from typing import Any

from mpboot.net import files
from mpboot.net.fields import text
from mpboot.net.login import SEND
from mpboot.node.placing import cause_of
from mpboot.session.transfer import SILENT, Outcome, Transfer

MOST_FRAME = 1 << 16  # bytes of what is said of a file
LENGTH = 4


@dataclass
class Pulled:
    """What became of a pull. ``bytes``: of the files that came."""

    bytes: int
    seconds: float
    hosts: dict[str, Outcome]
    signal: int = 0

    @property
    def good(self) -> bool:
        """Has all come of every host?"""
        return all(one.done for one in self.hosts.values())

    def to_dict(self) -> dict[str, object]:
        """As --json has it."""
        hosts = {host: one.to_dict() for host, one in self.hosts.items()}
        return {"bytes": self.bytes, "seconds": round(self.seconds, 4), "hosts": hosts}


class Incoming:
    """What comes of one host, into ``directory``. ``feed`` it; ValueError for nonsense, OSError."""

    def __init__(self, directory: str) -> None:
        self.bytes = 0
        self.complete = False
        self.problems: list[tuple[str, str]] = []  # cause and detail of what could not be had
        self._directory = directory
        self._in = bytearray()
        self._entry: files.Entry | None = None  # the file that comes
        self._left = 0
        self._file = -1
        self._made = ""
        self._told: Any = None
        self._directories: list[files.Entry] = []

    def feed(self, data: bytes) -> None:
        """A part of it."""
        self._in += data
        while True:
            if self._entry is None:
                if not self._frame():
                    return
            elif self._left:
                piece = bytes(self._in[: self._left])
                if not piece:
                    return
                del self._in[: len(piece)]
                self._left -= len(piece)
                self._told.update(piece)
                self.bytes += len(piece)
                while piece:
                    piece = piece[os.write(self._file, piece) :]
            elif not self._end_of_file():
                return

    def close(self) -> None:
        """No more comes: what is not complete goes."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._made:
            with suppress(OSError):
                os.unlink(self._made)  # noqa: PTH108
            self._made = ""
        for entry in reversed(self._directories):
            with suppress(OSError):
                self._settle(self._target(entry), entry)

    def _frame(self) -> bool:
        size = int.from_bytes(self._in[:LENGTH], "big")
        if size > MOST_FRAME:
            raise ValueError("a frame that is too long")
        if len(self._in) < LENGTH + size or len(self._in) < LENGTH:
            return False
        told = json.loads(bytes(self._in[LENGTH : LENGTH + size]))
        del self._in[: LENGTH + size]
        if self.complete:
            raise ValueError("more after its end")
        if "failed" in told:
            cause = text(told["failed"], 64)
            self.problems.append((cause if cause in files.CAUSES else files.UNSUPPORTED, text(told["detail"])))
        elif "end" in told:
            self.complete = True
        else:
            self._begin(files.Entry.of(told["entry"]))
        return True

    def _begin(self, entry: files.Entry) -> None:
        target = self._target(entry)
        parent = os.path.dirname(target)  # noqa: PTH120
        way = self._directory
        for part in entry.path.split("/")[:-1]:
            way = f"{way}/{part}"
            if not S_ISDIR(os.lstat(way).st_mode):
                raise ValueError(f"{way} is no directory")
        if entry.kind == files.DIRECTORY:
            try:
                os.mkdir(target, 0o700)  # noqa: PTH102
            except FileExistsError:
                if not S_ISDIR(os.lstat(target).st_mode):
                    raise
            self._directories.append(entry)
            return
        self._made = f"{parent}/.mpboot-{secrets.token_hex(8)}"
        if entry.kind == files.LINK:
            os.symlink(entry.link, self._made)  # noqa: PTH211
            os.rename(self._made, target)  # noqa: PTH104
            self._made = ""
            return
        self._file = os.open(self._made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self._entry, self._left = entry, entry.size
        self._told = hashlib.blake2b(digest_size=files.DIGEST)

    def _end_of_file(self) -> bool:
        if len(self._in) < files.DIGEST:
            return False
        found = bytes(self._in[: files.DIGEST])
        del self._in[: files.DIGEST]
        entry, made = self._entry, self._made
        assert entry is not None
        os.close(self._file)
        self._entry, self._file = None, -1
        if found == self._told.digest():
            self._settle(made, entry)
            os.rename(made, self._target(entry))  # noqa: PTH104
        else:
            cause = files.HASH if any(found) else files.CHANGED
            self.problems.append((cause, f"{entry.path}: it changed while it was read" if cause == files.CHANGED
                                  else f"{entry.path}: what came is not what was sent"))  # fmt: skip
            os.unlink(made)  # noqa: PTH108
        self._made = ""
        return True

    def _settle(self, path: str, entry: files.Entry) -> None:
        os.chmod(path, entry.mode)  # noqa: PTH101
        os.utime(path, ns=(entry.mtime, entry.mtime))

    def _target(self, entry: files.Entry) -> str:
        return f"{self._directory}/{entry.path}"


class Pull(Transfer):
    """``progress(hosts done, bytes got)`` is called now and then."""

    def __init__(
        self,
        session: str,
        sources: Sequence[str],
        directory: str,
        on: Sequence[str] | None,
        without: Sequence[str] = (),
        progress: Callable[[int, int], None] = lambda _done, _got: None,
    ) -> None:
        super().__init__(session, SEND, on, without)
        self._directory = directory
        self._progress = progress
        self._incoming: dict[str, Incoming] = {}
        self.send_frame({"sources": list(sources)})
        self.send_end()

    def settled(self) -> None:
        """Each ends by itself: there is nothing to be told to it."""

    def waits_for(self, host: str) -> bool:
        """Whoever has nothing to say may be reading a large disk: only if nobody says anything at all."""
        return super().waits_for(host) and monotonic() - self._moved > SILENT

    @property
    def size(self) -> int:
        """So much has come."""
        return sum(one.bytes for one in self._incoming.values())

    def run(self) -> None:
        """As Transfer does."""
        try:
            super().run()
        finally:
            for one in self._incoming.values():
                one.close()

    def heard(self, host: str, data: bytes) -> None:
        """A part of what a host sends."""
        if host in self.outcomes:
            return
        try:
            incoming = self._incoming.get(host)
            if incoming is None:
                if "/" in host or host in (".", ".."):
                    raise ValueError("a host of this name can have no directory")
                place = f"{self._directory}/{host}"
                os.makedirs(place, exist_ok=True)  # noqa: PTH103
                incoming = self._incoming[host] = Incoming(place)
            incoming.feed(data)
        except OSError as error:
            self.outcomes[host] = Outcome(False, *cause_of(error))
        except (ValueError, LookupError, TypeError) as error:
            self.outcomes[host] = Outcome(cause=files.UNSUPPORTED, detail=f"it talks nonsense: {error}")
        else:
            if incoming.complete:
                first = incoming.problems[:1]
                more = f" (and {len(incoming.problems) - 1} more)" if len(incoming.problems) > 1 else ""
                self.outcomes[host] = Outcome(False, first[0][0], first[0][1] + more) if first else Outcome(done=True)
        self._progress(sum(one.done for one in self.outcomes.values()), self.size)


def pull(
    session: str,
    sources: Sequence[str],
    directory: str,
    on: Sequence[str] | None = None,
    without: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda _done, _got: None,
    watched: Callable[[Transfer], None] = lambda one: one.run(),
) -> Pulled:
    """Pull sources of hosts into DIR/HOST. ``watched(pull)`` runs it. SessionError, OSError for the directory."""
    begun = monotonic()
    os.makedirs(directory, exist_ok=True)  # noqa: PTH103
    one = Pull(session, sources, directory, on, without, progress)
    watched(one)
    gone = Outcome(cause=files.LOST, detail="the session's daemon has ended")
    found = {host: one.outcomes.get(host, gone) for host in one.job.hosts}
    return Pulled(one.size, monotonic() - begun, found, one.signal)
