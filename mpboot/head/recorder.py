"""News of the hosts, as the root passes it on: into the report, and to the observer, host by host.

How the root is reached, and what ends the boot, is not known here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import Callable

from mpboot.head.exits import outstanding
from mpboot.head.jobs import Jobs
from mpboot.head.observer import Observer
from mpboot.head.report import CUT, LEFT, OUTPUT, UNREAD, BootReport
from mpboot.head.root import psutil_left_out
from mpboot.net import commands, messages, wire
from mpboot.net.jobs import FIRST
from mpboot.net.outlet import STDERR, STDOUT, unpack_out
from mpboot.text import Lines, printable
from mpboot.tree import causes
from mpboot.tree.ledger import HEAD

_ENDINGS = {
    causes.DEADLINE: "the boot's deadline came first",
    causes.INTERRUPTED: "the boot was interrupted first",
    causes.LOST: "mpboot's root process ended before the host was up",
}

STAMPED = re.compile(r" *\d+\.\d{3} ")  # a line about a launch begins with its time


class Recorder:
    """Fills ``report``, and tells the observer what changes in it.

    ``labels``: the hosts' by rank; ``commands``: the ranks of which an exit code is to come.
    """

    def __init__(
        self,
        labels: Sequence[str],
        commands: set[int],
        report: BootReport,
        observer: Observer,
        verbose: bool,
        jobs: Jobs,
        start: float,
    ) -> None:
        """``jobs``: those that run beside the boot's own command; they hear of hosts that move or are lost.

        ``start``: when the boot began, on the monotonic clock.
        """
        self.booted = False  # every host is up or has failed
        self.moved: Callable[[int], None] = lambda _: None  # a host, by its rank, has another parent
        # What takes the body of each kind of message that is about hosts.
        self.handlers: dict[int, Callable[[bytes], None]] = {
            wire.LAUNCHED: self._launched,
            wire.UP: self._up,
            wire.FAILED: self._failed,
            wire.EXIT: self._exited,
            wire.NOTE: self._noted,
            wire.LOG: self._logged,
        }
        self._start = start
        self._labels = labels
        self._report = report
        self._observer = observer
        self._verbose = verbose
        self._runs = frozenset(commands)  # it is to run there
        self._expected = commands
        self._commands = len(commands)
        self._told: set[int] = set()  # its end
        self._launches = 0
        self._lines: dict[tuple[int, int], Lines] = {}
        self._got: Counter[int] = Counter()  # bytes of output, by rank
        self._jobs = jobs

    @property
    def complete(self) -> bool:
        """Nothing more is to come: the tree is booted, and no exit code is missing."""
        return self.booted and not self._expected

    def label(self, rank: int) -> str:
        """What people call it."""
        return "head" if rank == HEAD else self._labels[rank]

    def commands_running(self) -> list[str]:
        """Where the command runs, and on how many hosts it has ended: a line, or none without a command."""
        if not self._commands:
            return []
        running = [
            label for label in map(self.label, sorted(self._expected))
            if self._report.hosts[label].state == "up" and self._report.hosts[label].begun
        ]  # fmt: skip
        ended = sum(report.exit is not None for report in self._report.hosts.values())
        return [outstanding(running, ended, self._commands)]

    def output(self, body: bytes) -> None:
        """A piece of what the command writes on a host: line by line to the observer."""
        rank, job, stream, text = unpack_out(body)
        if job != FIRST:
            self._jobs.output(body)
            return
        self._got[rank] += len(text)
        self.piece(rank, stream, text)

    def piece(self, rank: int, stream: int, text: bytes) -> None:
        """A piece of what the boot's own command writes on a host."""
        for line, ended in self._lines.setdefault((rank, stream), Lines()).cut(text):
            (self._observer.output if ended else self._observer.part)(self._labels[rank], stream, line)

    def cut(self, body: bytes) -> None:
        """A piece of what the command writes comes too late for its reader."""
        rank, job, _, text = unpack_out(body)
        if job == FIRST:
            self._got[rank] += len(text)
            self._report.note(OUTPUT, UNREAD, [self._labels[rank]])

    def flush(self) -> None:
        """No output comes any more: a line without an end is a last part."""
        for rank in range(len(self._labels)):
            self._flush(rank)

    def finish(self) -> None:
        """No news comes any more: what nothing was heard of has failed."""
        why = self._report.ended_by or causes.LOST
        for label, report in self._report.hosts.items():
            if report.state not in ("up", "failed"):
                report.fail(why, "", 0, "head", _ENDINGS[why], "", self._now())
                self._observer.changed(label, report)

    # -- a message each ----------------------------------------------------------------------------

    def _launched(self, body: bytes) -> None:
        more = messages.Launched.unpack(body)
        self._launches += more.launched
        self._report.strangers += more.strangers
        self._observer.launched(self._launches)

    def _up(self, body: bytes) -> None:
        for up in messages.Up.unpack_all(body):
            report = self._report.hosts[self._labels[up.rank]]
            if report.state == "up" and report.pid == up.pid:
                self._moved(up)  # told once more by an adopted subtree
                continue
            if report.state == "up":
                self._jobs.lost(up.rank, "another agent has taken its place")
            report.come_up(self.label(up.parent), up.level, up.launched, up.up, up.pid, up.attempts, up.python)
            report.begun = report.begun or up.rank in self._runs
            self._observer.changed(self._labels[up.rank], report)

    def _failed(self, body: bytes) -> None:
        for one in messages.Failed.unpack_all(body):
            report = self._report.hosts[self._labels[one.rank]]
            if report.cause == one.cause:
                continue  # told once more
            who = self.label(one.launcher)
            report.fail(one.cause, one.phase, one.attempts, who, one.detail, one.stderr, self._now())
            self._expected.discard(one.rank)
            self._jobs.lost(one.rank, one.detail)
            self._observer.changed(self._labels[one.rank], report)

    def _moved(self, up: messages.Up) -> None:
        report = self._report.hosts[self._labels[up.rank]]
        if self.booted:  # else the report tells who launched it
            report.parent, report.level = self.label(up.parent), up.level
        self._jobs.up_again(up.rank)
        self.moved(up.rank)

    def _exited(self, body: bytes) -> None:
        for one in commands.Exit.unpack_all(body):
            if one.job != FIRST:
                self._jobs.exited(one)
                continue
            self.ended(one.rank, one.code, one.signal, one.sent - self._got[one.rank])

    def ended(self, rank: int, code: int | None, signal: int, missing: int) -> None:
        """The boot's own command has ended on a host; ``missing``: bytes of its output that were lost."""
        if rank in self._told:
            return  # once more, to a new parent
        self._told.add(rank)
        label = self._labels[rank]
        if missing > 0:
            self._report.note(OUTPUT, CUT, [label])
        report = self._report.hosts[label]
        report.begun, report.exit, report.killed = True, code, signal
        self._flush(rank)
        self._observer.exited(label, code)
        self._expected.discard(rank)

    def later(self) -> None:
        """The boot's own command does not begin where a host is up, but when ``begin`` says so."""
        self._runs = frozenset()

    def begin(self, ranks: Sequence[int]) -> None:
        """The boot's own command begins on these hosts."""
        for rank in ranks:
            report = self._report.hosts[self._labels[rank]]
            report.begun = True
            self._observer.changed(self._labels[rank], report)

    def not_run(self) -> None:
        """The boot's own command is not run: no end of it is to come."""
        self._expected.clear()

    def _noted(self, body: bytes) -> None:
        note = commands.Note.unpack(body)
        if note.what in (OUTPUT, LEFT) and self._jobs.running:
            self._jobs.noted(note.rank, note.text)
        slow = note.what == commands.SLOW
        if slow:
            if self._verbose:
                self._observer.log(f"{self.label(note.rank)} {printable(note.text)}")
            self._observer.slow(self.label(note.rank), note.text != commands.PACES[False])
        if not slow or note.text != commands.PACES[False]:
            why = psutil_left_out() if (note.rank, note.what) == (HEAD, "watch") else ""
            self._report.note(note.what, f"{note.text} ({why})" if why else note.text, [self.label(note.rank)])

    def _logged(self, body: bytes) -> None:
        text = body.decode("utf-8", "replace")
        # Whatever an agent says, it must not read like a line of the report, nor like one that -v would show.
        self._observer.log(text if self._verbose and STAMPED.match(text) else "an agent says: " + text)

    # -- inside ------------------------------------------------------------------------------------

    def _now(self) -> float:
        return round(monotonic() - self._start, 4)

    def _flush(self, rank: int) -> None:
        for stream in (STDOUT, STDERR):
            lines = self._lines.pop((rank, stream), None)
            if lines is not None and lines.rest:
                self._observer.part(self._labels[rank], stream, lines.rest)
