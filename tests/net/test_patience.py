"""Slow is not gone: what is thought of a peer that says nothing, and what the kernel knows of it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net import kernel, patience
from mpboot.net.patience import ALIVE, ASK, DEAD, LONG, MUTE, SLOW, judge, missed

SECONDS = st.floats(0.0, 1000.0)
LIMIT = st.floats(0.1, 60.0)
OWED = st.none() | SECONDS


def test_the_numbers() -> None:
    assert (ASK, MUTE, LONG) == (0.8, 3.0, 6.0)
    assert ALIVE < SLOW < DEAD


# -- the rule --------------------------------------------------------------------------------------


@given(SECONDS, OWED, LIMIT)
def test_who_is_heard_lives_whatever_its_kernel_owes(silent: float, owed: float | None, limit: float) -> None:
    assert (judge(silent, owed, limit) == ALIVE) == (silent <= limit)


@given(SECONDS, LIMIT)
def test_who_acknowledges_has_long_and_not_for_ever(silent: float, limit: float) -> None:
    verdict = judge(silent, 0.0, limit)
    assert (verdict == DEAD) == (silent > LONG * limit)


@given(SECONDS, SECONDS, LIMIT)
def test_who_acknowledges_nothing_is_dead_as_soon_as_it_may_be(silent: float, owed: float, limit: float) -> None:
    if silent > limit and owed > limit:
        assert judge(silent, owed, limit) == DEAD


@given(SECONDS, LIMIT)
def test_where_nobody_can_be_asked_it_is_in_between(silent: float, limit: float) -> None:
    verdict = judge(silent, None, limit)
    assert (verdict == DEAD) == (silent > MUTE * limit)
    assert judge(silent, 1000.0, limit) >= verdict >= judge(silent, 0.0, limit)


@given(SECONDS, SECONDS, OWED, LIMIT)
def test_more_silence_is_never_more_life(one: float, other: float, owed: float | None, limit: float) -> None:
    less, more = sorted((one, other))
    assert judge(less, owed, limit) <= judge(more, owed, limit)


@given(SECONDS, SECONDS, SECONDS, LIMIT)
def test_a_longer_debt_is_never_more_life(silent: float, one: float, other: float, limit: float) -> None:
    less, more = sorted((one, other))
    assert judge(silent, less, limit) <= judge(silent, more, limit)


@given(SECONDS, LIMIT)
def test_what_was_missed_is_no_more_than_the_time_that_went_by(since: float, beat: float) -> None:
    lost = missed(since, beat)
    assert 0.0 <= lost <= since
    assert since - lost == pytest.approx(2 * beat) or lost == 0.0
    assert (lost == 0.0) == (since <= 2 * beat)


# -- the kernel's word -----------------------------------------------------------------------------


def info(probes: int = 0, unacked: int = 0, last_ack: int = 0, retries: int = 0, timeout: int = 200_000) -> bytes:
    numbers = [0] * 13
    numbers[0], numbers[4], numbers[12] = timeout, unacked, last_ack
    return bytes((1, 0, retries, probes, 0, 0, 0, 0)) + b"".join(one.to_bytes(4, sys.byteorder) for one in numbers)


@given(st.integers(0, 255), st.integers(0, 1 << 31), st.integers(0, 1 << 31))
def test_what_is_owed_is_counted_from_the_last_acknowledgement(probes: int, unacked: int, last_ack: int) -> None:
    owed = patience.unanswered(info(probes, unacked, last_ack))
    assert owed == (last_ack / 1000 if probes or unacked else 0.0)


@given(st.integers(0, 9), st.integers(100_000, 1_000_000), st.floats(0.0, 1.0))
def test_one_that_hears_nothing_and_is_heard_owes_as_well(retries: int, first: int, part: float) -> None:
    """Never more than it does: the same was sent again so often, each time after twice as long as before."""
    timeout = first << retries
    since = sum(first << at for at in range(retries)) + part * timeout  # until the next time
    owed = patience.unanswered(info(unacked=1, last_ack=100, retries=retries, timeout=timeout))
    assert owed is not None
    assert owed * 1e6 <= max(since, 100_000) + 1
    assert owed * 1e6 >= since / 3 or owed == 0.1 or retries == 0


@given(st.binary(max_size=200))
def test_whatever_a_kernel_says_is_read(data: bytes) -> None:
    owed = patience.unanswered(data)
    assert (owed is None) == (len(data) < 60)
    assert owed is None or owed >= 0.0


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname(), 20)
        far, _ = server.accept()
        with near, far:
            yield near, far


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_kernel_answers_for_a_process_that_reads_nothing(connected: tuple[socket.socket, socket.socket]) -> None:
    near, _ = connected
    for _ in range(5):
        near.sendall(b"are you there?")
    until_answered(near.fileno())
    near.sendall(b"and now?")
    assert near.fileno() >= 0  # it is not closed by being asked about


def until_answered(fd: int) -> None:
    """Loopback acknowledges in no time, or 40 ms later: pytest-timeout stands behind."""
    while kernel.unanswered(fd) != 0.0:
        pass


def test_of_what_is_no_connection_nobody_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    one, other = socket.socketpair()
    with one, other:
        assert [kernel.unanswered(fd) for fd in (read, write, one.fileno())] == [None] * 3
        monkeypatch.delattr("_socket.TCP_INFO")
        assert kernel.unanswered(one.fileno()) is None
        one.sendall(b"x")
        assert other.recv(1) == b"x"
    os.close(read)
    os.close(write)
