"""The standard input of a command: what has come for it and could not be written yet."""

from __future__ import annotations

import posix
from _collections import deque  # type: ignore[import-not-found]

from mpboot.net.loop import WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Deque, Tuple

    from mpboot.net.loop import Loop


class Feed:
    """A pipe to a command, or its terminal. ``taken(count)`` is called for bytes that are out of our hands."""

    def __init__(self, loop: Loop, taken: Callable[[int], None], terminal: Tuple[int, int] = (-1, -1)) -> None:
        """OSError. ``end`` is the command's, to be closed here when that has been started.

        ``terminal``: our end of the command's, which stays open, and its own, which becomes ``end``.
        """
        self.terminal = self._fd = -1  # of a terminal, our end: a descriptor of our own, for as long as it is open
        ours, self.end = terminal
        if self.end < 0:
            self.end, self._fd = posix.pipe()
        else:
            try:
                self.terminal = self._fd = posix.dup(ours)
            except OSError:
                self.close_end()
                raise
        posix.set_blocking(self._fd, False)
        self._loop = loop
        self._taken = taken
        self._queue: Deque[bytes] = deque()
        self._have = 0  # bytes that have come
        self.ended = False  # nothing follows what is in the queue
        self.is_cut = False  # part of it is missing
        self.open = True

    def put(self, offset: int, data: bytes) -> bool:
        """Take a piece; an empty one is the end. False where bytes before it are missing: then it makes no sense."""
        if not self.open or self.is_cut:
            self._taken(len(data))
            return True
        if offset != self._have:
            return False
        self._have += len(data)
        if data:
            self._queue.append(data)
            self._write()
        else:
            self.ended = True
            self._write()
        return True

    def close_end(self) -> None:
        """The command has its end."""
        posix.close(self.end)

    def cut(self) -> None:
        """Part of it is missing: what comes is dropped. It stays open: its end would say that this was all."""
        self.is_cut = True
        if self.open:
            self._drop()

    def close(self) -> None:
        """Nobody reads it any more: what comes is dropped."""
        if self.open:
            self.open = False
            self._drop()
            posix.close(self._fd)

    def _drop(self) -> None:
        self._loop.forget(self._fd)
        dropped = sum(map(len, self._queue))
        self._queue.clear()
        self._taken(dropped)

    def _write(self) -> None:
        try:
            while self._queue:
                data = self._queue.popleft()
                try:
                    written = posix.write(self._fd, data)
                except OSError:
                    self._queue.appendleft(data)
                    raise
                if written < len(data):
                    self._queue.appendleft(data[written:])
                self._taken(written)
        except BlockingIOError:
            self._loop.watch(self._fd, WRITE, lambda _: self._write())
        except OSError:
            self.close()
        else:
            self._loop.forget(self._fd)
            if self.ended:
                self.close()
