"""The limits of a link: what may wait for a peer that does not read, and for how long one may say nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from mpboot.net import wire
from mpboot.net.link import Link
from mpboot.net.loop import READ, Loop
from mpboot.net.patience import ALIVE, DEAD, SLOW

MUCH = bytes(1 << 22)  # more than a connection holds
LIMIT = 6.0  # seconds of silence that mean nothing


class Plain(wire.Session):
    """A session that is ready, and packs nothing."""

    def __init__(self) -> None:
        super().__init__(bytes(16), 5, (), bytes(16))
        self.out.clear()
        self.ready = True

    def send(self, kind: int, body: bytes = b"") -> None:
        del kind
        self.out += body


class Told:
    """A link to a peer that reads nothing, and why it was lost."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.why: list[str] = []
        ours, self.peer = socket.socketpair()
        self.fd = ours.detach()
        self.link = Link(self.loop, Plain(), self.fd, self.fd, lambda _kind, _body: None, self.why.append)

    def send(self, body: bytes) -> None:
        self.link.send(wire.OUT, body)
        self.go_round()

    def go_round(self) -> None:
        """All that can be done without waiting."""
        self.loop.later(0.0, self.loop.stop)
        self.loop._running = True
        self.loop.run()


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    yield made
    made.link.close()
    made.peer.close()


def test_without_a_bound_any_number_of_bytes_may_wait(told: Told) -> None:
    told.send(MUCH)
    assert 0 < told.link.backlog < len(MUCH)
    assert told.why == []


def test_who_does_not_read_is_lost_when_more_waits_than_may(told: Told) -> None:
    told.send(MUCH)
    waits = told.link.backlog
    told.link.most = waits
    told.send(b"")
    assert told.why == [], "so much may wait"
    told.send(b"x")
    assert told.why == [f"it does not read what it is told ({waits + 1} bytes wait)"]
    assert not told.link.open


def test_what_is_sent_once_may_wait_beside_all_else(told: Told) -> None:
    told.link.most = 100
    told.link.owe(wire.CODE, MUCH)
    told.go_round()
    assert told.why == []
    told.send(MUCH)
    assert len(told.why) == 1


def test_a_part_of_it_may(told: Told) -> None:
    told.link.most = 100
    told.link.owe(wire.CODE, MUCH, 0.25)
    assert told.link.most == 100 + len(MUCH) // 4
    told.go_round()
    assert len(told.why) == 1


def test_silence_is_judged_by_how_long_it_was_listened_to(told: Told) -> None:
    told.link.heard = monotonic() - 10.0
    assert told.link.judge(LIMIT, 0.0) == SLOW
    assert told.link.judge(LIMIT, 5.0) == ALIVE, "five of the ten seconds we did not listen"
    assert told.link.judge(LIMIT, 0.0) == ALIVE, "nor did we then"
    told.link.heard -= 20.0
    assert told.link.judge(LIMIT, 0.0) == DEAD
    told.link.close()
    assert told.link.judge(LIMIT, 0.0) == ALIVE, "that it is closed is known"


def test_one_that_is_closed_leaves_its_number_to_others(told: Told) -> None:
    told.link.close()
    reads, writes = os.pipe()
    os.dup2(reads, told.fd)
    heard: list[int] = []

    def hear(events: int) -> None:
        heard.append(events)
        told.loop.stop()

    told.loop.watch(told.fd, READ, hear)
    told.link.deafen()
    told.link.listen()
    os.write(writes, b"x")
    told.loop._running = True
    told.loop.run()
    assert heard == [READ]
    told.loop.forget(told.fd)
    for fd in {reads, writes, told.fd}:
        os.close(fd)
