"""The pipes between a parent, its fork server and what that forks: plain values, and descriptors.

Orders are marshalled, since whoever gets them trusts its parent. Results are JSON: a parent neither waits for the rest
of one, nor can a few bytes of it ask for much memory. What the values are, and whether they are what they ought to be,
is work.py's.
"""

from __future__ import annotations

import marshal
import posix
import sys
from select import POLLIN, poll

from mpboot.net import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

WORKER, WATCHER = range(2)  # kinds of processes
NUMBER = 4  # bytes of each number
LIMIT = 1 << 26  # bytes of a value: what claims to be larger is none
MOST_SAID = 1 << 18  # bytes of a result, likewise


def pack(value: Any) -> bytes:
    """A plain value as it travels in a pipe: 4 bytes length, as multiprocessing's connections have it, and it."""
    data = marshal.dumps(value)
    return len(data).to_bytes(NUMBER, "big") + data


def unpack(data: bytes) -> Any:
    """The value that comes behind the length. ValueError if it is none."""
    try:
        return marshal.loads(data)
    except (EOFError, TypeError) as error:
        raise ValueError("no value: %s" % error) from None


class Reader:
    """The reading end of a pipe."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def get(self) -> Any:
        """The next value; waits for it. EOFError if nobody can put any more, ValueError if what came is none."""
        size = int.from_bytes(self._read(NUMBER), "big")
        if size > LIMIT:
            raise ValueError("a value of %d bytes" % size)
        return unpack(self._read(size))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = posix.read(self.fd, size - len(data))
            if not more:
                raise EOFError
            data += more
        return data


class Writer:
    """The writing end of a pipe."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def put(self, value: Any) -> None:
        """Put a value in. BrokenPipeError if nobody reads."""
        self._write(pack(value))

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[posix.write(self.fd, left) :]


class Results:
    """The reading end of a process's results."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._data = b""  # of results that are not taken yet, the last of which may have begun

    def get(self) -> Any:
        """The next value; waits for it. EOFError if nobody can put any more, ValueError if what came is none."""
        value = self._next()
        while value is None:
            self._read(max(NUMBER, self._end()) - len(self._data))
            value = self._next()
        return value

    def take(self) -> Any:
        """The next value, or None as long as it has not come whole. Else as ``get``."""
        value = self._next()
        if value is None and ready(self.fd, POLLIN, 0.0):
            self._read(MOST_SAID)
            value = self._next()
        return value

    def _end(self) -> int:
        """Where the first value ends; 0 if that is not known yet."""
        if len(self._data) < NUMBER:
            return 0
        size = int.from_bytes(self._data[:NUMBER], "big")
        if not 0 < size <= MOST_SAID:
            raise ValueError("a value of %d bytes" % size)
        return NUMBER + size

    def _next(self) -> Any:
        end = self._end()
        if not end or len(self._data) < end:
            return None
        data, self._data = self._data[NUMBER:end], self._data[end:]
        value = plain.loads(data)
        if value is None:
            raise ValueError("no value")
        return value

    def _read(self, most: int) -> None:
        more = posix.read(self.fd, most)
        if not more:
            raise EOFError
        self._data += more


class ResultsWriter(Writer):
    """The writing end of a process's results."""

    def put(self, value: Any) -> None:
        """Put a value in. BrokenPipeError if nobody reads."""
        data = plain.dumps(value)
        self._write(len(data).to_bytes(NUMBER, "big") + data)


def pipes(count: int) -> List[Tuple[int, int]]:
    """So many pipes: (end to read, end to write) of each. OSError, and then there is none."""
    made: List[Tuple[int, int]] = []
    try:
        for _ in range(count):
            made.append(posix.pipe())
    except OSError:
        for fd in [fd for pair in made for fd in pair]:
            posix.close(fd)
        raise
    return made


def ready(fd: int, events: int, seconds: float) -> bool:
    """Wait so long for something to read (POLLIN), for room to write (POLLOUT), or for the far end to close.

    The last counts always, whatever ``events`` are.
    """
    poller = poll()
    poller.register(fd, events)
    return bool(poller.poll(max(0.0, seconds) * 1000))


def packed(*values: int) -> bytes:
    """Numbers as they travel between parent and server, and as the kernel has descriptors."""
    return b"".join(value.to_bytes(NUMBER, sys.byteorder) for value in values)


def numbers(data: bytes) -> List[int]:
    """What ``packed`` has packed."""
    return [int.from_bytes(data[at : at + NUMBER], sys.byteorder) for at in range(0, len(data), NUMBER)]
