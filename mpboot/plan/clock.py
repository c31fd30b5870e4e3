"""A virtual clock: what is foreseen happens in the order of its time, and takes none itself."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Clock:
    """Calls what is foreseen, each at its time.

    What is to happen at the same time happens in the order in which it was foreseen.
    """

    def __init__(self) -> None:
        self.now = 0.0  # seconds
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0

    def at(self, when: float, happen: Callable[..., None], *what: Any) -> None:
        """Call ``happen(*what)`` at a time."""
        self._number += 1
        heappush(self._events, (when, self._number, happen, what))

    def after(self, delay: float, happen: Callable[..., None], *what: Any) -> None:
        """Call ``happen(*what)`` when ``delay`` seconds have gone by."""
        self.at(self.now + delay, happen, *what)

    def run(self) -> None:
        """Let everything happen that is foreseen, and what that leads to."""
        while self._events:
            self.now, _, happen, what = heappop(self._events)
            happen(*what)
