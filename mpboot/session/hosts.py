"""The hosts of a session as its clients see them: which are up, since when, and why the others are not."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mpboot.head.boot import Boot
from mpboot.head.report import HostReport
from mpboot.tree import causes

UP, LOST, FAILED, BOOTING = "up", "lost", "failed", "booting"


def state_of(report: HostReport) -> str:
    """The word by which clients call a host's state."""
    if report.state == "up":
        return UP
    if report.state == "failed":
        return LOST if report.cause == causes.LOST else FAILED
    return BOOTING


class Hosts:
    """Looks at a boot's report; ``changed`` is to be called when a host's state has."""

    def __init__(self, boot: Boot) -> None:
        self._boot = boot
        self._since: dict[str, float] = {}  # seconds since the boot began
        self._pids: dict[str, int] = {}  # of agents that are up
        self._ranks: dict[str, int] = {}

    def changed(self, label: str) -> None:
        """A host came up, or failed; or a command has begun there."""
        report = self._boot.report.hosts[label]
        pid = report.pid if report.state == "up" else 0
        if not pid or self._pids.get(label) != pid:
            self._since[label] = round(self._boot.elapsed, 3)
        self._pids[label] = pid

    def rank(self, label: str) -> int:
        """Its rank. KeyError for a host that is not in the session."""
        if label in self._boot.growth.left:
            raise KeyError(label)
        if label not in self._ranks:
            self._ranks = {host.label: rank for rank, host in enumerate(self._boot.hosts)}
        return self._ranks[label]

    def labels(self) -> list[str]:
        """All that are in the session, in their order."""
        left = self._boot.growth.left
        return [label for label in self._boot.report.hosts if label not in left]

    def is_up(self, label: str) -> bool:
        """Is its agent up?"""
        return self._boot.report.hosts[label].state == UP

    def why(self, label: str) -> tuple[str, str]:
        """Cause and detail of one that is not up."""
        report = self._boot.report.hosts[label]
        return (report.cause, report.detail) if report.cause else (BOOTING, "it is being booted")

    def counts(self) -> dict[str, int]:
        """How many are up, lost, failed, booting."""
        found = Counter(state_of(self._boot.report.hosts[label]) for label in self.labels())
        return {state: found[state] for state in (UP, LOST, FAILED, BOOTING)}

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """What `nodes` shows of each."""
        return {label: self._row(label) for label in self.labels()}

    def _row(self, label: str) -> dict[str, Any]:
        report = self._boot.report.hosts[label]
        state, since = state_of(report), self._since.get(label, 0.0)
        if state == UP:
            return {"state": UP, "rank": self.rank(label), "parent": report.parent, "level": report.level,
                    "pid": report.pid, "since": since}  # fmt: skip
        cause, detail = self.why(label)
        return {"state": state, "cause": cause, "detail": detail, "since": since}
