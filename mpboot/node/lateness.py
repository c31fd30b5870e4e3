"""Which launches take much longer than their siblings did: nothing is to be kept back for them."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Optional

    from mpboot.net.loop import Loop, Timer

LEAST = 0.5  # seconds that a launch may take longer than the slowest so far, at least


class Lateness:
    """Looks when the first may be late. ``begun()``: the launches under way, and when each began, by rank.

    ``late(rank)`` is called for each that is late, at every look. ``slowest``: seconds of the slowest launch elsewhere
    that has led to an agent. 0: none is known, and none is late here before the first has led to one.
    """

    def __init__(
        self, loop: Loop, begun: Callable[[], Dict[int, float]], late: Callable[[int], None], slowest: float = 0.0
    ) -> None:
        self._loop = loop
        self._begun = begun
        self._late = late
        self.slowest = slowest
        self._timer: Optional[Timer] = None

    def succeeded(self, seconds: float) -> None:
        """A launch has led to an agent in so many seconds: from now on others can be late."""
        self.slowest = max(self.slowest, seconds)
        self.watch()

    def watch(self) -> None:
        """Launches may have begun."""
        if self.slowest and self._timer is None and self._begun():
            self._timer = self._loop.later(max(self.slowest, LEAST), self._look)

    def _look(self) -> None:
        self._timer = None
        patience = max(2 * self.slowest, self.slowest + LEAST)
        waited = {rank: monotonic() - begun for rank, begun in self._begun().items()}
        for rank, seconds in waited.items():
            if seconds > patience:
                self._late(rank)
        if any(seconds <= patience for seconds in waited.values()):
            self.watch()
