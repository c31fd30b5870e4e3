"""A connection inside the loop: frames in, frames out, never blocking."""

from __future__ import annotations

import _socket
import posix
from time import monotonic

from mpboot.net import kernel, patience, wire
from mpboot.net.loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Tuple, Type

    from mpboot.net.loop import Loop

CHUNK = 1 << 16
KINDS = {
    value: name
    for name, value in vars(wire).items()
    if name.isupper() and name.isalpha() and type(value) is int and value <= wire.WINDOW
}  # of frames, for messages to people


NONSENSE = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError)
SCARCE = (ImportError, OSError)  # raised where no descriptor is left, for a module, too


def _nothing(*_: object) -> None:
    pass


class Link:
    """Carries a session's frames over descriptors (one for both ways, or one each).

    ``got(kind, body)`` gets each message, ``lost(reason)`` is called once when the connection is of no more use.
    ``blamed``: what may be raised by a message that makes no sense, or by what it asks for.
    """

    def __init__(
        self,
        loop: Loop,
        session: wire.Session,
        read_fd: int,
        write_fd: int,
        got: Callable[[int, bytes], None],
        lost: Callable[[str], None],
    ) -> None:
        self.session = session
        self.got = got
        self.lost = lost
        self.blamed: Tuple[Type[Exception], ...] = NONSENSE
        self.heard = monotonic()  # when bytes came last
        self._excused = 0.0  # seconds since then in which we did not listen ourselves
        self.open = True
        self.most = 0  # bytes that may wait for the peer to read them, where there is a bound
        self._loop = loop
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._flushing = False
        self._deaf = self._ignored = False  # nothing is read; and never will be
        self._held: List[wire.Message] = []  # that came before it was deaf
        self._finishing = False  # nothing follows what is queued
        for fd in (read_fd, write_fd):
            posix.set_blocking(fd, False)
        loop.watch(read_fd, READ, self._ready)
        if session.out:
            self._flush_soon()

    @property
    def backlog(self) -> int:
        """Bytes that wait for the peer to read them."""
        return len(self.session.out)

    def judge(self, limit: float, missed: float) -> int:
        """Is the peer ALIVE, SLOW or DEAD? See patience.py. ``missed``: seconds in which we have not listened."""
        if not self.open:
            return patience.ALIVE  # it is lost already, and known to be
        self._excused += missed
        silent = monotonic() - self.heard - self._excused
        return patience.judge(silent, kernel.unanswered(self._write_fd) if silent > limit else 0.0, limit)

    @property
    def is_local(self) -> Optional[bool]:
        """Is the peer reached by an address that is this machine's alone? None where nobody can tell."""
        return kernel.is_local(self._write_fd)

    def send(self, kind: int, body: bytes = b"") -> None:
        """Queue a message; it leaves at the end of this round of the loop."""
        if self.open and not self._finishing:
            self.session.send(kind, body)
            self._flush_soon()

    def owe(self, kind: int, body: bytes, part: float = 1.0) -> None:
        """Queue a message, and let it (or this part of it) wait beside all else: only what is sent once may."""
        if self.most:
            self.most += int(len(body) * part)
        self.send(kind, body)

    def deafen(self) -> None:
        """Read nothing more until ``listen``; what has been read already waits until then."""
        if self.open and not self._deaf:
            self._deaf = True
            self._loop.forget(self._read_fd)
            self._flush_soon()

    def ignore(self) -> None:
        """Read nothing more, and drop what has been read."""
        self.got, self._ignored = _nothing, True
        self.deafen()
        self._held.clear()

    def listen(self) -> None:
        """Read again."""
        if self.open and self._deaf:
            self._deaf = False
            self._loop.watch(self._read_fd, READ, self._ready)
            held, self._held = self._held, []
            self._loop.soon(lambda: self._deliver(held))
            self._flush_soon()

    def finish(self, done: Callable[[], None]) -> None:
        """Send what is queued, and close when the peer has: ``done()`` is called then. What it says is not read.

        Closed at once, with anything unread in it, a connection drops what is on its way to the peer.
        """
        if not self.open:
            done()
            return
        self._finishing = True
        self.got, self.lost = _nothing, lambda _: done()
        self._flush_soon()

    def close(self) -> None:
        """Close without calling ``lost``; what is still queued is tried once."""
        if not self.open:
            return
        self._write()
        self._shut()

    def _shut(self) -> None:
        if self.open:
            self.open = False
            for fd in {self._read_fd, self._write_fd}:
                self._loop.forget(fd)
                posix.close(fd)
            self.got = self.lost = _nothing  # they may hold this link, and no collector runs

    def _fail(self, reason: str) -> None:
        if self.open:
            lost = self.lost
            self._shut()
            lost(reason)

    def fail(self, reason: str) -> None:
        """Give the connection up and tell ``lost``."""
        self._fail(reason)

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if not self.open:
            return
        error = self._write()
        if error:
            self._fail(error)
        elif self.most and self.backlog > self.most:
            self._fail("it does not read what it is told (%d bytes wait)" % self.backlog)
        elif self.session.out:
            if self._write_fd == self._read_fd:
                self._loop.watch(self._read_fd, WRITE if self._deaf else READ | WRITE, self._ready)
            else:
                self._loop.watch(self._write_fd, WRITE, self._ready)
        elif self._finishing:
            self._say_end()

    def _say_end(self) -> None:
        """All is written: the peer, which reads that nothing follows, closes its end."""
        if self._write_fd != self._read_fd:
            self._fail("finished")  # a pipe keeps what is in it
            return
        socket = _socket.socket(fileno=posix.dup(self._read_fd))
        try:
            socket.shutdown(_socket.SHUT_WR)
        except OSError:
            pass  # the peer is gone, as the next read will tell
        socket.close()

    def _write(self) -> str:
        """Write what can be written; why nothing ever can again, or an empty string."""
        out = self.session.out
        try:
            while out:
                del out[: posix.write(self._write_fd, memoryview(bytes(out[: 4 * CHUNK])))]
        except BlockingIOError:
            pass  # the loop will say when there is room
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _ready(self, events: int) -> None:
        if events & WRITE:
            if self._write_fd == self._read_fd and not self._deaf:
                self._loop.watch(self._read_fd, READ, self._ready)
            else:
                self._loop.forget(self._write_fd)
            self._flush()
        if events & READ and self.open:
            self._receive()

    def _receive(self) -> None:
        try:
            data = posix.read(self._read_fd, CHUNK)
            if not data:
                self._fail("the connection was closed")
                return
            self.heard, self._excused = monotonic(), 0.0
            messages = self.session.feed(data)
        except BlockingIOError:
            return
        except (OSError, wire.WireError) as error:
            self._fail(str(error))
            return
        if self.session.out:
            self._flush_soon()
        self._deliver(messages)

    def _deliver(self, messages: List[wire.Message]) -> None:
        for at, (kind, body) in enumerate(messages):
            if not self.open:
                return
            if self._deaf:
                self._held += () if self._ignored else messages[at:]
                return
            try:
                self.got(kind, body)
            except self.blamed as error:
                what = "can't be served" if isinstance(error, SCARCE) else "sent nonsense"
                self._fail("%s (%s: %s: %s)" % (what, KINDS.get(kind, kind), type(error).__name__, error))
