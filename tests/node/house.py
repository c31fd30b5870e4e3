"""A door, and who comes to it, for its tests."""

from __future__ import annotations

import select
import socket

from mpboot.net import plain, wire
from mpboot.net.answer import Answer
from mpboot.net.hello import Hello
from mpboot.net.link import Link
from mpboot.node.door import Door
from tests.node.played import SECRET, Far, Rounds, child


def hello_of(rank: int, **more: object) -> tuple[int, bytes]:
    return wire.HELLO, plain.dumps({"id": 1, "rank": rank, "pid": 77, "python": "3.8.1", **more})


HELLO = hello_of(7)
LAUNCHES = {(7, (1,)), (7, (4, 2))}  # rank and numbers: one of this node's own, and one below it
GREETING = bytes(child(rank=7).out)  # which is answered, and then the proof is waited for


class House:
    """A door, who came in, and how many were strangers."""

    def __init__(self, loop: Rounds) -> None:
        self.loop = loop
        self.guests: list[tuple[Link, Hello]] = []
        self.strangers = 0
        self.awaits = False
        self.lost: list[str] = []
        self.heard: list[tuple[int, bytes]] = []
        self.sessions: list[Answer] = []
        self.door = Door(loop, self._find_key, self._welcome, self._stranger, lambda: 9, lambda: self.awaits)
        self.callers: list[socket.socket] = []
        self.agents: list[Far] = []

    def _find_key(self, rank: int, numbers: tuple[int, ...]) -> bytes | None:
        return SECRET if (rank, numbers) in LAUNCHES else None

    def _welcome(self, link: Link, hello: Hello, session: Answer) -> None:
        self.guests.append((link, hello))
        self.sessions.append(session)
        link.got = lambda *message: self.heard.append(message)
        link.lost = self.lost.append

    def _stranger(self) -> None:
        self.strangers += 1

    def call(self, said: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
        """Somebody who comes to the door, and says this."""
        self.callers.append(socket.create_connection((address, self.door.port), 20))
        self.callers[-1].sendall(said)
        return self.callers[-1]

    def agent(
        self, secret: bytes = SECRET, address: str = "127.0.0.1", rank: int = 7, numbers: tuple[int, ...] = (1,)
    ) -> Far:
        """An agent that comes to the door."""
        session = child(secret, rank, numbers)
        self.agents.append(Far(self.loop, self.call(address=address), session=session))
        return self.agents[-1]

    def close(self) -> None:
        self.door.close()
        for link, _ in self.guests:
            link.close()
        for agent in self.agents:
            agent.close()
        for caller in self.callers:
            caller.close()


def is_closed(caller: socket.socket) -> bool:
    """Has the other side closed it? What it said before is read."""
    caller.settimeout(20)
    try:
        while caller.recv(1 << 10):
            pass
    except ConnectionResetError:
        pass
    return True


def has_said(caller: socket.socket) -> bool:
    """Has anything come from the other side?"""
    return bool(select.select([caller], [], [], 0)[0])
