"""The loop: descriptors, timers, and what is put off to the end of a round."""

from __future__ import annotations

import os
import random
import select
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mpboot.net.loop import READ, WRITE, Loop


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def test_timers_fire_in_order_and_cancelled_ones_never() -> None:
    loop = Loop()
    fired: list[int] = []
    loop.later(0.02, loop.stop)
    loop.later(0.01, lambda: fired.append(2))
    loop.later(0.0, lambda: fired.append(1))
    loop.later(0.005, lambda: fired.append(9)).cancel()
    loop.run()
    assert fired == [1, 2]


def test_a_timeout_does_not_pass_before_what_came_meanwhile_is_read(pipe: tuple[int, int]) -> None:
    loop = Loop()
    said: list[str] = []

    def take_long() -> None:
        end = time.monotonic() + 0.02
        os.write(pipe[1], b"x")
        while time.monotonic() < end:
            pass
        loop.soon(lambda: said.append("worked"))

    def read(_: int) -> None:
        said.append("read")
        os.read(pipe[0], 1)
        loop.stop()

    loop.watch(pipe[0], READ, read)
    loop.later(0.0, take_long)
    loop.later(0.01, lambda: said.append("timed out"))
    loop.run()
    assert said[:2] == ["worked", "read"]


def test_soon_is_after_the_round_and_before_the_next_wait() -> None:
    loop = Loop()
    said: list[str] = []

    def first() -> None:
        loop.soon(lambda: said.append("soon"))
        loop.soon(lambda: loop.soon(loop.stop))
        said.append("first")

    loop.later(0.0, first)
    loop.run()
    assert said == ["first", "soon"]


def test_a_descriptor_calls_with_its_events(pipe: tuple[int, int]) -> None:
    loop = Loop()
    read, write = pipe
    events: list[int] = []

    def readable(event: int) -> None:
        events.append(event)
        os.read(read, 10)
        loop.stop()

    def writable(event: int) -> None:
        events.append(event)
        loop.forget(write)
        os.write(write, b"x")

    loop.watch(read, READ, readable)
    loop.watch(write, WRITE, writable)
    loop.run()
    assert events == [WRITE, READ]


def test_what_was_forgotten_in_the_same_round_is_not_called() -> None:
    loop = Loop()
    pipes = [os.pipe(), os.pipe()]
    called: list[int] = []

    def ready(fd: int) -> None:
        called.append(fd)
        for read, _ in pipes:
            loop.forget(read)
        loop.stop()

    for read, write in pipes:
        os.write(write, b"x")
        loop.watch(read, READ, lambda _, fd=read: ready(fd))  # type: ignore[misc]
    loop.run()
    assert len(called) == 1
    for ends in pipes:
        for fd in ends:
            os.close(fd)


def test_forgetting_what_was_never_watched_is_fine(pipe: tuple[int, int]) -> None:
    loop = Loop()
    loop.forget(pipe[0])
    loop.forget(-1)


def test_many_timers_fire_in_their_order() -> None:
    loop = Loop()
    fired: list[float] = []
    delays = [float(at) for at in range(-100, 0)]  # all are overdue
    random.Random(1).shuffle(delays)
    for delay in delays:
        loop.later(delay, lambda delay=delay: fired.append(delay))  # type: ignore[misc]
    loop.later(0.0, loop.stop)
    loop.run()
    assert fired == sorted(delays)


def test_what_is_put_off_by_the_last_round_is_done() -> None:
    loop = Loop()
    said: list[str] = []

    def last() -> None:
        loop.stop()
        loop.soon(lambda: said.append("soon"))

    loop.later(0.0, last)
    loop.later(0.0, lambda: said.append("same round"))
    loop.later(30.0, lambda: said.append("never"))
    loop.run()
    assert said == ["same round", "soon"]


def test_to_watch_again_changes_the_events_and_the_call(pipe: tuple[int, int]) -> None:
    loop = Loop()
    _, write = pipe
    loop.watch(write, READ, lambda _: pytest.fail("the first call"))
    loop.watch(write, WRITE, lambda _: loop.stop())
    loop.run()


def test_what_is_forgotten_is_not_called_and_may_be_watched_again(pipe: tuple[int, int]) -> None:
    loop = Loop()
    read, write = pipe
    os.write(write, b"x")
    loop.watch(read, READ, lambda _: pytest.fail("it was forgotten"))
    loop.forget(read)
    loop.later(0.0, lambda: loop.watch(read, READ, lambda _: loop.stop()))
    loop.run()


def test_forgetting_what_is_closed_already_is_fine() -> None:
    loop = Loop()
    read, write = os.pipe()
    loop.watch(read, READ, lambda _: None)
    os.close(read)
    loop.forget(read)
    os.close(write)


@pytest.mark.parametrize(("end", "events"), [(0, READ), (1, WRITE)])
def test_the_end_of_the_far_side_is_for_whoever_waits(end: int, events: int) -> None:
    loop = Loop()
    ends = os.pipe()
    called: list[int] = []
    os.close(ends[1 - end])
    loop.watch(ends[end], events, called.append)
    loop.later(0.0, loop.stop)
    loop.run()
    os.close(ends[end])
    assert called == [events]


@pytest.mark.parametrize("wanted", [READ, WRITE, READ | WRITE])
def test_of_the_events_only_those_that_are_wanted_are_told(wanted: int) -> None:
    loop = Loop()
    ours, theirs = socket.socketpair()
    called: list[int] = []
    theirs.close()
    loop.watch(ours.fileno(), wanted, called.append)
    loop.later(0.0, loop.stop)
    loop.run()
    ours.close()
    assert called == [wanted]


def test_of_what_is_wanted_only_what_is_ready_is_told() -> None:
    loop = Loop()
    ours, theirs = socket.socketpair()
    called: list[int] = []
    loop.watch(ours.fileno(), READ | WRITE, called.append)
    loop.later(0.0, loop.stop)
    loop.run()
    ours.close()
    theirs.close()
    assert called == [WRITE]


# -- what waits ------------------------------------------------------------------------------------


class Poller:
    """Stands before a real one: keeps how long it was to wait."""

    waits: list[float | None]

    def __init__(self, make: Callable[[], Any]) -> None:
        self._real = make()
        self.waits = []

    def poll(self, timeout: float | None) -> Any:
        self.waits.append(timeout)
        return self._real.poll(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize(("kind", "second"), [("epoll", 1), ("poll", 1000)])
def test_it_waits_for_the_next_timer_and_no_longer(
    kind: str, second: int, monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]
) -> None:
    """…and for ever where there is none. BSD and macOS have no epoll, and poll counts in milliseconds."""
    made: list[Poller] = []
    make = getattr(select, kind)

    def poller() -> Poller:
        made.append(Poller(make))
        return made[0]

    monkeypatch.delattr(select, "epoll")
    monkeypatch.setattr(select, kind, poller, raising=False)
    loop = Loop()
    loop.later(5.0, lambda: None).cancel()
    loop.later(9.0, lambda: None)
    loop.watch(pipe[1], WRITE, lambda _: loop.stop())
    loop.run()
    (wait,) = made[0].waits
    assert wait is not None
    assert 8.0 * second < wait <= 9.0 * second


def test_it_waits_for_ever_where_there_is_no_timer(monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]) -> None:
    made = Poller(select.poll)
    monkeypatch.delattr(select, "epoll")
    monkeypatch.setattr(select, "poll", lambda: made)
    loop = Loop()
    loop.later(1.0, lambda: None).cancel()
    loop.watch(pipe[1], WRITE, lambda _: loop.stop())
    loop.run()
    assert made.waits == [None]


def test_a_timer_that_is_overdue_does_not_make_it_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Poller(select.poll)
    monkeypatch.delattr(select, "epoll")
    monkeypatch.setattr(select, "poll", lambda: made)
    loop = Loop()
    loop.later(-5.0, loop.stop)
    loop.run()
    assert made.waits == [0.0]
