"""A client as the daemon has it: its connection in the loop, frames in and out."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mpboot.net.loop import READ, WRITE, Loop
from mpboot.session import frames

CHUNK = 1 << 16


class Guest:
    """``heard(kind, what)`` gets each message, ``gone()`` is called once when the client has gone."""

    def __init__(
        self, loop: Loop, sock: socket.socket, heard: Callable[[Guest, int, Any], None], gone: Callable[[Guest], None]
    ) -> None:
        self.drained: Callable[[], None] = lambda: None  # called when all that waited is written
        self.open = True
        self.uses = False  # has it asked for more than a look?
        self.unread = 0  # bytes that it asked for, as long as any of what was sent to it waits to be read
        self._loop = loop
        self._sock = sock
        self._fd = sock.fileno()
        self._heard = heard
        self._gone = gone
        self._reader = frames.Reader()
        self._out = bytearray()
        self._due = self._ends = False
        sock.setblocking(False)
        loop.watch(self._fd, READ, self._ready)

    @property
    def waiting(self) -> int:
        """Bytes that wait for the client to read them."""
        return len(self._out)

    def tell(self, **told: Any) -> None:
        """Send an object."""
        self.send(frames.pack(told))

    def send(self, frame: bytes) -> None:
        """Send a frame, at the end of this round of the loop."""
        if self.open:
            self._out += frame
            if not self._due:
                self._due = True
                self._loop.soon(self._flush)

    def refuse(self, why: str) -> None:
        """Say what is wrong, and close when that is written."""
        self.tell(error=why)
        self.end()

    def end(self) -> None:
        """Close when all is written; nothing more is heard."""
        self._ends = True
        self._heard = lambda *_: None
        if self.open and not self._due:
            self._due = True
            self._loop.soon(self._flush)

    def write_rest(self, patience: float) -> None:
        """The loop is over: write what waits, for so many seconds at most."""
        if self.open:
            self._sock.settimeout(patience)
            with suppress(OSError):
                self._sock.sendall(self._out)

    def close(self) -> None:
        """Close at once; ``gone`` is called."""
        if self.open:
            self.open = False
            self._loop.forget(self._fd)
            self._sock.close()
            self._out.clear()
            self._gone(self)

    def _flush(self) -> None:
        self._due = False
        if not self.open:
            return
        had = bool(self._out)
        try:
            while self._out:
                del self._out[: os.write(self._fd, memoryview(bytes(self._out[: 4 * CHUNK])))]
        except BlockingIOError:
            self._loop.watch(self._fd, READ | WRITE, self._ready)
            return
        except OSError:
            self.close()
            return
        if self._ends:
            self.close()
            return
        self._loop.watch(self._fd, READ, self._ready)
        self.unread = 0
        if had:
            self.drained()

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if not self.open or not events & ~WRITE:
            return
        try:
            data = os.read(self._fd, CHUNK)
            if not data:
                self.close()
                return
            for kind, what in self._reader.feed(data):
                if self.open:
                    self._heard(self, kind, what)
        except BlockingIOError:
            return
        except frames.FrameError as error:
            self.refuse(f"the daemon can't read that: {error}")
        except OSError:
            self.close()
