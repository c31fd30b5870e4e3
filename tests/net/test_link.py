"""A link on real sockets and pipes: what is sent arrives, a slow reader holds nobody up, and an end is told once."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpboot.net import wire
from mpboot.net.answer import Answer
from mpboot.net.link import Link
from mpboot.net.loop import READ, WRITE, Loop

KEY = bytes(16)
PATIENCE = 5.0  # seconds; all of it is on this machine
LARGE = b"x" * (1 << 22)  # more than any socket or pipe takes at once
PIECE = 1 << 15


class WatchingLoop(Loop):
    """A loop that tells what is watched."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[int, int] = {}
        self.calls: dict[int, Callable[[int], None]] = {}
        self.changes = 0
        self.put_off = 0

    def soon(self, call: Callable[[], None]) -> None:
        super().soon(call)
        self.put_off += 1

    def watch(self, fd: int, events: int, call: Callable[[int], None]) -> None:
        super().watch(fd, events, call)
        self.events[fd], self.calls[fd] = events, call
        self.changes += 1

    def forget(self, fd: int) -> None:
        super().forget(fd)
        self.events.pop(fd, None)
        self.changes += 1


class End:
    """One side of a connection: its link, what came, and why it was lost. ``then`` follows on so many messages."""

    def __init__(self, loop: WatchingLoop, is_parent: bool, read_fd: int, write_fd: int) -> None:
        self.loop = loop
        self.heard: list[tuple[int, bytes]] = []
        self.why: list[str] = []
        self.expects = 1
        self.then: Callable[[], None] = loop.stop
        self.read_fd, self.write_fd = read_fd, write_fd
        self.fds = {read_fd, write_fd}
        session = Answer(lambda _, __: KEY, b"p" * 16) if is_parent else wire.Session(KEY, 5, (1,), b"c" * 16)
        self.link = Link(loop, session, read_fd, write_fd, self.got, self.lost)

    def got(self, kind: int, body: bytes) -> None:
        self.heard.append((kind, body))
        if len(self.heard) == self.expects:
            self.then()

    def lost(self, why: str) -> None:
        self.why.append(why)
        self.loop.stop()

    def is_closed(self) -> bool:
        """Is every descriptor of it closed, and watched no more?"""
        there = [fd for fd in self.fds if Path(f"/proc/self/fd/{fd}").exists() or fd in self.loop.events]
        return not there and not self.link.open


@pytest.fixture
def loop() -> WatchingLoop:
    return WatchingLoop()


@pytest.fixture(params=["socket", "pipes"])
def ends(request: pytest.FixtureRequest, loop: WatchingLoop) -> Iterator[tuple[End, End]]:
    """Child and parent; they have not said anything yet."""
    if request.param == "socket":
        pair = socket.socketpair()
        ours, theirs = pair[0].detach(), pair[1].detach()
        child, parent = End(loop, False, ours, ours), End(loop, True, theirs, theirs)
    else:
        (up_read, up_write), (down_read, down_write) = os.pipe(), os.pipe()
        child, parent = End(loop, False, down_read, up_write), End(loop, True, up_read, down_write)
    yield child, parent
    for end in (child, parent):
        end.link.close()
        assert end.is_closed()


def run(loop: WatchingLoop) -> None:
    """Until an end stops it."""
    loop._running = True
    guard = loop.later(PATIENCE, lambda: pytest.fail("nothing comes"))
    loop.run()
    guard.cancel()


def one_round(loop: WatchingLoop) -> None:
    """All that can be done without waiting."""
    loop.later(0.0, loop.stop)
    run(loop)


def shake(child: End, parent: End) -> None:
    """The handshake, and one message up."""
    child.link.send(wire.HELLO, b"{}")
    run(child.loop)
    assert parent.heard == [(wire.HELLO, b"{}")]
    parent.heard.clear()


def test_what_is_sent_arrives_in_both_ways(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    parent.link.send(wire.SHARE)
    parent.link.send(wire.GO, b"go")
    child.expects = 2
    run(loop)
    assert child.heard == [(wire.SHARE, b""), (wire.GO, b"go")]
    shake(child, parent)
    assert child.why == parent.why == []


def test_what_comes_while_nothing_is_read_waits_in_its_order(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    parent.then = parent.link.deafen
    said = [(wire.UP, b"1"), (wire.UP, b"2"), (wire.DONE, b"3")]
    for kind, body in said:
        child.link.send(kind, body)
    while not parent.heard:
        one_round(loop)
    child.link.send(wire.PONG, b"4")
    one_round(loop)
    one_round(loop)
    assert (parent.heard, parent.read_fd in loop.events) == (said[:1], False)
    parent.then, parent.expects = loop.stop, 4
    parent.link.listen()
    run(loop)
    assert parent.heard == [*said, (wire.PONG, b"4")]


def test_what_a_pipe_does_not_take_at_once_follows_when_there_is_room(
    ends: tuple[End, End], loop: WatchingLoop
) -> None:
    """A child says in many frames what a parent may say in one."""
    child, parent = ends
    shake(child, parent)
    pieces = [LARGE[at : at + PIECE] for at in range(0, len(LARGE), PIECE)]
    for sender, receiver, bodies in ((child, parent, pieces), (parent, child, [LARGE])):
        for body in bodies:
            sender.link.send(wire.OUT, body)
        sender.link.send(wire.PING)
        receiver.heard.clear()
        receiver.expects = len(bodies) + 1
        run(loop)
        assert receiver.heard == [*((wire.OUT, body) for body in bodies), (wire.PING, b"")]
        assert not sender.link.session.out
    assert all(events == READ for events in loop.events.values()), "nobody waits for room any more"


def test_who_has_more_to_say_waits_for_room_and_still_reads(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    shake(child, parent)
    for fd in child.fds:
        loop.forget(fd)  # the child reads nothing now
    parent.link.send(wire.OUT, LARGE)
    one_round(loop)
    assert parent.link.session.out
    assert loop.events[parent.write_fd] & WRITE
    assert loop.events[parent.read_fd] & READ
    assert (loop.events[parent.write_fd] == WRITE) is (parent.write_fd != parent.read_fd)
    child.link.send(wire.PONG)
    run(loop)
    assert parent.heard == [(wire.PONG, b"")]


def test_descriptors_never_block(ends: tuple[End, End]) -> None:
    assert not any(os.get_blocking(fd) for end in ends for fd in end.fds)


def test_a_call_with_nothing_to_read_does_nothing(ends: tuple[End, End], loop: WatchingLoop) -> None:
    for end in ends:
        loop.calls[end.read_fd](READ)
        assert end.link.open
        assert (end.heard, end.why) == ([], [])


def test_when_something_came_is_known(ends: tuple[End, End]) -> None:
    child, parent = ends
    before = parent.link.heard
    shake(child, parent)
    assert parent.link.heard > before > 0


def test_the_end_of_the_far_side_is_told_once(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    shake(child, parent)
    child.link.close()
    assert child.is_closed()
    run(loop)
    assert parent.is_closed()
    parent.link.fail("again")
    parent.link.close()
    parent.link.send(wire.GO)
    one_round(loop)
    assert (parent.why, child.why) == (["the connection was closed"], [])


def test_what_was_queued_is_said_before_an_end(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    shake(child, parent)
    parent.link.send(wire.STOP)
    parent.link.close()
    child.then = lambda: None
    run(loop)
    assert child.heard == [(wire.STOP, b"")]
    assert child.why == ["the connection was closed"]


def test_who_has_its_descriptor_later_gets_nothing_of_what_was_left(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    shake(child, parent)
    read, write = os.pipe()
    parent.link.send(wire.OUT, LARGE)
    parent.link.close()
    os.dup2(write, parent.write_fd)
    parent.link.close()
    parent.link.send(wire.GO)
    one_round(loop)
    os.close(parent.write_fd)
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)


def test_however_much_is_said_in_a_round_leaves_at_its_end_at_once(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    shake(child, parent)
    before = loop.put_off
    for _ in range(100):
        child.link.send(wire.LAUNCHED, b"[1,0]")
    assert loop.put_off == before + 1
    parent.expects = 100
    run(loop)


def test_nothing_is_held_by_a_link_that_is_closed(ends: tuple[End, End]) -> None:
    """They may hold the link, and no collector runs."""
    for end in ends:
        end.link.close()
        end.link.got(1, b"")
        end.link.lost("why")
        assert (end.heard, end.why) == ([], [])


def test_who_is_given_up_is_told_so(ends: tuple[End, End]) -> None:
    child, _ = ends
    child.link.fail("it said nothing for 10 s")
    assert child.why == ["it said nothing for 10 s"]
    assert child.is_closed()


def test_writing_to_nobody_is_the_end(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    shake(child, parent)
    for fd in child.fds:
        loop.forget(fd)  # so it does not read that nobody is there
    parent.link.close()
    child.link.send(wire.DONE, b"1")
    run(loop)
    assert child.why == ["Broken pipe"]
    assert child.is_closed()


def test_a_stranger_is_shown_the_door() -> None:
    loop = WatchingLoop()
    ours, theirs = socket.socketpair()
    fd = theirs.detach()
    parent = End(loop, True, fd, fd)
    ours.sendall(b"GET / HTTP/1.0")
    run(loop)
    assert parent.why == ["not an mpboot agent"]
    assert ours.recv(100) == b""
    ours.close()
    assert parent.is_closed()


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError, IndexError, OverflowError, AttributeError])
@pytest.mark.parametrize(("kind", "name"), [(wire.DONE, "DONE"), (99, "99")])
def test_who_sends_nonsense_is_of_no_more_use(
    ends: tuple[End, End], loop: WatchingLoop, error: type[Exception], kind: int, name: str
) -> None:
    child, parent = ends
    shake(child, parent)

    def refuse() -> None:
        raise error("x")

    parent.then = refuse
    child.link.send(kind)
    child.link.send(wire.PONG)
    run(loop)
    assert parent.why == [f"sent nonsense ({name}: {error.__name__}: {error('x')})"]
    assert parent.heard == [(kind, b"")], "what follows is not read"
    assert parent.is_closed()


def test_a_fault_of_our_own_is_none_of_the_peers(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    shake(child, parent)

    def fail() -> None:
        raise RuntimeError

    parent.then = fail
    child.link.send(wire.DONE, b"1")
    with pytest.raises(RuntimeError):
        run(loop)
    assert parent.link.open


def test_of_what_came_at_once_nothing_is_heard_after_an_end(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    shake(child, parent)

    def close() -> None:
        parent.link.close()
        loop.stop()

    parent.then = close
    child.link.send(wire.UP, b"1")
    child.link.send(wire.UP, b"2")
    run(loop)
    assert parent.heard == [(wire.UP, b"1")]


def test_a_quiet_line_changes_nothing_in_the_loop(ends: tuple[End, End], loop: WatchingLoop) -> None:
    child, parent = ends
    shake(child, parent)
    before = loop.changes
    shake(child, parent)
    assert loop.changes == before, "what is written at once needs no waiting for room"
