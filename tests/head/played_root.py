"""A root that a test plays itself, at the far end of a socket pair; and what a root says, packed."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Callable, Union

from mpboot.head.root import Root
from mpboot.net import commands, messages, wire
from mpboot.net.link import Link
from mpboot.net.loop import Loop
from mpboot.net.outlet import pack_out
from mpboot.tree.ledger import HEAD

Message = tuple[int, bytes]
Answer = Union[Message, Callable[[], object]]  # what is said, or done, when something was heard

KEY = bytes(range(wire.KEY_BYTES))
HELLO: Message = (wire.HELLO, b'{"id":0,"rank":-1,"pid":4711,"python":"3.11.2"}')
DONE: Message = (wire.DONE, b"1")
PONG: Message = (wire.PONG, b"")


class PlayedRoot(Root):
    """Says HELLO when it is attached to the loop of its boot, and ``answers`` to each kind when it comes.

    ``started`` is to be given as what starts a root. STOP is answered by ending, unless there is another answer.
    """

    def __init__(self, greeting: Sequence[Message] = (HELLO,), key: bytes = KEY) -> None:
        ours, self._far = socket.socketpair()
        self.fd = ours.detach()
        self.key = KEY
        self.answers: dict[int, list[Answer]] = {wire.STOP: [self.leave]}
        self.heard: list[Message] = []
        self.silences: list[float] = []  # what it was started with, each time
        self.graces: list[float] = []  # what it was given to end, each time
        self.working: bool | None = False
        self.lost = ""  # why its own end of the line was given up
        self._known_key = key
        self._greeting = greeting
        self._link: Link | None = None

    def started(self, silence: float) -> Root:
        """Start it."""
        self.silences.append(silence)
        return self

    def works(self) -> bool | None:
        """Does it use a processor?"""
        return self.working

    def end(self, grace: float) -> None:
        """It ends, when it has read what was sent before the line was closed."""
        self.graces.append(grace)
        if self._link is not None and self._link.open:
            self._link._receive()
        self.leave()
        self._far.close()

    def attach(self, loop: Loop) -> None:
        """Speak from now on, in this loop."""
        session = wire.Session(self._known_key, HEAD, (), bytes(16))
        fd = self._far.detach()
        self._link = Link(loop, session, fd, fd, self._got, self._lost)
        self._link.blamed = ()  # what a test raises is no nonsense of the peer's
        self.say(*self._greeting)

    def say(self, *messages: Message) -> None:
        """Say this."""
        assert self._link is not None
        for kind, body in messages:
            self._link.send(kind, body)

    def leave(self) -> None:
        """Close the line, as a root does that ends."""
        if self._link is not None:
            self._link.close()

    def on(self, kind: int, *answers: Answer) -> None:
        """Answer a kind in this way."""
        self.answers[kind] = list(answers)

    def bodies(self, kind: int) -> list[bytes]:
        """What it has heard of a kind."""
        return [body for one, body in self.heard if one == kind]

    def kinds(self) -> list[int]:
        """The kinds that it has heard, but PING."""
        return [kind for kind, _ in self.heard if kind != wire.PING]

    def _got(self, kind: int, body: bytes) -> None:
        self.heard.append((kind, body))
        for answer in self.answers.get(kind, ()):
            if callable(answer):
                answer()
            else:
                self.say(answer)

    def _lost(self, reason: str) -> None:
        self.lost = reason


# -- what a root says ------------------------------------------------------------------------------


def launched(count: int, strangers: int = 0) -> Message:
    """So many launches more have begun, and strangers come."""
    return wire.LAUNCHED, messages.Launched(count, strangers).pack()


def up(*ranks: int, parent: int = HEAD, level: int = 1, pid: int = 100, attempts: int = 1) -> Message:
    """These are up: launched at 0.1 s, up at 0.5 s, the pid as given and the rank more."""
    records = [messages.Up(rank, parent, level, 0.1, 0.5, pid + rank, attempts, "3.11.2") for rank in ranks]
    return wire.UP, messages.Up.pack_all(records)


def failed(*ranks: int, cause: str = "auth", launcher: int = HEAD) -> Message:
    """These have failed, in the handshake, after two attempts."""
    records = [messages.Failed(rank, cause, "handshake", 2, launcher, "denied", "Permission denied") for rank in ranks]
    return wire.FAILED, messages.Failed.pack_all(records)


def ended(codes: Mapping[int, int]) -> Message:
    """The command has ended: its exit codes by rank."""
    return wire.EXIT, commands.Exit.pack_all([commands.Exit(rank, 1, code, 0, 0.5, 0) for rank, code in codes.items()])


def noted(rank: int, what: str, text: str) -> Message:
    """A node can't do something."""
    return wire.NOTE, commands.Note(rank, what, text).pack()


def told(*launches: messages.LaunchSeen, to_come: int = 0) -> Message:
    """A part of the answer to the question which launches are under way."""
    return wire.TOLD, messages.UnderWay(list(launches), to_come).pack()


def out(rank: int, text: bytes, stream: int = 1) -> Message:
    """The command has written this."""
    return wire.OUT, pack_out(rank, 1, stream, text)


def launch(
    rank: int,
    launcher: int = HEAD,
    attempt: int = 1,
    seconds: float = 3.0,
    phase: str | None = "connect",
    still: float | None = 2.0,
    tcp: Sequence[Sequence[str]] = (),
    statuses: Sequence[str] = (),
    tty: str = "",
) -> messages.LaunchSeen:
    """A launch under way, as a node tells of it."""
    connections = [list(one) for one in tcp]
    return messages.LaunchSeen(rank, launcher, attempt, seconds, phase, still, connections, list(statuses), tty)
