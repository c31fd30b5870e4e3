"""Waiting for what gives no event: what other processes do."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Callable, TypeVar

T = TypeVar("T")


def until(met: Callable[[], T], seconds: float = 10.0, why: Callable[[], str] = lambda: "never happened") -> T:
    """What ``met`` returns once that is true or not empty. AssertionError after ``seconds``, with what ``why`` says."""
    end = monotonic() + seconds
    while True:
        result = met()
        if result:
            return result
        assert monotonic() < end, why()
        sleep(0.01)
