"""The standard streams that an ssh client has passed: read and written in the loop, and left as they were.

Their blocking mode is shared with whoever else has them, the user's shell among them: so it is never changed. A pipe or
a terminal is opened anew instead, which gives a mode of our own; a socket takes a flag with each call. What can't be
opened anew, as another user's pipe or terminal (after su or sudo), is asked before each call whether that would wait.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import struct
from collections.abc import Callable
from contextlib import suppress

from mpboot.net.loop import WRITE, Loop

PIECE = 1 << 16  # bytes that are read or written at once
CHUNK = 1 << 16  # bytes of a client's requests that are read at once
SMALL = 1 << 12  # bytes that a pipe takes at once where it says that it has room
UNREAD = (errno.EPIPE, errno.ECONNRESET, errno.EIO)  # nobody reads it any more, or its terminal is gone


class Stream:
    """One descriptor, taken over: ``close`` closes it."""

    def __init__(self, fd: int, mode: int) -> None:
        """``mode``: os.O_RDONLY or os.O_WRONLY."""
        self.fd = fd
        self.is_terminal = os.isatty(fd)
        kind = os.fstat(fd).st_mode
        self.is_socket = stat.S_ISSOCK(kind)
        self._private = False  # it has a blocking mode of its own
        if stat.S_ISFIFO(kind) or self.is_terminal:
            with suppress(OSError):  # another user's
                self.fd = os.open(f"/proc/self/fd/{fd}", mode | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
                self._private = True
                os.close(fd)
        self._sock = socket.socket(fileno=self.fd) if self.is_socket else None

    def read(self, most: int) -> bytes:
        """What there is; b"" at the end. BlockingIOError, OSError."""
        if self._sock is not None:
            return self._sock.recv(most, socket.MSG_DONTWAIT)
        if not self._private and not self._would_go_on(select.POLLIN):
            raise BlockingIOError
        return os.read(self.fd, most)

    def write(self, data: bytes) -> int:
        """As much as it takes. BlockingIOError, OSError."""
        if self._sock is not None:
            return self._sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        if self._private:
            return os.write(self.fd, data)
        if not self._would_go_on(select.POLLOUT):
            raise BlockingIOError
        if not self.is_terminal:
            return os.write(self.fd, data[:SMALL])
        done = 0
        while done < min(len(data), SMALL) and self._would_go_on(select.POLLOUT):
            done += os.write(self.fd, data[done : done + 1])  # a terminal that has room has it for no more
        return done

    def _would_go_on(self, event: int) -> bool:
        """Would a call not hold up everybody, although the descriptor's mode is another's?"""
        asked = select.poll()
        asked.register(self.fd, event)
        return bool(asked.poll(0))

    def end_writing(self) -> None:
        """Nothing follows. A socket is shut down, since other processes may hold it open."""
        if self._sock is not None:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Give it back."""
        if self._sock is not None:
            self._sock.close()
        elif self.fd >= 0:
            os.close(self.fd)
        self._sock, self.fd = None, -1


class Sink:
    """Output on its way to a stream. ``broken()`` is called once if nobody reads it, ``eased()`` when none waits."""

    def __init__(self, loop: Loop, stream: Stream, broken: Callable[[], None], eased: Callable[[], None]) -> None:
        self._loop = loop
        self.stream = stream
        self._broken = broken
        self._eased = eased
        self._out = bytearray()
        self.is_broken = False
        self.lost = ""  # why what was to be written is lost, unless its reader wants no more
        self._always = False  # it is a file, or the like: nothing to wait for

    @property
    def waiting(self) -> int:
        """Bytes that are not written yet."""
        return len(self._out)

    def put(self, data: bytes) -> None:
        """Write it, now or later; nothing happens if nobody takes it any more."""
        if self.is_broken or self.stream.fd < 0:
            return
        had = bool(self._out)
        self._out += data
        if not had:
            self._write()

    def close(self) -> None:
        """Give up what waits, and the stream."""
        if self.stream.fd >= 0:
            self._loop.forget(self.stream.fd)
            self.stream.close()
        self._out.clear()

    def _write(self) -> None:
        try:
            while self._out:
                del self._out[: self.stream.write(bytes(self._out[:PIECE]))]
                if self._out and not self._always and not self._watch():
                    return
        except BlockingIOError:
            self._watch()
        except OSError as error:
            self._fail(error)
        else:
            self._loop.forget(self.stream.fd)
            self._eased()

    def _watch(self) -> bool:
        """Wait until there is room; True where there always is."""
        try:
            self._loop.watch(self.stream.fd, WRITE, lambda _: self._write())
        except PermissionError:
            self._always = True
        return self._always

    def _fail(self, error: OSError) -> None:
        if error.errno not in UNREAD:
            self.lost = error.strerror or str(error)
        self._loop.forget(self.stream.fd)
        self._out.clear()
        self.is_broken = True
        self._broken()
        self._eased()


def receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    """Bytes, and the descriptors that came with them; descriptors that there was no room for are missed later."""
    data, more, _, _ = sock.recvmsg(CHUNK, socket.CMSG_LEN(3 * struct.calcsize("i")), socket.MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    for level, kind, body in more:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds += struct.unpack(f"{len(body) // 4}i", body[: len(body) // 4 * 4])
    return data, fds


def taken_over(fds: tuple[int, ...]) -> list[Stream]:
    """The descriptors taken over; fewer, if one can't be, and then that and the rest are closed."""
    found = []
    for at, fd in enumerate(fds):
        try:
            found.append(Stream(fd, os.O_WRONLY if at else os.O_RDONLY))
        except OSError:
            for left in fds[at:]:
                with suppress(OSError):
                    os.close(left)
            break
    return found
