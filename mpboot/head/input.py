"""A file or pipe that is the standard input of commands: read in the loop, as far as they take it."""

from __future__ import annotations

import os
from collections.abc import Callable

from mpboot.net.loop import READ, Loop

PIECE = 1 << 16  # bytes that are read at once


class Input:
    """Reads ``fd`` whenever ``room()`` bytes may be passed on; ``feed(data)`` gets what was read, b"" at its end.

    The descriptor's own blocking mode is left as it is: others share it. Where it can't be read any more,
    ``broken(why)`` is called in place of the end: what came is not all. ``read(most)`` reads it, if not os.read.
    """

    def __init__(
        self,
        loop: Loop,
        fd: int,
        room: Callable[[], int],
        feed: Callable[[bytes], None],
        broken: Callable[[str], None],
        read: Callable[[int], bytes] | None = None,
    ) -> None:
        self._loop = loop
        self._fd = fd
        self._room = room
        self._feed = feed
        self._broken = broken
        self._take = read or (lambda most: os.read(fd, most))

    def go_on(self) -> None:
        """There is room, or was from the beginning."""
        if self._fd < 0 or self._room() <= 0:
            return
        try:
            self._loop.watch(self._fd, READ, lambda _: self._read())
        except PermissionError:  # a file: it is always ready
            while self._fd >= 0 and self._room() > 0:
                self._read()

    def close(self) -> None:
        """Nobody takes any more."""
        if self._fd >= 0:
            self._loop.forget(self._fd)
            self._fd = -1

    def _read(self) -> None:
        try:
            data = self._take(min(PIECE, self._room()))
        except BlockingIOError:
            return  # another has read it
        except OSError as error:
            self.close()
            self._broken(f"standard input: {error.strerror}: what was read is not all, so the commands are ended")
            return
        if not data:
            self.close()
        self._feed(data)
        if self._room() <= 0 and self._fd >= 0:
            self._loop.forget(self._fd)
