"""Signals of a boot: they come into its loop, and afterwards everything is as it was."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpboot.head.signals import heeded_early, held_back, signals_into
from mpboot.net.loop import READ, Loop

HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in (*HEEDED, signal.SIGUSR2)]


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The program's own way with signals, and its descriptors, are what they were."""
    before, files = handlers(), open_files()
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    yield
    assert handlers() == before
    assert signal.set_wakeup_fd(wakeup) == wakeup
    assert open_files() <= files + 1  # the loop of the test


@pytest.mark.parametrize("number", HEEDED)
def test_a_signal_comes_into_the_loop(loop: Loop, number: signal.Signals) -> None:
    came: list[int] = []

    def take(one: int) -> None:
        came.append(one)
        loop.stop()

    with signals_into(loop, take):
        os.kill(os.getpid(), number)
        assert came == []  # not at any moment, but when the loop comes to it
        loop.run()
    assert came == [number]


def test_signals_of_one_moment_all_come(loop: Loop) -> None:
    came: list[int] = []

    def take(one: int) -> None:
        came.append(one)
        if len(came) == len(HEEDED):
            loop.stop()

    with signals_into(loop, take):
        for number in HEEDED:
            os.kill(os.getpid(), number)
        loop.run()
    assert sorted(came) == sorted(HEEDED)


def test_more_than_a_pipe_holds_do_no_harm(loop: Loop, capfd: pytest.CaptureFixture[str]) -> None:
    with signals_into(loop, lambda _: None):
        for _ in range(70_000):
            signal.raise_signal(signal.SIGTERM)
    assert capfd.readouterr().err == ""


def test_other_signals_are_their_handlers_business(loop: Loop) -> None:
    came: list[int] = []
    theirs: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: theirs.append(number))
    try:
        with signals_into(loop, came.append):
            os.kill(os.getpid(), signal.SIGUSR2)
            loop.later(0.0, loop.stop)
            loop.run()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert (came, theirs) == ([], [signal.SIGUSR2])


@pytest.mark.parametrize("heeded", [signal.SIGUSR1, signal.SIGHUP])
def test_a_programs_own_handler_of_what_has_none_elsewhere_stays(loop: Loop, heeded: signal.Signals) -> None:
    theirs: list[int] = []
    before = signal.signal(heeded, lambda number, _: theirs.append(number))
    try:
        with signals_into(loop, lambda _: pytest.fail("it is the program's")):
            os.kill(os.getpid(), heeded)
            loop.later(0.0, loop.stop)
            loop.run()
    finally:
        signal.signal(heeded, before)
    assert theirs == [heeded]


def test_a_programs_own_handler_of_sigint_comes_back(loop: Loop) -> None:
    theirs: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: theirs.append(number))
    try:
        with signals_into(loop, lambda _: loop.stop()):
            os.kill(os.getpid(), signal.SIGINT)
            loop.run()
        assert theirs == []
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert theirs == [signal.SIGINT]


def test_a_programs_own_wakeup_descriptor_comes_back(loop: Loop) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write)
    try:
        with signals_into(loop, lambda _: None):
            pass
        assert signal.set_wakeup_fd(before) == write
    finally:
        signal.set_wakeup_fd(before)
        os.close(read)
        os.close(write)


def test_what_only_c_code_could_put_back_is_left_alone(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = handlers()
    with monkeypatch.context() as patch:
        patch.setattr(signal, "getsignal", lambda _: None)  # what it says of a handler that is no Python function
        block = signals_into(loop, lambda _: None)
        block.__enter__()
    assert handlers() == before
    block.__exit__(None, None, None)


def test_the_loop_has_forgotten_the_descriptor(loop: Loop) -> None:
    with signals_into(loop, lambda _: None):
        pass
    read, write = os.pipe()  # numbers that were those of signals
    try:
        loop.watch(read, READ, lambda _: loop.stop())
        os.write(write, b"x")
        loop.run()
    finally:
        os.close(read)
        os.close(write)


def test_all_is_put_back_when_the_block_fails(loop: Loop) -> None:
    with pytest.raises(ZeroDivisionError), signals_into(loop, lambda _: None):
        raise ZeroDivisionError


def test_in_another_thread_signals_are_the_programs_business(loop: Loop) -> None:
    before = handlers()
    seen: list[object] = []

    def boot() -> None:
        with signals_into(loop, lambda _: None):
            seen.extend(handlers())

    thread = threading.Thread(target=boot)
    thread.start()
    thread.join()
    assert seen == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_before_there_is_a_loop_a_signal_ends_the_program_in_order(number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as ended, heeded_early():
        signal.raise_signal(number)
    assert ended.value.code == 128 + number
    assert signal.getsignal(number) == signal.SIG_DFL


def test_before_there_is_a_loop_nothing_is_told(loop: Loop) -> None:
    with heeded_early():
        signal.raise_signal(signal.SIGUSR1)
        came: list[int] = []
        with signals_into(loop, came.append):
            for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM):
                signal.raise_signal(number)
            loop.later(0.0, loop.stop)
            loop.run()
        assert sorted(came) == [signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM]
        signal.raise_signal(signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_a_handler_that_is_there_already_is_left_alone() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with heeded_early():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_nothing_is_heeded_early() -> None:
    seen = []

    def look() -> None:
        with heeded_early():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_what_is_held_back_comes_into_the_loop(loop: Loop) -> None:
    came: list[int] = []
    numbers = [signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGTERM]
    with heeded_early(), held_back():
        for number in numbers:
            signal.raise_signal(number)  # at this thread: another, as a test's, has no mask
        assert signal.sigpending() >= {*numbers}
        with signals_into(loop, came.append):
            loop.later(0.0, loop.stop)
            loop.run()
    assert sorted(came) == sorted(numbers)


def test_what_a_program_has_blocked_stays_so(loop: Loop) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        with held_back(), signals_into(loop, lambda _: None):
            assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGTERM}
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGTERM}
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def test_what_is_held_back_is_heeded_when_it_is_over() -> None:
    with pytest.raises(SystemExit) as ended, heeded_early(), held_back():
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
