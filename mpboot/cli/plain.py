"""The lines that tell of a boot where there is no terminal to draw on."""

from __future__ import annotations

from mpboot.cli.counts import Counts

PAUSE = 1.0  # seconds between two lines at least
STILL = 5.0  # seconds after which a line says that nothing is new, and what takes longest
COMMAND, LONGEST = 10.0, 60.0  # the same while nothing but commands run, then after twice as long, up to the second
SINGLE_FAILURES = 20  # failures told one by one; the report has them all


class PlainLines:
    """Decides when a line is due, and which failures have a line of their own."""

    def __init__(self, now: float) -> None:
        """``now``: by the clock whose time is given from then on, in seconds."""
        self._told = ""
        self._told_at = now
        self._still = STILL
        self._failures = 0

    def hurry(self) -> None:
        """Have the next line come at once, even if it says nothing new."""
        self._told = ""
        self._told_at = -PAUSE

    def line(self, counts: Counts, now: float) -> str:
        """The line that is due, or an empty string: a second has not passed, or nothing is new."""
        passed = now - self._told_at
        if passed < PAUSE:
            return ""
        news = counts.news()
        if news != self._told:
            self._still = COMMAND if counts.booted else STILL
            self._told, self._told_at = news, now
            return counts.line()
        if passed < self._still:
            return ""
        self._still = min(LONGEST, 2 * self._still) if counts.booted else STILL
        self._told_at = now
        return counts.line(counts.waits())

    def failure(self, counts: Counts) -> str:
        """The line of the failure that was counted last, or an empty string: there were too many, or the boot ends."""
        if counts.ending:
            return ""
        self._failures += 1
        return counts.last_failure if self._failures <= SINGLE_FAILURES else ""
