"""Who is to leave whom in a chain of hosts, by what they have told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpboot.session.laggards import SOON, WHILE, Laggards

MB = 1 << 20
SIZE = 250 * MB


class Chain:
    """h0 asks the head, each other the one before it.

    ``rate(host, of, second)``: MB that come to it from number ``of`` (-1: the head) in that second, if it has as many.
    """

    def __init__(self, hosts: int, rate: Callable[[int, int, int], float], size: int = SIZE, first: int = 0) -> None:
        self.judged = Laggards(size)
        self.of = {f"h{number}": f"h{number - 1}" if number else "" for number in range(hosts)}
        self.has = [first / MB, *[0.0] * (hosts - 1)]
        self._rate, self._size = rate, size
        self._at = 0
        for host, has in zip(self.of, self.has):
            self.judged.hear(host, int(has * MB), "", 0.0)

    def run(self, seconds: int) -> list[tuple[str, str]]:
        """Who is told to leave whom in that time; they do, for the one before that."""
        found = []
        for _ in range(seconds):
            self._at += 1
            for number, host in enumerate(self.of):
                of = int(self.of[host][1:] or -1)
                most = self.has[of] if of >= 0 else self._size / MB
                self.has[number] = min(most, self.has[number] + self._rate(number, of, self._at))
                self.judged.hear(host, int(self.has[number] * MB), self.of[host], float(self._at))
            pairs = self.judged.judge(
                [host for number, host in enumerate(self.of) if self.has[number] < self._size / MB], float(self._at)
            )
            for host, left in pairs:
                self.of[host] = self.of[left] if left else f"h{int(host[1:]) - 1}"
            found += pairs
        return found


def test_where_all_are_alike_nobody_is_left() -> None:
    assert Chain(5, lambda *_: 100.0).run(30) == []


@pytest.mark.parametrize("rate", [1.0, 0.01, 0.0])
def test_where_the_heads_link_is_slow_only_one_tries_it(rate: float) -> None:
    """The second host gets no more there than the first: so it goes back, and all is as it was."""
    chain = Chain(5, lambda _, of, __: rate / 2 if of < 0 and chain.of["h1"] == "" else rate)
    assert chain.run(40) == [("h1", "h0"), ("h1", "")]
    assert chain.of["h1"] == "h0"


def test_a_first_one_that_is_slow_is_gone_round() -> None:
    chain = Chain(5, lambda host, *_: 0.1 if host == 0 else 10.0)
    assert chain.run(40) == [("h1", "h0")]
    assert chain.has[4] == SIZE / MB


def test_one_that_sends_slowly_is_left_by_who_asks_it() -> None:
    chain = Chain(5, lambda _, of, __: 0.02 if of == 2 else 10.0)
    assert chain.run(int(WHILE) + 2) == [("h3", "h2")]


def test_one_that_is_slow_itself_is_left_by_all_who_ask_it() -> None:
    """Wherever it asks: so it is tried with another first. Who asks it is held up by it, and no more than it."""
    chain = Chain(6, lambda host, *_: 0.02 if host == 3 else 10.0)
    assert chain.run(20) == [("h3", "h2"), ("h4", "h3")]
    assert chain.of["h4"] == "h1"


def test_one_that_is_half_as_fast_is_nobodys_fault() -> None:
    assert Chain(4, lambda host, *_: 5.0 if host == 2 else 10.0).run(60) == []


def test_who_is_done_soon_is_left_alone() -> None:
    chain = Chain(3, lambda host, *_: 20.0 if host <= 1 else 1.0, 40 * MB)
    assert chain.run(8) == [("h2", "h1")]
    last = Chain(3, lambda host, _, at: 20.0 if host <= 1 else 26.0 if at == 2 else 14 / SOON, 40 * MB)
    assert last.run(8) == []


def test_a_pause_of_all_is_no_slowness() -> None:
    """The head's disk stands still for a while, and what is before it goes on: at most one tries the head meanwhile."""
    assert Chain(4, lambda _, __, second: 0.0 if 5 <= second < 15 else 10.0).run(40) == [("h1", "h0"), ("h1", "")]


def test_who_had_all_from_the_beginning_tells_nothing_of_the_link() -> None:
    assert Chain(3, lambda *_: 1.0, first=SIZE).run(30) == []


def test_nobody_is_told_twice() -> None:
    chain = Chain(4, lambda host, *_: 10.0 if host <= 1 else 0.02)
    told = chain.run(60)
    assert len(told) == len(set(told))
