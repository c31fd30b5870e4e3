"""What came of a boot: one record a host, the JSON that programs read (the contract), the table people read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ._version import __version__

HEAD = -1  # the head's rank


@dataclass
class HostReport:
    """One host: ``state`` is "up", "failed", or "pending" while the boot runs. Times: seconds since its start."""

    attributes: dict[str, object] = field(default_factory=dict)
    state: str = "pending"
    parent: str = ""
    level: int = 0
    attempts: int = 0
    launched: float = 0.0
    up: float = 0.0
    pid: int = 0
    python: str = ""
    exit: int | None = None
    cause: str = ""
    phase: str = ""
    launcher: str = ""
    detail: str = ""
    evidence: str = ""

    def come_up(
        self, parent: str, level: int, launched: float, up: float, pid: int, attempts: int, python: str
    ) -> None:
        """The host's agent is up."""
        self.state, self.cause = "up", ""
        self.parent, self.level, self.launched, self.up = parent, level, launched, up
        self.pid, self.attempts, self.python = pid, attempts, python

    def fail(self, cause: str, phase: str, attempts: int, launcher: str, detail: str, evidence: str) -> None:
        """The host failed for good; ``evidence``: the last of rsh's stderr."""
        self.state = "failed"
        self.cause, self.phase, self.attempts, self.launcher = cause, phase, attempts, launcher
        self.detail, self.evidence = detail, evidence

    def to_dict(self) -> dict[str, object]:
        """As the contract has it, and the hostfile's attributes."""
        if self.state == "up":
            told: dict[str, object] = {
                "state": "up", "parent": self.parent, "level": self.level, "attempts": self.attempts,
                "launched": self.launched, "up": self.up, "pid": self.pid, "python": self.python,
            }  # fmt: skip
        else:
            told = {
                "state": self.state, "cause": self.cause, "phase": self.phase, "attempts": self.attempts,
                "launcher": self.launcher, "detail": self.detail, "evidence": self.evidence,
            }  # fmt: skip
        if self.exit is not None:
            told["exit"] = self.exit
        return {**told, **self.attributes}


@dataclass
class BootReport:
    """A boot: ``hosts`` by label, in the hostfile's order; ``seconds`` until all were up or had failed."""

    topology: str
    children: int | str
    hosts: dict[str, HostReport]
    seconds: float = 0.0
    strangers: int = 0
    ended_by: str = ""  # "", or what ended the boot early: interrupted, deadline, lost
    warnings: list[str] = field(default_factory=list)

    @property
    def up(self) -> int:
        """How many hosts are up."""
        return sum(report.state == "up" for report in self.hosts.values())

    @property
    def failed(self) -> int:
        """How many hosts are not."""
        return len(self.hosts) - self.up

    def to_dict(self) -> dict[str, Any]:
        """The object that --json writes."""
        return {
            "mpboot": __version__, "topology": self.topology, "children": self.children, "seconds": self.seconds,
            "up": self.up, "failed": self.failed,
            "hosts": {label: report.to_dict() for label, report in self.hosts.items()},
            "strangers": self.strangers,
        }  # fmt: skip

    def to_json(self) -> str:
        """to_dict as text."""
        return json.dumps(self.to_dict(), indent=1)
