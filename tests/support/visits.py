"""Visitors at a node's door: an honest agent's handshake, in which somebody on the way has changed something."""

from __future__ import annotations

import os
import random
import socket

from mpboot.net import wire
from mpboot.node.agent import Agent
from mpboot.node.door import LATE
from tests.support.besieged import House
from tests.support.frames import Speaker, packed, right

WHO = ("rank", "number", "numbers", "key")
SPOILED = ("flip", "delete", "insert", "cut", "noise")
CHANGES = (*WHO, *SPOILED, "answer", "replay", "nothing")
STEPS = 3  # the greeting, the proof, HELLO


class Visit:
    """An honest agent at a node's door, but for what the die changes."""

    def __init__(self, house: House, node: Agent, dice: random.Random) -> None:
        self.how = dice.choice(CHANGES)
        self._dice = dice
        self._house = house
        self._node = node
        launch = dice.choice(house.launches(node))
        self._rank, self._numbers, self._key = launch.rank, [launch.way[-1][1]], launch.key
        self._change_who()
        self._nonce = os.urandom(16)
        self._honest = self._sent = b""

    def make(self) -> str:
        """Come, and see what happens; how it was changed. AssertionError if it is let in all the same, or may stay."""
        recorded = self._once([]) if self.how == "replay" else []
        self._honest = self._sent = b""
        with socket.socket(fileno=self._house.visit(self._node)) as line:
            before = self._child()
            self._speak(line, recorded)
            self._house.loop.quiet()
            is_in = self._child() is not before
            if self.how == "nothing":
                assert is_in, "an honest agent is not let in"
            elif self.how in (*WHO, "answer", "replay") or not self._sent.startswith(self._honest):
                assert not is_in, f"let in: {self.how}"
            if not is_in:
                self._house.loop.skip(LATE + 1.0)
                assert is_closed(line), f"a visitor may stay: {self.how}"
        return self.how

    def _child(self) -> object:
        parent = self._node._parent
        return parent.children.get(self._rank) if parent is not None else None

    def _once(self, said: list[bytes]) -> list[bytes]:
        """What it says in a visit that ends before HELLO, and what it would say then."""
        with socket.socket(fileno=self._house.visit(self._node)) as line:
            how, self.how = self.how, "recorded"
            said = self._speak(line, [])
            self.how = how
        self._house.loop.quiet()
        return said

    def _speak(self, line: socket.socket, recorded: list[bytes]) -> list[bytes]:
        """Take the steps as far as it gets; what an honest agent would have said."""
        session = wire.Session(self._key, self._rank, self._numbers, self._nonce)
        spoiled = self._dice.randrange(STEPS) if self.how in SPOILED else STEPS
        steps = []
        for at in range(STEPS):
            if at == STEPS - 1:
                session.send(wire.HELLO, packed(right(wire.HELLO, Speaker(self._rank))))
            steps.append(bytes(session.out))
            session.out.clear()
            said = self._spoil(steps[-1]) if at == spoiled else recorded[at] if recorded else steps[-1]
            self._honest += steps[-1]
            if self.how == "recorded" and at == STEPS - 1:
                break
            answer = self._say(line, said)
            if self.how == "cut" and at == spoiled:
                self._honest += b"more"
                break
            if at == 0 and not recorded and not self._heard(session, answer):
                self._honest += b"more"
                break
        return steps

    def _say(self, line: socket.socket, said: bytes) -> bytes:
        """Send bytes; what comes of it."""
        self._sent += said
        line.setblocking(False)
        try:
            line.sendall(said)
            self._house.loop.quiet()
            return line.recv(1 << 16)
        except OSError:
            return b""

    def _heard(self, session: wire.Session, answer: bytes) -> bool:
        """Does the parent's answer prove it?"""
        if self.how == "answer" and answer:
            answer = self._flip(answer)
        try:
            session.feed(answer)
        except wire.WireError:
            return False
        assert not (session.ready and self.how == "answer"), "an answer is believed that was changed"
        return session.ready

    # -- changes -----------------------------------------------------------------------------------

    def _change_who(self) -> None:
        dice = self._dice
        if self.how == "rank":
            self._rank = dice.choice([one for one in (*range(24), -1, 1 << 30, -(1 << 31)) if one != self._rank])
        elif self.how == "number":
            self._numbers = [dice.choice([0, 0xFFFFFFFF, self._numbers[0] + 1000])]
        elif self.how == "numbers":
            self._numbers = self._numbers * dice.choice([0, 2, 63, 64, 65, 255])
        elif self.how == "key":
            self._key = dice.randbytes(wire.KEY_BYTES)

    def _spoil(self, said: bytes) -> bytes:
        at = self._dice.randrange(len(said))
        if self.how == "flip":
            return self._flip(said)
        if self.how == "delete":
            return said[:at] + said[at + self._dice.randint(1, 4) :]
        if self.how == "insert":
            return said[:at] + self._dice.randbytes(self._dice.randint(1, 40)) + said[at:]
        return said[:at] if self.how == "cut" else self._dice.randbytes(self._dice.randint(1, 400))

    def _flip(self, said: bytes) -> bytes:
        changed = bytearray(said)
        changed[self._dice.randrange(len(said))] ^= 1 << self._dice.randrange(8)
        return bytes(changed)


def is_closed(line: socket.socket) -> bool:
    """Has the other side closed it?"""
    try:
        while line.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
