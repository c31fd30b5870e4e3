"""The watcher: one process beside the workers that looks at launches which take long, and ends those that hang.

Started with the first launch that takes longer than a few seconds. What it sees and kills by is psutil's; when a
launch counts as hung is decided in diagnosis.py. It costs at most a tenth of a processor, however many hang.
"""

from __future__ import annotations

import os
import signal
from select import POLLIN, poll
from time import monotonic

from mpboot.workers.diagnosis import Evidence, judge, phase_of
from mpboot.workers.sight import Scan, Sight, psutil, search

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

    from mpboot.workers.pipes import Reader, Writer

INTERVAL = 1.0  # seconds between looks, at least
SHARE = 10  # a round of looks is followed by a pause this many times as long
TERM_GRACE = 0.5  # seconds between TERM and KILL
TRIES = 3  # KILLs of what does not die; then it is the kernel's


class Watched:
    """A launch under watch. ``fed``: bytes that its rsh was given; ``begin``: monotonic time of its start."""

    def __init__(self, launch: int, host: str, pid: int, fed: int, begin: float) -> None:
        self.launch = launch
        self.host = host
        self.pid = pid
        self.fed = fed
        self.begin = begin
        self.sight = Sight()
        self.phase = ""
        self.phase_since = begin
        self.moved = begin
        self.signals = 0  # how often it was told to end
        self.next_signal = 0.0
        self.victims: List[Any] = []

    def see(self, sight: Sight, now: float) -> None:
        """Take in a look."""
        if sight.moved_since(self.sight):  # the first look counts as movement: nothing is known of before
            self.moved = now
        self.sight = sight
        phase = phase_of(self.evidence("", now))
        if phase != self.phase:
            self.phase, self.phase_since = phase, (now if self.phase else self.begin)
            self.moved = max(self.moved, self.phase_since)

    def evidence(self, rsh: str, now: float) -> Evidence:
        """What is known, for the diagnosis."""
        found = Evidence(rsh, self.host)
        found.seconds = now - self.phase_since
        found.logged_in = 0 <= self.sight.unread < self.fed
        found.tcp = self.sight.tcp
        found.tty = self.sight.tty
        found.stopped = "stopped" in self.sight.statuses
        found.seen = True
        return found

    def describe(self, now: float) -> Dict[str, Any]:
        """For ``mpboot inspect`` and SIGUSR1: plain values."""
        return {
            "host": self.host, "pid": self.pid, "phase": self.phase, "seconds": round(now - self.begin, 1),
            "still": round(now - self.moved, 1), "tcp": self.sight.tcp[:4], "status": self.sight.statuses[:8],
            "reads": self.sight.reads, "writes": self.sight.writes, "cpu": round(self.sight.cpu, 2),
            "tty": self.sight.tty,
        }  # fmt: skip


def run(settings: Dict[str, Any], first: List[str], orders: Reader, results: Writer) -> None:
    """The watcher's life. ``first``: where psutil may be. Orders: ("watch", launch, host, pid, fed, begin),

    ("forget", launch), ("tell",). Results: (launch, "hung", (cause, phase, detail)) before it ends the launch's rsh;
    (left to come, "tell", describe()), the last None; (0, "blind", None) if there is no psutil, and it ends.
    """
    search[:] = first
    if psutil() is None:
        results.put((0, "blind", None))
        os._exit(0)  # the workers' own timeouts remain
    watched: Dict[int, Watched] = {}
    poller = poll()
    poller.register(orders.fd, POLLIN)
    due = 0.0
    while True:
        ending = [one.next_signal for one in watched.values() if one.signals and one.next_signal]
        until = min([due, *ending]) if watched else None
        if poller.poll(None if until is None else max(0.0, until - monotonic()) * 1000 + 1):
            try:
                order = orders.get()
            except (EOFError, OSError):
                os._exit(0)  # the parent is gone; the workers see to their rsh
            if order[0] == "watch":
                watched[order[1]] = Watched(*order[1:])
            elif order[0] == "forget":
                watched.pop(order[1], None)
            else:
                _look(watched, settings, results, monotonic())
                told = [one.describe(monotonic()) for one in watched.values()][:200]
                for left, record in zip(range(len(told), -1, -1), [*told, None]):  # pieces that a pipe takes whole
                    results.put((left, "tell", record))
            continue
        begin = monotonic()
        if begin >= due:
            _look(watched, settings, results, begin)
            due = monotonic() + max(INTERVAL, SHARE * (monotonic() - begin))
            # A timeout must not wait for the next look.
            ends = [one.begin + settings["timeout"] for one in watched.values() if not one.signals]
            due = min([due, *(end for end in ends if end > begin)])
        for one in watched.values():
            if one.signals and one.next_signal and one.next_signal <= monotonic():
                _signal(one, signal.SIGKILL)


def _look(watched: Dict[int, Watched], settings: Dict[str, Any], results: Writer, now: float) -> None:
    if not watched:
        return
    scan = Scan()
    for one in watched.values():
        if one.signals:
            continue
        sight = scan.look(one.pid)
        if not sight.pids:
            continue  # ended just now: its worker tells
        one.see(sight, now)
        verdict: Tuple[str, str, str] | None = judge(
            one.evidence(settings["words"][0], now),
            now - one.moved,
            settings["timeout"],
            now - one.begin >= settings["timeout"],
        )
        if verdict is not None:
            results.put((one.launch, "hung", verdict))
            one.victims = scan.family(one.pid)
            _signal(one, signal.SIGTERM)


def _signal(one: Watched, number: int) -> None:
    """Send a signal to the launch's processes, and say when the next is due."""
    if number == signal.SIGKILL:
        scan = Scan()
        one.victims = [*scan.family(one.pid), *one.victims]
    one.signals += 1
    for process in one.victims:
        try:
            process.send_signal(number)
            if number == signal.SIGTERM:
                process.send_signal(signal.SIGCONT)  # a stopped process would never see its end
        except psutil().Error:
            continue
    one.next_signal = monotonic() + TERM_GRACE if one.signals <= TRIES else 0.0
