"""The pipes between a parent, its fork server and what that forks: plain values, and descriptors.

What the values are, and whether they are what they ought to be, is work.py's.
"""

from __future__ import annotations

import marshal
import os
import sys
from select import poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

WORKER, WATCHER = range(2)  # kinds of processes
NUMBER = 4  # bytes of each number
LIMIT = 1 << 26  # bytes of a value: what claims to be larger is none


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
            more = os.read(self.fd, size - len(data))
            if not more:
                raise EOFError
            data += more
        return data


class Writer:
    """The writing end of a pipe."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def put(self, value: Any) -> None:
        """Put a value in. BrokenPipeError if nobody reads.

        Up to PIPE_BUF bytes come at once or not at all, so that whoever reads never waits for the rest.
        """
        data = memoryview(pack(value))
        while data:
            data = data[os.write(self.fd, data) :]


def pipes(count: int) -> List[Tuple[int, int]]:
    """So many pipes: (end to read, end to write) of each. OSError, and then there is none."""
    made: List[Tuple[int, int]] = []
    try:
        for _ in range(count):
            made.append(os.pipe())
    except OSError:
        for fd in [fd for pair in made for fd in pair]:
            os.close(fd)
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
