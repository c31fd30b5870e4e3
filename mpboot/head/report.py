"""What came of a boot: one record a host, the JSON that programs read (the contract), and the summary in a line."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mpboot._version import __version__
from mpboot.advice import NOT_BEGUN
from mpboot.head.exits import LOST, exit_lines
from mpboot.head.table import failure_table
from mpboot.net.commands import SLOW
from mpboot.text import fold, printable
from mpboot.tree import causes

INTERRUPTED_CODE = 130  # what a shell makes of SIGINT
DEADLINE_CODE = 124  # as timeout(1) has it
OUTPUT = "output"  # what a note is about: output of the command that was not shown
LEFT = "left"  # or about processes of it that run on
HUNG = "the shell did not get to the agent"  # in the detail of a host whose login hangs
# Ends the login shells that launches have left on a host, with all that they have started, and no agent; one user's
# alone, in any shell. It fits into a line of a terminal.
CLEAR = """pgrep -d, -U$(id -u) -f "^[^ ]*sh .*MPBOOT[-]" | xargs -r pkill -9 -s"""
LIST = 'pgrep -a -U$(id -u) -f "MPBOOT[-]"'
CUT = "some of its output is lost: an agent that passed it on has died"
_COULD_NOT = re.compile(r" launching (\S+): ")  # of a host that launches no others: see node/verdicts.py
UNREAD = "the end of its output was cut: nobody read it in time"


@dataclass
class HostReport:
    """One host: ``state`` is "up", "failed", or "pending" while the boot runs. Times: seconds since the boot began."""

    attributes: dict[str, object] = field(default_factory=dict)
    state: str = "pending"
    parent: str = ""
    level: int = 0
    attempts: int = 0
    launched: float = 0.0
    up: float = 0.0
    pid: int = 0
    python: str = ""
    begun: bool = False  # the command was started there
    exit: int | None = None  # its exit code, where that is known
    push: dict[str, str] = field(default_factory=dict)  # why it has not got its files: state, cause, detail
    killed: int = 0  # the signal that mpboot had sent it before it ended; 0: it has ended by itself
    cause: str = ""
    phase: str = ""
    launcher: str = ""
    detail: str = ""
    evidence: str = ""
    failed_at: float = 0.0  # when it was given up, or was lost

    def come_up(
        self, parent: str, level: int, launched: float, up: float, pid: int, attempts: int, python: str
    ) -> None:
        """The host's agent is up."""
        self.state, self.cause = "up", ""
        self.parent, self.level, self.launched, self.up = parent, level, launched, up
        self.pid, self.attempts, self.python = pid, attempts, python

    def fail(
        self, cause: str, phase: str, attempts: int, launcher: str, detail: str, evidence: str, at: float = 0.0
    ) -> None:
        """The host failed for good; ``evidence``: the last of what rsh wrote."""
        self.state, self.failed_at = "failed", at
        self.cause, self.phase, self.attempts, self.launcher = cause, phase, attempts, launcher if attempts else ""
        self.detail, self.evidence = detail, evidence

    def to_dict(self) -> dict[str, object]:
        """The host as --json writes it, with the hostfile's attributes."""
        if self.state == "up":
            told: dict[str, object] = {
                "state": "up", "parent": self.parent, "level": self.level, "attempts": self.attempts,
                "launched": self.launched, "up": self.up, "pid": self.pid, "python": self.python,
            }  # fmt: skip
        else:
            told = {
                "state": self.state, "cause": self.cause, "phase": self.phase, "attempts": self.attempts,
                "launcher": self.launcher, "detail": self.detail, "evidence": self.evidence,
                "failed_at": self.failed_at,
            }  # fmt: skip
        if self.begun:
            told["exit"] = self.exit
        if self.killed:
            told["killed"] = self.killed
        if self.push:
            told["push"] = self.push
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
    signal: int = 0  # the number of the signal that interrupted it; 0: none
    barred: bool = False  # the command was not run, since not all hosts were up
    notes: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # (what, text) -> the hosts it is said of

    def note(self, what: str, text: str, labels: Sequence[str]) -> None:
        """Add a note about these hosts, once for each host."""
        said = self.notes.setdefault((what, text), [])
        said += [label for label in labels if label not in said]

    @property
    def up(self) -> int:
        """How many hosts are up."""
        return sum(report.state == "up" for report in self.hosts.values())

    @property
    def failed(self) -> int:
        """How many hosts are not up."""
        return len(self.hosts) - self.up

    @property
    def last_up(self) -> float:
        """When the last host came up, in seconds since the boot began; 0 where none is up."""
        return max((report.up for report in self.hosts.values() if report.state == "up"), default=0.0)

    @property
    def last_failed(self) -> float:
        """When the last of the others was given up or lost, in seconds since the boot began; 0 where there is none."""
        return max((report.failed_at for report in self.hosts.values() if report.state != "up"), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """The object that --json writes. ``notes`` is there only if there is something to note."""
        told: dict[str, Any] = {
            "mpboot": __version__, "topology": self.topology, "children": self.children, "seconds": self.seconds,
            "up": self.up, "failed": self.failed,
            "hosts": {label: report.to_dict() for label, report in self.hosts.items()},
            "strangers": self.strangers, "last_up": self.last_up, "last_failed": self.last_failed,
        }  # fmt: skip
        if self.ended_by:
            told["ended_by"] = self.ended_by
        if self.notes:
            told["notes"] = [{"what": what, "text": text, "hosts": at} for (what, text), at in self.notes.items()]
        return told

    def to_json(self) -> str:
        """``to_dict`` as JSON text."""
        return json.dumps(self.to_dict(), indent=1)

    @property
    def levels(self) -> int:
        """The depth of the tree; 1 where the head launched all."""
        return max((report.level for report in self.hosts.values() if report.state == "up"), default=0)

    def exit_code(self, quorum: int | None = None) -> int:
        """The exit code that ``mpboot`` ends with; with ``quorum``, so many hosts up are enough."""
        ran = [report for report in self.hosts.values() if report.begun]
        if self.ended_by == causes.INTERRUPTED:
            return 128 + self.signal if self.signal else INTERRUPTED_CODE
        if self.ended_by == causes.DEADLINE and any(one.killed or one.exit is None for one in ran):
            return DEADLINE_CODE
        if self.barred or self.ended_by == causes.LOST:
            return 1
        if self.up < (len(self.hosts) if quorum is None else quorum):
            return LOST if any(one.state != "up" for one in ran) else 1  # lost under the command, or never up
        return max((_worth(one) for one in ran), default=0) or int(any(one.push for one in self.hosts.values()))

    def remarks(self) -> list[str]:
        """The remarks about hosts, one line each, printable."""
        leaves: dict[str, list[str]] = {}
        lines = self.ends()
        for (what, text), labels in self.notes.items():
            if what == "leaf":
                cause, _, rest = text.partition(":")
                if not self._had_it_from_all(cause, rest):
                    leaves.setdefault(cause, []).extend(labels)
            elif what in (OUTPUT, LEFT) or (what == "watch" and not text.startswith("psutil came")):
                lines.append(f"{fold(labels)}: {text}")
            elif what == SLOW:
                lines.append(f"slow: {fold(labels)}: {text}")
        for cause, labels in leaves.items():
            lines.append(f"{fold(labels)} can't launch other hosts ({cause}): left to the hosts above")
        return [*(printable(line) for line in lines), *self.hanging()]

    def hanging(self) -> list[str]:
        """What is said of hosts on which logins hang."""
        failed = {label: report.detail for label, report in self.hosts.items() if report.state == "failed"}
        pythons = [label for label, detail in failed.items() if NOT_BEGUN in detail]
        shells = [label for label, detail in failed.items() if HUNG in detail and NOT_BEGUN not in detail]
        lines = []
        if shells:
            said = f"{fold(shells)}: a login shell may hang there for each attempt; to end them, type there:"
            lines += [printable(said), CLEAR]
        if pythons:
            said = "a python may hang there for each attempt; to see them and your agents, type there:"
            lines += [printable(f"{fold(pythons)}: {said}"), LIST]
        return lines

    def _had_it_from_all(self, cause: str, text: str) -> bool:
        """Did all hosts that a host says it could not launch fail for that cause in the end? Then it is not its own."""
        found = _COULD_NOT.match(text)
        rows = [self.hosts.get(label) for label in found[1].split(",")] if found else []
        return bool(rows) and all(row is not None and (row.state, row.cause) == ("failed", cause) for row in rows)

    def ends(self) -> list[str]:
        """How the commands have ended, unless all did well."""
        return exit_lines((label, *_end_of(report)) for label, report in self.hosts.items() if report.begun)

    def summary(self) -> str:
        """The boot in one line."""
        total = len(self.hosts)
        ended = {
            causes.INTERRUPTED: "interrupted: ",
            causes.DEADLINE: "deadline reached: ",
            causes.LOST: "mpboot's root process ended unexpectedly: ",
        }
        how = [self.topology, f"{self.levels} level{'s' * (self.levels != 1)}"]
        apart = bool(self.failed and self.last_failed) and not self.ended_by  # those that are up did not take so long
        seconds = self.last_up if apart else self.seconds
        if self.up and seconds:
            how.append(f"{self.up / seconds:.1f} hosts/s")
        counts = f"{self.up} of {total} host{'s' * (total != 1)} up"
        if self.up or not apart:
            counts += f" in {seconds:.2f} s"
        line = f"{ended.get(self.ended_by, '')}{counts} ({', '.join(how)})"
        if self.failed:
            line += f"; {self.failed} failed"
        if apart:
            line += f", {'the last ' * (self.failed > 1)}given up after {self.last_failed:.2f} s"
        if self.strangers:
            line += f"; {self.strangers} stranger{'s' * (self.strangers != 1)} turned away"
        if self.barred:
            line += "; the command was not run, since not all are up"
        return line

    def table(self, width: int | None = None, verbose: bool = False, rsh: str = "ssh") -> list[str]:
        """The lines of the table of what failed, folded by cause; none if nothing did. All of it is printable.

        ``width``: columns to wrap at, None for never. ``verbose``: tracebacks and what rsh wrote too.
        ``rsh``: the command line of the launches, which advice is about.
        """
        bad = {name: host for name, host in self.hosts.items() if host.state != "up"}
        return failure_table(bad, width, verbose, several=self.levels > 1, rsh=rsh)


def _worth(report: HostReport) -> int:
    """What the end of a command adds to the exit code; an unknown end is no success."""
    if report.exit is not None:
        return report.exit
    return 1 if report.state == "up" else 0  # else the host has failed, and the quorum has seen to that


def _end_of(report: HostReport) -> tuple[int | None, str]:
    """The exit code of a host's command, and a remark about it."""
    if report.killed:
        return report.exit, f"ended by mpboot's {_name_of(report.killed)}"
    if report.exit is None:
        return (None, "how it ended is not known") if report.state == "up" else (LOST, report.cause)
    return report.exit, ""


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
