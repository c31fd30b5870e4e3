"""Blocks of files between processes that have them and processes that want them: served, and asked for.

Who asks connects, is sent a nonce, and sends: proof of the key (16 bytes), how many ranges (4), each range (first and
one behind the last, 4 each). Then he gets these blocks, one behind the other, each as soon as it is there.
"""

from __future__ import annotations

import _socket
import errno
import posix

from mpboot.net.files import DIGEST, proof
from mpboot.net.loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Sequence, Tuple, Union

    from mpboot.net.loop import Loop

NONCE, NUMBER = 16, 4  # bytes
MOST_RANGES = 1 << 20
MOST_STRANGERS = 256  # connections of those who have proved nothing yet: the oldest makes room
REST = 1.0  # seconds in which nobody is taken in where there is no descriptor left
_READING = posix.O_RDONLY | posix.O_CLOEXEC
AT_ONCE = 1 << 22  # bytes that are sent to one before others have their turn


class Blocks:
    """Where blocks are: ``place(number)`` is (file, offset, size), ``ready`` has those that can be read.

    A file is its path; one that is being written is its descriptor.
    """

    def __init__(self, count: int, place: Callable[[int], Tuple[Union[bytes, int], int, int]]) -> None:
        self.count = count
        self.place = place
        self.ready = bytearray(count)


class Server:
    """Serves blocks to whoever proves the key; ``wake`` it when more are ready. ``sent``: bytes so far."""

    def __init__(self, loop: Loop, listeners: Sequence[_socket.socket], key: bytes, blocks: Blocks) -> None:
        self.sent = 0
        self.key = key
        self.blocks = blocks
        self.loop = loop
        self._listeners = listeners
        self.guests: Dict[int, _Guest] = {}
        self._closed = False
        for one in listeners:
            self._watch(one)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listeners[0].getsockname()[1])

    def wake(self) -> None:
        """More is ready."""
        for guest in list(self.guests.values()):
            if guest.waits:
                guest.go_on()

    def close(self) -> None:
        """Nobody gets any more."""
        self._closed = True
        for guest in list(self.guests.values()):
            guest.close()
        for one in self._listeners:
            self.loop.forget(one.fileno())
            one.close()

    def _watch(self, listener: _socket.socket) -> None:
        if not self._closed:
            self.loop.watch(listener.fileno(), READ, lambda _: self._accept(listener))

    def _accept(self, listener: _socket.socket) -> None:
        try:
            fd, _ = listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self.loop.forget(listener.fileno())
                self.loop.later(REST, lambda: self._watch(listener))
            return
        sock = _socket.socket(fileno=fd)
        sock.setblocking(False)
        strangers = [guest for guest in self.guests.values() if not guest.proved]
        if len(strangers) >= MOST_STRANGERS:
            strangers[0].close()
        self.guests[fd] = _Guest(self, sock)


class _Guest:
    """One who asks."""

    def __init__(self, server: Server, sock: _socket.socket) -> None:
        self.waits = False  # for a block that is not there yet
        self.proved = False
        self._server = server
        self._sock = sock
        self._nonce = posix.urandom(NONCE)
        self._asked = b""
        self._left: List[Tuple[int, int]] = []  # ranges that he wants
        self._file = -1
        self._of: Union[bytes, int] = b""  # what it is, as Blocks has it
        self._at, self._end = 0, 0  # in the file
        try:
            sock.send(self._nonce)
        except OSError:
            pass  # it is seen when he is read
        server.loop.watch(sock.fileno(), READ, self._ready)

    @property
    def _busy(self) -> bool:
        """Is there more to send to him?"""
        return bool(self._left) or self._at < self._end

    def close(self) -> None:
        """He goes."""
        if self._file >= 0:
            posix.close(self._file)
            self._file = -1
        fd = self._sock.fileno()
        if fd >= 0:
            self._server.loop.forget(fd)
            self._server.guests.pop(fd, None)
            self._sock.close()

    def _ready(self, events: int) -> None:
        if events & READ:
            try:
                data = self._sock.recv(1 << 16)
            except BlockingIOError:
                data = None
            except OSError:
                data = b""
            if data == b"" or (data and self._busy):
                self.close()
                return
            if data and not self._hear(data):
                self.close()
                return
        if self._busy and self._sock.fileno() >= 0:
            self.go_on()

    def _hear(self, data: bytes) -> bool:
        """Take a part of what he asks; False where it makes no sense."""
        self._asked += data
        head = DIGEST + NUMBER
        if len(self._asked) < head:
            return True
        count = int.from_bytes(self._asked[DIGEST:head], "big")
        if self._asked[:DIGEST] != proof(self._server.key, self._nonce) or not 0 < count <= MOST_RANGES:
            return False
        self.proved = True
        numbers = self._asked[head:]
        if len(numbers) < 2 * NUMBER * count:
            return True
        found = [
            (int.from_bytes(numbers[at : at + NUMBER], "big"), int.from_bytes(numbers[at + NUMBER : at + 8], "big"))
            for at in range(0, 2 * NUMBER * count, 2 * NUMBER)
        ]
        if not all(first < end <= self._server.blocks.count for first, end in found):
            return False
        self._left, self._asked = found[::-1], b""
        return True

    def go_on(self) -> None:
        """Send as much as he takes, and as there is."""
        loop, fd = self._server.loop, self._sock.fileno()
        until = self._server.sent + AT_ONCE
        try:
            while self._server.sent < until:
                if self._at == self._end and not self._next():
                    loop.watch(fd, READ, self._ready)
                    return
                sent = posix.sendfile(fd, self._file, self._at, self._end - self._at)
                if not sent:
                    raise OSError(errno.EIO, "the file is shorter")
                self._at += sent
                self._server.sent += sent
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        loop.watch(fd, READ | WRITE, self._ready)

    def _next(self) -> bool:
        """Turn to the next block; False if there is none, or none yet."""
        self.waits = False
        if not self._left:
            return False
        first, end = self._left[-1]
        if not self._server.blocks.ready[first]:
            self.waits = True
            return False
        if first + 1 == end:
            self._left.pop()
        else:
            self._left[-1] = first + 1, end
        file, offset, size = self._server.blocks.place(first)
        if file != self._of or self._file < 0 or isinstance(file, int):  # a number is soon another file's
            if self._file >= 0:
                posix.close(self._file)
                self._file = -1
            self._file = posix.dup(file) if isinstance(file, int) else posix.open(file, _READING)
            self._of = file
        self._at, self._end = offset, offset + size
        return True
