"""A job's standard input through a parent: to each child in order, at the pace of all, a window at most."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net.jobs import STDIN_WINDOW
from mpboot.node.flow import Flow

QUARTER = STDIN_WINDOW // 4


class Through:
    """A flow, and what has come of it."""

    def __init__(self, targets: list[int]) -> None:
        self.sent: dict[int, list[bytes]] = {target: [] for target in targets}
        self.sizes: dict[int, int] = dict.fromkeys(targets, 0)  # bytes that each was sent, and has not taken
        self.taken = 0
        self.size_of: dict[bytes, int] = {}
        self.flow = Flow(targets, self._send, self._taken)

    def put(self, piece: bytes, size: int) -> None:
        self.size_of[piece] = size
        self.flow.put(piece, size)

    def take(self, target: int, count: int) -> None:
        self.sizes[target] -= count
        self.flow.credit(target, count)

    def _send(self, target: int, piece: bytes) -> None:
        self.sent[target].append(piece)
        self.sizes[target] += self.size_of[piece]
        assert self.sizes[target] <= STDIN_WINDOW

    def _taken(self, count: int) -> None:
        self.taken += count


@given(st.lists(st.integers(1, QUARTER), max_size=40), st.integers(1, 4), st.integers(0, 1 << 32))
def test_every_target_gets_all_in_order_and_never_more_than_a_window(sizes: list[int], count: int, seed: int) -> None:
    chance = Random(seed)
    through = Through(list(range(count)))
    put = 0
    waiting = list(enumerate(sizes))
    while waiting or any(through.sizes.values()):
        owing = [target for target, size in through.sizes.items() if size]
        if waiting and put - through.taken + waiting[0][1] <= STDIN_WINDOW and (not owing or chance.random() < 0.5):
            number, size = waiting.pop(0)
            put += size
            through.put(b"%d" % number, size)
        else:
            target = chance.choice(owing)
            most = through.sizes[target]
            through.take(target, chance.choice([most, chance.randint(1, most)]))
    assert all(pieces == [b"%d" % number for number in range(len(sizes))] for pieces in through.sent.values())
    assert 0 <= put - through.taken < QUARTER  # less than a quarter of a window is not told


def test_more_than_was_asked_for_is_refused() -> None:
    through = Through([1, 2])
    through.put(b"all", STDIN_WINDOW)  # is on its way to them, and as much again may wait for that
    through.put(b"again", STDIN_WINDOW)
    with pytest.raises(ValueError, match="more of a standard input"):
        through.put(b"and one", 1)
    assert through.sent == {1: [b"all"], 2: [b"all"]}


def test_who_takes_more_than_it_was_sent_is_refused() -> None:
    through = Through([1])
    through.put(b"ten", 10)
    with pytest.raises(ValueError, match="more than it was sent"):
        through.flow.credit(1, 11)
    through.flow.credit(1, 10)
    with pytest.raises(ValueError, match="more than it was sent"):
        through.flow.credit(1, 1)
    through.flow.credit(7, 1)  # nobody's: it is gone


def test_the_slowest_holds_it_up_until_it_is_gone() -> None:
    through = Through([1, 2])
    through.put(b"all", STDIN_WINDOW)
    assert through.taken == STDIN_WINDOW
    through.put(b"more", QUARTER)
    through.take(1, STDIN_WINDOW)
    assert (through.sent, through.taken) == ({1: [b"all", b"more"], 2: [b"all"]}, STDIN_WINDOW)
    through.flow.drop(2)
    assert through.taken == STDIN_WINDOW + QUARTER
    through.flow.drop(1)
    through.put(b"nobody's", QUARTER)
    assert through.taken == STDIN_WINDOW + 2 * QUARTER
