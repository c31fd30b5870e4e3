"""How far a boot is, in numbers and in a line."""

from __future__ import annotations

from mpboot.head.report import HostReport
from mpboot.text import fold, printable

MOST_NAMED = 40  # characters of the names of hosts that are slow


class Counts:
    """How many hosts are up, launching, failed, and whose command has ended."""

    def __init__(self, total: int = 0, command: bool = False) -> None:
        """``total``: hosts to boot; ``command``: is one to run on each?"""
        self.total = total
        self.command = command
        self.launches = self.up = self.failed = self.ended = 0
        self.seconds = 0.0
        self.booted = False
        self.last_failure = ""
        self.ending = ""
        self.slow: set[str] = set()  # hosts that say nothing, though their kernels answer
        self._settled = 0  # launches of hosts that are up or have failed

    @property
    def launching(self) -> int:
        """Hosts whose launch is under way or will be repeated."""
        return max(0, min(self.launches - self._settled, self.total - self.up - self.failed))

    def changed(self, label: str, report: HostReport, was_up: bool) -> None:
        """Count a host that came up, failed, or was up and is lost."""
        self.up += (report.state == "up") - was_up
        if report.state == "up":
            self._settled += report.attempts
            return
        self.failed += 1
        self.slow.discard(label)
        self._settled += 0 if was_up else report.attempts
        lines = [line.strip() for line in report.detail.splitlines() if line.strip()]
        self.last_failure = printable(f"{label} failed: {report.cause}" + (f": {lines[-1]}" if lines else ""))

    def who_is_slow(self) -> str:
        """These hosts by name, as many as there is room for."""
        names = printable(fold(sorted(self.slow)))
        return f"slow: {names[:MOST_NAMED]}{'…' * (len(names) > MOST_NAMED)}"

    def line(self) -> str:
        """All of it in a line."""
        if self.booted and self.command:
            text = f"{self.up} of {self.total} up, the command has ended on {self.ended}"
        else:
            text = f"{self.up} of {self.total} up, {self.launching} launching"
        if self.failed:
            text += f", {self.failed} failed"
        if self.slow:
            text += f", {self.who_is_slow()}"
        return text + f", {self.seconds:.1f} s" + (f", {self.ending}" if self.ending else "")
