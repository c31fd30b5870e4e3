"""How far a boot is, in numbers and in a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from mpboot.text import fold, printable

if TYPE_CHECKING:
    from mpboot.head.observer import Launching, Look
    from mpboot.head.report import HostReport

MOST_NAMED = 40  # characters of the names of hosts that are slow
MOST_RUNNING = 32  # hosts that are named at once of those where the command runs


class Counts:
    """How many hosts are up, launching, failed, whose command has ended; and what takes long."""

    def __init__(self, total: int = 0, command: bool = False) -> None:
        """``total``: hosts to boot; ``command``: is one to run on each?"""
        self.total = total
        self.command = command
        self.launches = self.up = self.failed = self.ended = self.ended_badly = 0
        self.seconds = 0.0
        self.booted = False
        self.is_job = False  # nothing is booted: a command alone runs
        self.last_failure = ""
        self.ending = ""
        self.slow: set[str] = set()  # hosts that say nothing, though their kernels answer
        self.running: dict[str, None] = {}  # hosts on which the command runs, as far as that is known
        self.look: Look | None = None  # the last one at the launches under way
        self._looked = 0.0  # when, in seconds since the boot began
        self._gone: set[str] = set()  # hosts of it that are up or have failed since
        self._named: tuple[list[str], str] = ([], "")  # hosts, and what they were called last
        self._settled = 0  # launches of hosts that are up or have failed

    @property
    def launching(self) -> int:
        """Hosts whose launch is under way or will be repeated."""
        return max(0, min(self.launches - self._settled, self.total - self.up - self.failed))

    @property
    def retrying(self) -> int:
        """Those of them that have been tried before, by the last look."""
        return min(self.look.again, self.launching) if self.look is not None and not self.booted else 0

    @property
    def under_way(self) -> int:
        """Launches under way: those of the last look, without hosts that are up or have failed since."""
        if self.look is None:
            return 0
        return self.look.count - sum(one.host in self._gone for one in self.look.longest)

    def changed(self, label: str, report: HostReport, was_up: bool) -> None:
        """Count a host that came up, failed, or was up and is lost."""
        self.up += (report.state == "up") - was_up
        self._gone.add(printable(label))
        if report.state == "up":
            self._settled += report.attempts
            if report.begun:
                self.running[label] = None
            return
        self.failed += 1
        self.slow.discard(label)
        self.running.pop(label, None)
        self._settled += 0 if was_up else report.attempts
        lines = [line.strip() for line in report.detail.splitlines() if line.strip()]
        self.last_failure = printable(f"{label} failed: {report.cause}" + (f": {lines[-1]}" if lines else ""))

    def exited(self, label: str, code: int | None) -> None:
        """The command has ended on a host."""
        self.ended += 1
        self.ended_badly += code != 0
        self.running.pop(label, None)

    def looked(self, look: Look) -> None:
        """Take in a look at the launches, made just now."""
        self.look, self._looked, self._gone = look, self.seconds, set()

    def longest(self) -> list[Launching]:
        """The launches that take longest, with their times as they are by now."""
        if self.look is None:
            return []
        since = max(0.0, self.seconds - self._looked)
        return [
            replace(one, seconds=one.seconds + since, left=None if one.left is None else max(0.0, one.left - since))
            for one in self.look.longest
            if one.host not in self._gone
        ]

    def who_is_slow(self) -> str:
        """These hosts by name, as many as there is room for."""
        names = _named(sorted(self.slow))
        return f"slow: {names[:MOST_NAMED]}{'…' * (len(names) > MOST_NAMED)}"

    def who_runs(self) -> str:
        """On which hosts the command runs: some of them by name, where there are many."""
        hosts = list(islice(self.running, MOST_RUNNING))
        if hosts != self._named[0]:  # it is asked with every frame, and to fold names takes ten times as long as that
            self._named = hosts, _named(hosts)
        more = len(self.running) - len(hosts)
        return f"{self._named[1]}{f' and {more} more' * (more > 0)}"

    def news(self) -> str:
        """All of it in a line, but for the time."""
        if self.booted and self.command:
            text = f"{self.up} of {self.total} up, the command has ended on {self.ended}"
        else:
            text = f"{self.up} of {self.total} up, {self.launching} launching"
        if self.failed:
            text += f", {self.failed} failed"
        if self.slow:
            text += f", {self.who_is_slow()}"
        return text

    def line(self, more: str = "") -> str:
        """All of it in a line; ``more`` comes last."""
        return f"{self.news()}, {self.seconds:.1f} s{f', {self.ending}' if self.ending else ''}{more}"

    def waits(self) -> str:
        """What takes longest, for the end of a line; empty if nobody has looked."""
        if self.booted:
            return f"; it runs on {self.who_runs()}" if self.command and self.running else ""
        longest = self.longest()
        if not longest:
            return ""
        one = longest[0]
        told = [one.host, f"attempt {one.attempt}", one.phase, f"{one.seconds:.0f} s"]
        if one.left is not None:
            told.append(f"gives up in {one.left:.0f} s")
        return f"; longest: {', '.join(filter(None, told))}"


def _named(hosts: Iterable[str]) -> str:
    return printable(fold(hosts))
