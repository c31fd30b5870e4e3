"""Carries an agent's frames between rsh's stdio and the parent, where the host can't connect back.

The relay sees bytes only: agent and parent authenticate each other through it as over any connection.
"""

from __future__ import annotations

import os
import socket
from select import POLLIN
from time import monotonic

from mpboot.net import wire
from mpboot.tree import causes
from mpboot.workers.pipes import ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

CHUNK = 1 << 16
LIMIT = 1 << 18  # bytes held for a reader that is slow
LAST_WORDS = 2.0  # seconds for what an agent that reads no more has still to say: its writer may be behind (armour.py)
BROKEN = "the connection through rsh's stdin and stdout broke: does something else there print much, or read?"
NOTHING = "the agent was to speak through rsh's stdin and stdout, then nothing came that was its"


class Pieces:
    """What an agent said on rsh's stdout, without all else that was printed there."""

    def __init__(self, key: bytes) -> None:
        self._word = wire.piece(key, b"")[: -wire.PIECE_SIZE]
        self.some = False  # has any come?
        self._rest = bytearray()  # a piece that has begun, or may have

    def take(self, data: bytes, said: bytearray) -> None:
        """Read on; what the agent said goes to the end of ``said``."""
        rest, word = self._rest, self._word
        rest += data
        at, head = 0, len(word) + wire.PIECE_SIZE
        while True:
            found = rest.find(word, at)
            if found < 0:
                at = max(at, len(rest) - len(word) + 1)
                break
            at = found
            if len(rest) < at + head:
                break
            size = int.from_bytes(rest[at + len(word) : at + head], "big")
            if not 0 < size <= wire.PIECE_DATA:
                at += 1  # no piece of ours
                continue
            if len(rest) < at + head + size:
                break
            said += rest[at + head : at + head + size]
            self.some = True
            at += head + size
        del rest[:at]


class Relay:
    """Two byte streams between rsh (``to_rsh``, ``from_rsh``: descriptors) and the parent's accept socket."""

    def __init__(self, to_rsh: int, from_rsh: int, port: int, begun: bytes, key: bytes) -> None:
        """Connect to the parent; ``begun`` was read from rsh already, ``key`` is the launch's. OSError."""
        self.to_rsh = to_rsh
        self.from_rsh = from_rsh
        self.parent = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.parent.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.parent.setblocking(False)
        self.up = bytearray()
        self._pieces = Pieces(key)
        self._pieces.take(begun, self.up)
        self.down = bytearray()
        self.open = True
        self._over = False  # nothing comes from rsh any more
        self._until: Optional[float] = None  # rsh reads nothing any more: when what it says has come, or never will

    def wants(self) -> Tuple[Tuple[int, bool, bool], ...]:
        """(descriptor, read, write) that a poll is to wait for."""
        down = ((self.to_rsh, False, bool(self.down)),) if self._until is None else ()
        return (
            (self.from_rsh, len(self.up) < LIMIT and not self._over, False),
            *down,
            (self.parent.fileno(), len(self.down) < LIMIT, bool(self.up)),
        )

    def left(self, most: Optional[float]) -> Optional[float]:
        """For how many seconds there may be nothing to move, of so many at most; None: for ever."""
        if self._until is None:
            return most
        left = max(0.0, self._until - monotonic())
        return left if most is None else min(left, most)

    def move(self) -> None:
        """Move what can be moved; ``open`` turns false when the parent has ended, or rsh and the parent has its all.

        That of rsh's two pipes which it reads may break first: who has said all takes no answer any more.
        """
        try:
            self._read()
            self._write()
        except OSError:
            self.open = False
        if (self._over and not self.up) or self.left(None) == 0.0:
            self.open = False

    def why(self) -> Tuple[str, str, str]:
        """Cause, phase and detail, once it is over before its rsh."""
        if self._pieces.some:
            return causes.LOST, "callback", BROKEN
        return causes.CALLBACK_BLOCKED, "callback", NOTHING

    def finish(self, seconds: float) -> None:
        """Rsh has ended: give the parent what is left in the pipe, for at most so long."""
        until = monotonic() + seconds
        self.parent.setblocking(True)
        try:
            while True:
                self.parent.settimeout(max(0.01, until - monotonic()))
                self.parent.sendall(self.up)
                self.up.clear()
                if not ready(self.from_rsh, POLLIN, 0.0):
                    return  # somebody else holds it
                read = self._read_up()
                if not read:
                    return
                self._pieces.take(read, self.up)
        except OSError:
            return  # the parent is gone, or takes too long

    def _write(self) -> None:
        for write, held in ((self._send_up, self.up), (self._send_down, self.down)):
            try:
                while held:
                    del held[: write(held)]
            except BlockingIOError:
                continue

    def _send_up(self, data: bytearray) -> int:
        return self.parent.send(data)

    def _send_down(self, data: bytearray) -> int:
        if self._until is None:
            try:
                return os.write(self.to_rsh, data)
            except BrokenPipeError:
                self._until = monotonic() + LAST_WORDS
        return len(data)

    def _read(self) -> None:
        for read, held, take in (
            (self._read_up, self.up, self._pieces.take),
            (self._read_down, self.down, lambda data, held: held.extend(data)),
        ):
            if len(held) >= LIMIT or (self._over and held is self.up):
                continue
            try:
                data = read()
            except BlockingIOError:
                continue
            if not data and held is self.up:
                self._over = True
            elif not data:
                self.open = False
            take(data, held)

    def _read_up(self) -> bytes:
        return os.read(self.from_rsh, CHUNK)

    def _read_down(self) -> bytes:
        return self.parent.recv(CHUNK)

    def close(self) -> None:
        """Close the connection to the parent; rsh's descriptors belong to the launch."""
        self.parent.close()
