"""Which launches take much longer than their siblings did."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import pytest

from mpboot.net.loop import Timer
from mpboot.node import lateness
from mpboot.node.lateness import LEAST, Lateness
from tests.node.played import Rounds


class Clock(Rounds):
    """A loop whose time the test lets pass; all times are from 0 on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.timers: list[Timer] = []

    def later(self, delay: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + delay, call))
        return self.timers[-1]

    def passes(self, until: float) -> None:
        """It is ``until`` by now."""
        while due := [timer for timer in self.timers if timer.when <= until]:
            first = min(due)
            self.timers.remove(first)
            self.now = first.when
            if first.call is not None:
                first.call()
        self.now = until


class Launches:
    """Launches under way, and which of them were called late, when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.begun: dict[int, float] = {}
        self.late: list[tuple[float, int]] = []
        self.watch = Lateness(clock, lambda: self.begun, lambda rank: self.late.append((clock.now, rank)))


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    clock = Clock()
    monkeypatch.setattr(lateness, "monotonic", lambda: clock.now)
    return Launches(clock)


def test_how_much_longer_it_takes() -> None:
    assert LEAST == 0.5


def test_nothing_is_late_before_the_first_success(launches: Launches) -> None:
    launches.begun = {1: 0.0}
    launches.clock.passes(1000.0)
    assert launches.late == []
    assert launches.clock.timers == []


def test_before_the_first_success_what_others_took_counts(launches: Launches) -> None:
    launches.watch.slowest = 0.4
    launches.begun = {1: 0.0}
    launches.watch.watch()
    launches.clock.passes(0.8999)
    assert launches.late == []
    launches.clock.passes(1.5)
    assert launches.late == [(1.0, 1)]


def test_one_that_begins_when_all_others_are_late(launches: Launches) -> None:
    launches.begun = {1: 0.0}
    launches.watch.succeeded(0.2)
    launches.clock.passes(5.0)
    assert launches.clock.timers == []
    launches.begun[2] = 5.0
    launches.watch.watch()
    launches.watch.watch()
    assert len(launches.clock.timers) == 1
    launches.clock.passes(7.0)
    assert launches.late[-1] == (6.0, 2)


def test_late_is_what_takes_half_a_second_more_than_the_slowest(launches: Launches) -> None:
    launches.begun = {1: 0.0, 2: 0.1}
    launches.clock.passes(0.1)
    launches.watch.succeeded(0.1)
    launches.clock.passes(0.5999)
    assert launches.late == []
    launches.clock.passes(0.6)  # the first look: neither is late
    assert launches.late == []
    launches.clock.passes(1.1)
    assert launches.late == [(1.1, 1), (1.1, 2)]
    launches.clock.passes(100.0)
    assert len(launches.late) == 2
    assert launches.clock.timers == []


def test_late_is_what_takes_twice_as_long_as_the_slowest(launches: Launches) -> None:
    launches.begun = {1: 0.0, 2: 1.5}
    launches.clock.passes(2.0)
    launches.watch.succeeded(2.0)
    launches.watch.succeeded(0.1)  # a quick one does not make the others late
    launches.clock.passes(4.0)
    assert launches.late == []
    launches.clock.passes(6.0)
    assert launches.late == [(6.0, 1), (6.0, 2)]


def test_as_long_as_one_is_not_late_there_is_another_look(launches: Launches) -> None:
    launches.begun = {1: 0.0}
    launches.watch.succeeded(0.2)
    launches.clock.passes(0.6)
    launches.begun[2] = 0.6
    launches.clock.passes(1.0)
    assert launches.late == [(1.0, 1)]
    launches.clock.passes(1.6)
    assert launches.late == [(1.0, 1), (1.5, 1), (1.5, 2)]
    assert launches.clock.timers == []


def test_there_is_one_look_at_a_time(launches: Launches) -> None:
    launches.begun = {1: 0.0}
    for _ in range(3):
        launches.watch.succeeded(0.1)
    assert len(launches.clock.timers) == 1


def test_nobody_looks_where_nothing_is_under_way(launches: Launches) -> None:
    launches.watch.succeeded(0.1)
    assert launches.clock.timers == []
    launches.begun = {1: 0.0}
    launches.watch.succeeded(0.1)
    launches.begun = {}
    launches.clock.passes(1.0)
    assert launches.clock.timers == []
    launches.begun = {2: 1.0}
    launches.watch.succeeded(0.1)
    launches.clock.passes(2.0)
    assert launches.late == [(2.0, 2)]


def test_in_a_real_loop(monkeypatch: pytest.MonkeyPatch, loop: Rounds) -> None:
    monkeypatch.setattr(lateness, "LEAST", 0.01)
    late: list[int] = []
    watch = Lateness(loop, lambda: {7: monotonic() - 1.0}, late.append)
    watch.succeeded(0.001)
    loop.until(lambda: late)
    assert late == [7]
