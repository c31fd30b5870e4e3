"""A link that finishes: what is queued arrives, however much that is and whatever stands unread at this end."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from mpboot.net import wire
from mpboot.net.answer import Answer
from mpboot.net.link import Link
from mpboot.net.loop import Loop

KEY = bytes(16)
PIECES = [b"%d" % number + bytes(1 << 15) for number in range(200)]  # more than any connection holds


class Ends:
    """A child that finishes, and its parent, in one loop; both are open until the loop stops."""

    def __init__(self, kind: str) -> None:
        self.loop = Loop()
        self.heard: list[bytes] = []
        self.lost: list[str] = []
        self.done = 0
        if kind == "pipes":
            (up_read, up_write), (down_read, down_write) = os.pipe(), os.pipe()
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                ours = socket.create_connection(listener.getsockname())
                theirs, _ = listener.accept()
            up_read = down_write = theirs.detach()
            up_write = down_read = ours.detach()
        answer = Answer(lambda _, __: KEY, b"p" * 16)
        self.parent = Link(self.loop, answer, up_read, down_write, lambda _, body: self.heard.append(body), self._lost)
        session = wire.Session(KEY, 5, (1,), b"c" * 16)
        self.child = Link(self.loop, session, down_read, up_write, self._got, lambda _: pytest.fail("it finishes"))
        self.then: Callable[[], None] = lambda: self.child.finish(self._done)

    def _got(self, kind: int, _: bytes) -> None:
        assert kind == wire.GO
        self.then()

    def _done(self) -> None:
        self.done += 1
        if self.lost:
            self.loop.stop()

    def _lost(self, why: str) -> None:
        self.lost.append(why)
        if self.done:
            self.loop.stop()


@pytest.mark.parametrize("kind", ["tcp", "pipes"])
def test_all_that_is_queued_arrives(kind: str) -> None:
    ends = Ends(kind)

    def finish() -> None:
        for piece in PIECES:
            ends.child.send(wire.OUT, piece)
        ends.child.finish(ends._done)
        ends.child.send(wire.OUT, b"too late")
        for _ in range(50):  # which nobody reads
            ends.parent.send(wire.PING, bytes(1 << 10))

    ends.then = finish
    ends.parent.send(wire.GO)
    ends.loop.run()
    assert ends.heard == PIECES
    assert len(ends.lost) == ends.done == 1
    assert not ends.child.open
    assert not ends.parent.open


def test_who_is_closed_already_has_finished() -> None:
    ends = Ends("tcp")
    ends.child.close()
    ends.child.finish(ends._done)
    assert ends.done == 1
    ends.parent.close()


def test_a_peer_that_is_gone_is_no_reason_to_wait() -> None:
    ends = Ends("tcp")
    ends.lost.append("it closes by itself")

    def finish() -> None:
        ends.parent.close()
        ends.child.send(wire.OUT, b"to nobody")
        ends.child.finish(ends._done)

    ends.then = finish
    ends.parent.send(wire.GO)
    ends.loop.run()
    assert ends.done == 1
