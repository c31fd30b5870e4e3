"""News of the hosts, as the root passes it on: into the report, and to the observer, host by host.

How the root is reached, and what ends the boot, is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mpboot.head.observer import Observer
from mpboot.head.report import BootReport
from mpboot.net import wire
from mpboot.text import Lines
from mpboot.tree import causes
from mpboot.tree.ledger import HEAD

_ENDINGS = {
    causes.DEADLINE: "the boot's deadline came first",
    causes.INTERRUPTED: "the boot was interrupted first",
    causes.LOST: "mpboot's root process ended before the host was up",
}


class News:
    """Fills ``report``. The hosts' labels by rank; ``commands``: the ranks of which an exit code is to come."""

    def __init__(self, labels: Sequence[str], commands: set[int], report: BootReport, observer: Observer) -> None:
        self.labels = labels
        self.report = report
        self.observer = observer
        self.booted = False  # every host is up or has failed
        self._expected = commands
        self._launched = 0
        self._lines: dict[tuple[int, int], Lines] = {}

    @property
    def complete(self) -> bool:
        """Nothing more is to come: the tree is booted, and no exit code is missing."""
        return self.booted and not self._expected

    def label(self, rank: int) -> str:
        """What people call it."""
        return "head" if rank == HEAD else self.labels[rank]

    def heard(self, kind: int, body: bytes) -> None:
        """A message from the root; if it is none about hosts, nothing happens."""
        if kind == wire.LAUNCHED:
            numbers = json.loads(body)
            self._launched += numbers["launched"]
            self.report.strangers += numbers["strangers"]
            self.observer.launched(self._launched)
        elif kind == wire.UP:
            for record in json.loads(body):
                self._up(record)
        elif kind == wire.FAILED:
            for record in json.loads(body):
                self._failed(record)
        elif kind == wire.EXIT:
            for rank, code in json.loads(body):
                self._exited(rank, code)
        elif kind == wire.NOTE:
            rank, what, text = json.loads(body)
            self.report.notes.setdefault((what, text), []).append(self.label(rank))
        elif kind == wire.LOG:
            self.observer.log(body.decode("utf-8", "replace"))

    def output(self, rank: int, stream: int, text: bytes) -> None:
        """A piece of what the command writes on a host: line by line to the observer."""
        for line in self._lines.setdefault((rank, stream), Lines()).cut(text):
            self.observer.output(self.labels[rank], stream, line)

    def flush(self) -> None:
        """No output comes any more: lines without an end are lines."""
        for rank in range(len(self.labels)):
            self._flush(rank)

    def finish(self) -> None:
        """No news comes any more: what nothing was heard of has failed."""
        why = self.report.ended_by or causes.LOST
        for label, report in self.report.hosts.items():
            if report.state not in ("up", "failed"):
                report.fail(why, "", 0, "head", _ENDINGS.get(why, "the boot ended first"), "")
                self.observer.changed(label, report)

    # -- inside ------------------------------------------------------------------------------------

    def _up(self, record: list[Any]) -> None:
        rank, parent, level, launched, up, pid, attempts, python = record
        report = self.report.hosts[self.labels[rank]]
        if report.state == "up" and report.pid == pid:
            return  # told once more by an adopted subtree
        report.come_up(self.label(parent), level, launched, up, pid, attempts, python)
        self.observer.changed(self.labels[rank], report)

    def _failed(self, record: list[Any]) -> None:
        rank, cause, phase, attempts, launcher, detail, stderr = record
        report = self.report.hosts[self.labels[rank]]
        if report.cause == cause:
            return
        report.fail(cause, phase, attempts, self.label(launcher), detail, stderr)
        self._expected.discard(rank)
        self.observer.changed(self.labels[rank], report)

    def _exited(self, rank: int, code: int) -> None:
        report = self.report.hosts[self.labels[rank]]
        if report.exit is not None:
            return  # told once more, to a new parent
        report.exit = code
        self._flush(rank)
        self.observer.exited(self.labels[rank], code)
        self._expected.discard(rank)

    def _flush(self, rank: int) -> None:
        for stream in (1, 2):
            lines = self._lines.pop((rank, stream), None)
            if lines is not None and lines.rest:
                self.observer.output(self.labels[rank], stream, lines.rest)
