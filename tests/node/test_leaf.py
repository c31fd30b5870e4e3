"""A leaf's line to its parent, and what it says of itself. See also test_leaf_addresses and test_leaf_process."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from mpboot.net import messages, wire
from mpboot.node import leaf
from mpboot.node.leaf import EXIT_BLOCKED, HANDSHAKE, STAGGER, Lost
from tests.node.played import Message, as_child, as_parent, config, open_files


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as made:
        yield made


def test_the_numbers() -> None:
    assert (EXIT_BLOCKED, STAGGER, HANDSHAKE) == (77, 0.25, 20.0)


# -- a line ----------------------------------------------------------------------------------------


class Ends:
    """A line whose handshake is over, and the parent's end of it."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.parent, child = socket.socketpair()
        self.session = as_parent()
        answer = threads.submit(self._answer)
        fd = child.detach()
        self.line, self.messages = leaf.shake_hands(config(), fd, fd)
        answer.result()

    def _answer(self) -> None:
        while not self.session.out:
            self.session.feed(self.parent.recv(1))
        self.parent.sendall(self.session.out)
        self.session.out.clear()

    def say(self, kind: int, body: bytes = b"") -> None:
        """The parent says this."""
        self.session.send(kind, body)
        self.parent.sendall(self.session.out)
        self.session.out.clear()

    def heard(self, count: int) -> list[Message]:
        """So many messages that the parent has got."""
        got: list[Message] = []
        while len(got) < count:
            got += self.session.feed(self.parent.recv(1 << 16))
        return got


@pytest.fixture
def ends(threads: ThreadPoolExecutor) -> Iterator[Ends]:
    made = Ends(threads)
    made.line.flush()
    made.heard(0)
    made.line.session.send(wire.HELLO, b"hello")
    made.line.flush()
    assert made.heard(1) == [(wire.HELLO, b"hello")]
    yield made
    made.parent.close()
    try:
        made.line.close()
    except OSError:
        return  # the test has closed it


def test_what_the_parent_says(ends: Ends) -> None:
    ends.line.heard = 0.0
    before = monotonic()
    ends.say(wire.PING)
    ends.say(wire.SHARE, b"x" * 10)
    got: list[Message] = []
    while len(got) < 2:
        got += ends.line.receive(20.0)
    assert got == [(wire.PING, b""), (wire.SHARE, b"x" * 10)]
    assert before <= ends.line.heard <= monotonic()


def test_much_is_sent_whole(ends: Ends, threads: ThreadPoolExecutor) -> None:
    """…in frames that are as long as a child's may be."""
    for _ in range(64):
        ends.line.session.send(wire.LOG, b"x" * (1 << 15))
    heard = threads.submit(ends.heard, 64)
    ends.line.flush()
    assert not ends.line.session.out
    assert heard.result() == [(wire.LOG, b"x" * (1 << 15))] * 64


def test_a_silent_parent_is_lost(ends: Ends) -> None:
    with pytest.raises(Lost, match=r"^silent for 0 s$"):
        ends.line.receive(0.01)
    with pytest.raises(Lost, match=r"^silent for -5 s$"):
        ends.line.receive(-5.0)


def test_a_parent_that_closes_is_lost(ends: Ends) -> None:
    ends.parent.close()
    with pytest.raises(Lost, match=r"^closed$"):
        ends.line.receive(20.0)
    ends.line.session.send(wire.PONG)
    with pytest.raises(Lost, match="Broken pipe"):
        ends.line.flush()


def test_a_parent_that_lies_is_lost(ends: Ends) -> None:
    ends.parent.sendall(b"\0\0\0\x11" + bytes(17))
    with pytest.raises(Lost, match="forged"):
        ends.line.receive(20.0)


def test_both_descriptors_are_closed() -> None:
    before = open_files()
    read, write = os.pipe()
    leaf.Line(as_child(), read, write).close()
    read, write = os.pipe()
    os.close(write)
    leaf.Line(as_child(), read, read).close()
    assert open_files() == before


def test_who_does_not_know_the_key_is_no_parent() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(bytes(32))
        with pytest.raises(Lost, match="the parent does not know the key"):
            leaf.shake_hands(config(), theirs.fileno(), theirs.fileno())


def test_a_handshake_takes_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaf, "HANDSHAKE", 0.05)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(Lost, match="silent"):
            leaf.shake_hands(config(), theirs.fileno(), theirs.fileno())
        assert ours.recv(100)[:4] == wire.GREETING


def test_what_it_says_of_itself() -> None:
    said = messages.Hello(leaf.hello(config(rank=7), ',"orphan":true,"lost":[[4, 44]]'))
    assert (said.id, said.rank, said.pid, said.orphan, said.lost) == (1, 7, os.getpid(), True, [(4, 44)])
    assert said.python == ".".join(str(part) for part in sys.version_info[:3])
    assert set(json.loads(leaf.hello(config()))) == {"id", "rank", "pid", "python"}
