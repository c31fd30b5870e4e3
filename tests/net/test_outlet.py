"""Output on its way to the root: never more than a window ahead of the reader, nothing lost, nothing overtaken."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net import wire
from mpboot.net.outlet import SLACK, STDERR, STDOUT, WINDOW, Credits, Outlet, pack_out, unpack_out


class Wire:
    """Stands for a Link: keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []

    def send(self, kind: int, body: bytes = b"") -> None:
        self.sent.append((kind, body))

    @property
    def out(self) -> int:
        return sum(len(body) for kind, body in self.sent if kind == wire.OUT)


def test_an_out_frame_and_back() -> None:
    assert unpack_out(pack_out(100_000, 70_000, 2, b"text\xff\n")) == (100_000, 70_000, 2, b"text\xff\n")
    assert unpack_out(pack_out(0, 1, 1, b"")) == (0, 1, 1, b"")


def test_the_numbers_that_the_manual_names() -> None:
    assert WINDOW == 32 * 1024
    assert SLACK == 16 * 1024
    assert (STDOUT, STDERR) == (1, 2)
    assert pack_out(0x01020304, 0x05060708, STDERR, b"text") == b"\1\2\3\4\5\6\7\x08\2text"


@pytest.mark.parametrize("body", [b"", b"abcdabcd"])
def test_what_is_no_out_frame(body: bytes) -> None:
    with pytest.raises(ValueError, match="too short"):
        unpack_out(body)


def test_no_more_than_a_window_without_credit() -> None:
    link = Wire()
    outlet = Outlet(link.send)
    for _ in range(100):
        outlet.put(b"x" * 1024)
    assert WINDOW <= link.out < WINDOW + 1024
    assert outlet.room == 0
    assert outlet.empty is False
    outlet.grant(10 * 1024)
    assert link.out <= WINDOW + 11 * 1024


def test_credit_eases_who_waits_for_room() -> None:
    link = Wire()
    outlet = Outlet(link.send)
    eased: list[int] = []
    outlet.eased = lambda: eased.append(outlet.room)
    outlet.put(b"x" * WINDOW)
    assert outlet.room == 0
    outlet.put(b"y" * 100)
    outlet.grant(50)
    assert eased == []
    outlet.grant(150)
    assert eased == [100]


def test_an_exit_needs_no_credit_and_overtakes_nothing() -> None:
    link = Wire()
    outlet = Outlet(link.send)
    outlet.put(b"x" * WINDOW)
    outlet.put(b"last words")
    outlet.put_exit(b"[[1,0]]")
    assert [kind for kind, _ in link.sent] == [wire.OUT]
    outlet.grant(1)
    assert link.sent[1:] == [(wire.OUT, b"last words"), (wire.EXIT, b"[[1,0]]")]


def test_an_exit_with_nothing_before_it_goes_at_once_and_costs_nothing() -> None:
    link = Wire()
    outlet = Outlet(link.send)
    outlet.put_exit(b"[[1,0]]")
    assert link.sent == [(wire.EXIT, b"[[1,0]]")]
    assert outlet.room == WINDOW
    assert outlet.empty


def test_who_is_cut_loses_output_and_no_exit() -> None:
    link = Wire()
    outlet = Outlet(link.send)
    outlet.put(pack_out(3, 1, STDOUT, bytes(WINDOW)))
    assert outlet.moved == 1
    outlet.put(pack_out(2, 1, STDOUT, b"late"))
    outlet.put_exit(b"[[2,1,0,0]]")
    outlet.put(pack_out(1, 1, STDERR, b"late"))
    outlet.put(pack_out(2, 1, STDERR, b"late"))
    assert outlet.cut() == [1, 2]
    assert link.sent[1:] == [(wire.EXIT, b"[[2,1,0,0]]")]
    assert outlet.empty
    assert outlet.cut() == []


def test_what_nobody_reads_vanishes_and_nobody_waits() -> None:
    above, below = Wire(), Wire()
    outlet = Outlet(above.send)
    eased: list[int] = []
    outlet.eased = lambda: eased.append(outlet.room)
    for _ in range(4):
        outlet.put(b"x" * WINDOW, Credits(below))  # type: ignore[arg-type]
    before = len(above.sent)
    outlet.void()
    outlet.put(b"y" * WINDOW)
    outlet.put_exit(b"[[1,1,0,0]]")
    assert (len(above.sent), outlet.empty, len(below.sent)) == (before, True, 4)
    assert eased
    assert eased[0] > 1 << 40


def test_credit_goes_back_when_it_is_half_a_window() -> None:
    below = Wire()
    credits = Credits(below)  # type: ignore[arg-type]
    credits.passed_on(WINDOW // 2 - 1)
    assert below.sent == []
    credits.passed_on(1)
    credits.passed_on(WINDOW // 2 - 1)
    assert below.sent == [(wire.CREDIT, b"%d" % (WINDOW // 2))]


def test_a_sender_gets_credit_only_for_what_was_passed_on() -> None:
    above, below = Wire(), Wire()
    outlet = Outlet(above.send)
    credits = Credits(below)  # type: ignore[arg-type]
    for _ in range(4):
        outlet.put(b"x" * (WINDOW // 2), credits)
    assert below.sent == [(wire.CREDIT, b"%d" % (WINDOW // 2))] * 2
    outlet.grant(WINDOW)
    assert len(below.sent) == 4


def test_a_parent_that_goes_gets_no_more_output_and_the_next_all_that_waited() -> None:
    old, new = Wire(), Wire()
    outlet = Outlet(old.send)
    outlet.wait()
    assert outlet.room == 0
    outlet.put(b"waits")
    outlet.put_exit(b"its end")
    assert old.sent == []
    outlet.renew(new.send)
    assert (old.sent, new.sent) == ([], [(wire.OUT, b"waits"), (wire.EXIT, b"its end")])


def test_a_new_parent_owes_a_whole_window() -> None:
    old, new = Wire(), Wire()
    outlet = Outlet(old.send)
    outlet.put(b"x" * WINDOW)
    outlet.put(b"more")
    outlet.renew(new.send)
    assert new.sent == [(wire.OUT, b"more")]
    assert outlet.room == WINDOW - 4


@given(st.lists(st.integers(1, 9000), max_size=60), st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_through_many_levels_all_arrives_and_no_level_holds_more_than_a_window(
    sizes: list[int], speed: list[int]
) -> None:
    """Three agents in a row, a reader that is now and then asleep."""
    depth = 3
    links = [Wire() for _ in range(depth)]  # links[n]: from agent n up
    downs = [Wire() for _ in range(depth)]
    outlets = [Outlet(link.send) for link in links]
    owed = [Credits(down) for down in downs]  # type: ignore[arg-type]
    waiting = deque(bytes([number % 256]) * size for number, size in enumerate(sizes))
    read: list[bytes] = []
    turn = 0
    while waiting or any(link.sent for link in links) or any(down.sent for down in downs):
        while waiting and outlets[0].room >= len(waiting[0]):
            outlets[0].put(waiting.popleft())
        for level in range(depth):
            arrived, links[level].sent = links[level].sent, []
            assert sum(len(body) for _, body in arrived) < WINDOW + 9000
            if level + 1 < depth:
                for _, body in arrived:
                    outlets[level + 1].put(body, owed[level])
                continue
            takes = speed[turn % len(speed)] if turn < 500 else 60
            turn += 1
            links[level].sent = arrived[takes:]
            for _, body in arrived[:takes]:
                read.append(body)
                owed[level].passed_on(len(body))
        for level in range(depth):
            grants, downs[level].sent = downs[level].sent, []
            for _, body in grants:
                outlets[level].grant(int(body))
        assert turn < 5000, "it stands still"
    assert read == [bytes([number % 256]) * size for number, size in enumerate(sizes)]


# -- whoever sends more than it may ----------------------------------------------------------------


def test_a_sender_has_credit_for_a_window_and_no_more() -> None:
    credits = Credits(Wire())  # type: ignore[arg-type]
    credits.taken(WINDOW)
    credits.taken(SLACK)
    with pytest.raises(ValueError, match="more output than it has credit for"):
        credits.taken(1)


def test_what_was_passed_on_may_be_sent_again_once_that_is_told() -> None:
    link = Wire()
    credits = Credits(link)  # type: ignore[arg-type]
    credits.taken(WINDOW + SLACK)
    credits.passed_on(WINDOW // 2 - 1)
    with pytest.raises(ValueError, match="credit"):
        credits.taken(1)  # it can't know yet
    credits = Credits(link)  # type: ignore[arg-type]
    credits.taken(WINDOW + SLACK)
    credits.passed_on(WINDOW // 2)
    assert link.sent == [(wire.CREDIT, b"%d" % (WINDOW // 2))]
    credits.taken(WINDOW // 2)
    with pytest.raises(ValueError, match="credit"):
        credits.taken(1)


@given(st.lists(st.integers(1, SLACK), max_size=60), st.lists(st.booleans(), max_size=60))
def test_who_keeps_to_its_credit_is_never_blamed(sizes: list[int], reads: list[bool]) -> None:
    """Whatever bodies an outlet has to send, of SLACK bytes at most, and however slow the reader is."""
    up, down = Wire(), Wire()
    outlet, credits = Outlet(up.send), Credits(down)  # type: ignore[arg-type]
    for size, read in zip(sizes, [*reads, *([True] * len(sizes))]):
        outlet.put(b"x" * size)
        if read:
            for kind, body in up.sent:
                assert kind == wire.OUT
                credits.taken(len(body))
                credits.passed_on(len(body))
            up.sent.clear()
            for _, granted in down.sent:
                outlet.grant(int(granted))
            down.sent.clear()
