"""Signals while a boot runs: INT, TERM, HUP and USR1 come into its loop. What they mean is not known here."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any, Callable

from mpboot.net.loop import READ, Loop

_MOST = 64  # signals that are read at once
_held: set[signal.Signals] = set()  # by ``held_back``
came: set[int] = set()  # all that has come so


@contextmanager
def signals_into(loop: Loop, told: Callable[[int], None]) -> Iterator[None]:
    """Within the block, ``told(number)`` is called in the loop for each signal that came; then all is as it was.

    Nothing is done in a thread that is not the main one: there, signals are the program's own business.
    """
    handlers: dict[signal.Signals, Any] = {}

    def ready(_: int) -> None:
        for number in os.read(read, _MOST):
            if number in handlers:
                came.add(number)
                told(number)

    if current_thread() is not main_thread():
        yield
        return
    read, write = os.pipe()  # first: where there is no descriptor, nothing has been changed yet
    try:
        for fd in (read, write):
            os.set_blocking(fd, False)
        loop.watch(read, READ, ready)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        try:
            for number in _wanted():
                handlers[number] = signal.signal(number, lambda *_: None)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _held)
            yield
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
    finally:
        loop.forget(read)
        os.close(read)
        os.close(write)


@contextmanager
def heeded_early() -> Iterator[None]:
    """Within the block TERM and HUP end the program with 128 + n wherever it is, as INT does, and USR1 does nothing.

    That is for whoever begins something before there is a loop for ``signals_into``, which then has them.
    """
    if current_thread() is not main_thread():
        yield
        return
    early = {signal.SIGTERM: _end, signal.SIGHUP: _end, signal.SIGUSR1: _pass}
    taken = [number for number in early if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, early[number])
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def held_back() -> Iterator[None]:
    """Signals wait until ``signals_into`` has them, or the block ends: something has begun that they are meant for."""
    wanted = _wanted() if current_thread() is main_thread() else []
    _held.update({*wanted} - {*signal.pthread_sigmask(signal.SIG_BLOCK, wanted)})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _held)
        _held.clear()


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _pass(_number: int, _: object) -> None:
    """Nothing is shown yet."""


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Within the block no SIGINT is heeded: one that came is heeded behind it, so nothing is left half started."""
    handler = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or not callable(handler):
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if came:
        signal.raise_signal(signal.SIGINT)


def _wanted() -> list[signal.Signals]:
    """INT and TERM, unless only C code could put their handlers back; HUP and USR1, unless they have one.

    HUP is not to be heeded where it is ignored, as under nohup.
    """
    wanted = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not None]
    free = (signal.SIG_DFL, _end, _pass)
    unclaimed = [number for number in (signal.SIGHUP, signal.SIGUSR1) if signal.getsignal(number) in free]
    return wanted + unclaimed
