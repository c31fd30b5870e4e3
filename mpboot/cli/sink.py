"""Bytes on their way to standard output or standard error: written when there is room, never blocking.

The flag O_NONBLOCK belongs to the open file, which the user's shell and others share. So it is set on a file that is
opened anew. Where that can't be done, poll is asked first, and each write is small enough not to block after its yes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
from time import monotonic
from typing import TYPE_CHECKING, Callable

from mpboot.cli.codes import LOST_CODE, UNREAD_CODE

if TYPE_CHECKING:
    from mpboot.net.loop import Loop

CHUNK = 1 << 16
NOBODY_READS = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)  # what a write says then
BEGUN = 1 << 10  # bytes that are kept of a line that has been written in part


class Sink:
    """One output, with what waits for its reader."""

    def __init__(self, fd: int) -> None:
        """``fd``: the descriptor, which stays open; a closed one is an output that nobody reads."""
        self.fd = fd
        self.broken = False  # nobody reads it any more, and what is written vanishes
        self.is_terminal = False
        self.is_pipe = False  # or a socket: what is written goes to another process
        self.error = ""  # why something could not be written, such as a full disk
        self.lost = 0  # bytes that could not
        self.drained: Callable[[], None] = lambda: None  # called when all is written that had to wait
        self.broke: Callable[[], None] = lambda: None  # called once
        self._pending = bytearray()
        self._begun = b""  # of the line whose rest is pending
        self._loop: Loop | None = None
        self._due = False  # the loop will call
        self._asks_first = False  # may a write block, so that poll must be asked?
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            self.broken = True
            return
        self.is_terminal = os.isatty(fd)
        self._asks_first = not stat.S_ISREG(mode)
        self.is_pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        if self.is_terminal or stat.S_ISFIFO(mode):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            try:
                self.fd = os.open(f"/proc/self/fd/{fd}", flags)
                self._asks_first = False
            except OSError:
                pass  # another user's, or no /proc

    @property
    def pending(self) -> int:
        """Bytes that wait for the reader."""
        return len(self._pending)

    def outcome(self, code: int) -> int:
        """The exit code of a command whose output this is, where it would else be ``code``."""
        return UNREAD_CODE if self.broken else LOST_CODE if self.error else code

    def complaint(self, name: str) -> str:
        """A line that says what was lost, for whom this output is ``name``; empty if nothing was."""
        return f"{name}: {self.error}: {self.lost} bytes of output are lost" if self.error else ""

    def attach(self, loop: Loop | None) -> None:
        """Write when the loop has time, from now on; with None, at once or at ``flush``."""
        if self._loop is not None:
            self._loop.forget(self.fd)
        self._loop = loop
        self._due = False

    def write(self, data: bytes) -> None:
        """Have the bytes written, soon."""
        if self.broken:
            return
        self._pending += data
        if self._loop is None:
            self._write()
        elif not self._due:
            self._due = True
            self._loop.soon(self._pump)

    def flush(self, seconds: float | None = None) -> bytes:
        """Wait until all is written, or so many seconds, and forget what is left. KeyboardInterrupt gets through.

        What is forgotten is returned, with the beginning of a line that was written in part.
        """
        self.push(seconds)
        if not self._pending:
            return b""
        forgotten = self._begun + bytes(self._pending)
        self._pending.clear()
        return forgotten

    def push(self, seconds: float | None = None) -> None:
        """Wait until all is written, or so many seconds."""
        end = None if seconds is None else monotonic() + seconds
        while self._pending and not self.broken:
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                return
            poller = select.poll()
            poller.register(self.fd, select.POLLOUT)
            poller.poll(None if left is None else left * 1000 + 1)
            self._write()

    # -- inside ------------------------------------------------------------------------------------

    def _pump(self, _: int = 0) -> None:
        """Write what can be written; while something is left, ``_due`` stays and the loop calls again."""
        if self._loop is None:
            return
        self._write()
        if self._pending:
            from mpboot.net.loop import WRITE

            self._loop.watch(self.fd, WRITE, self._pump)
            return
        self._due = False
        self._loop.forget(self.fd)
        self.drained()

    def _write(self) -> None:
        """Write as much as there is room for; what can't be written is lost, and what follows is tried again."""
        try:
            while self._pending and self._ready():
                size = select.PIPE_BUF if self._asks_first else CHUNK
                with memoryview(self._pending) as view, view[:size] as piece:
                    count = os.write(self.fd, piece)
                    _, ended, begun = bytes(piece[:count]).rpartition(b"\n")
                self._begun = (begun if ended else self._begun + begun)[:BEGUN]
                del self._pending[:count]
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in NOBODY_READS or self.is_terminal:
                self.broken = True
            else:
                self.error = self.error or error.strerror or str(error)
                self.lost += len(self._pending)
            self._pending.clear()
            if self.broken:
                self.broke()

    def _ready(self) -> bool:
        """Is there room, as far as must be known before a write?"""
        if not self._asks_first:
            return True
        poller = select.poll()
        poller.register(self.fd, select.POLLOUT)
        return bool(poller.poll(0))


def standard_sinks() -> tuple[Sink, Sink]:
    """The sinks for standard output and standard error: one for both where both are one file, to keep the order."""
    out = Sink(1)
    try:
        was_closed = fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY  # main.py has put something there
        same = os.path.samestat(os.fstat(1), os.fstat(2)) and not was_closed
    except OSError:
        same = False
    return out, out if same and not stat.S_ISREG(os.fstat(1).st_mode) else Sink(2)


def complain(out: Sink, err: Sink) -> None:
    """Say on standard error what standard output has lost."""
    said = out.complaint("standard output") if out is not err else ""
    if said:
        err.write(f"mpboot: {said}\n".encode())


def write_all(data: bytes) -> int:
    """Write a command's whole standard output, and say what of it was lost; returns the exit code."""
    out, err = standard_sinks()
    out.write(data)
    out.flush()
    complain(out, err)
    err.flush()
    return out.outcome(0)
