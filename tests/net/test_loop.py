"""The loop: descriptors, timers, and what is put off to the end of a round."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

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
