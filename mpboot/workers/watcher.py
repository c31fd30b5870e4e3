"""The watcher: one process beside the workers that looks at launches which take long, and ends those that hang.

Started with the first launch that takes longer than a few seconds. What it sees and kills by is psutil's; when a
launch counts as hung is decided in diagnosis.py. It costs at most a tenth of a processor, however many hang.
"""

from __future__ import annotations

import os
import signal
from select import POLLIN
from time import monotonic

from mpboot.net.work import Blind, FindPsutil, Forget, Hung, Sighting, Tell, Told, Watch, watcher_order
from mpboot.workers.diagnosis import Evidence, judge, phase_of
from mpboot.workers.pipes import ready
from mpboot.workers.sight import Scan, Sight, psutil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Union

    from mpboot.net.work import LaunchSettings
    from mpboot.workers.pipes import Reader, Writer

    Order = Union[FindPsutil, Watch, Forget, Tell]

INTERVAL = 1.0  # seconds between looks, at least
SHARE = 10  # a round of looks is followed by a pause this many times as long
TERM_GRACE = 0.5  # seconds between TERM and KILL
TRIES = 3  # KILLs of what does not die; then it is the kernel's
MOST_TOLD = 200  # launches
AT_LEISURE = 1e6  # seconds


def run(settings: LaunchSettings, first: Order, orders: Reader, results: Writer) -> None:
    """Watch what ``orders`` say, until the parent is gone. Never returns; ``first`` is a FindPsutil."""
    if psutil(first.directories if isinstance(first, FindPsutil) else ()) is None:
        results.put(Blind().plain())
        os._exit(0)  # the workers' own timeouts remain
    watcher = Watcher(settings.words[0], settings.timeout, results, settings.is_root)
    while True:
        if ready(orders.fd, POLLIN, watcher.patience()):
            try:
                watcher.take(watcher_order(orders.get()))
            except (EOFError, OSError):
                os._exit(0)  # the parent is gone; the workers see to their rsh
        else:
            watcher.go_round()


class Watched:
    """A launch that is looked at, and what was seen of it so far."""

    def __init__(self, order: Watch) -> None:
        self.order = order
        self.sight = Sight()
        self.phase = ""
        self.phase_since = order.begin
        self.moved = order.begin
        self.end: Optional[End] = None  # once it is being ended

    def see(self, sight: Sight, now: float) -> None:
        """Take in a look."""
        if sight.moved_since(self.sight):  # the first look counts as movement: nothing is known of before
            self.moved = now
        self.sight = sight
        phase = phase_of(self.evidence("", now))
        if phase != self.phase:
            self.phase, self.phase_since = phase, (now if self.phase else self.order.begin)
            self.moved = max(self.moved, self.phase_since)

    def evidence(self, rsh: str, now: float) -> Evidence:
        """What is known, for the diagnosis."""
        found = Evidence(rsh, self.order.label)
        found.seconds = now - self.phase_since
        found.logged_in = 0 <= self.sight.unread < self.order.fed
        found.tcp = self.sight.tcp
        found.resolver = self.sight.resolver
        found.tty = self.sight.tty
        found.stopped = "stopped" in self.sight.statuses
        return found

    def sighting(self, now: float) -> Sighting:
        """What is seen of it, for the parent. It fits into a pipe at once."""
        sight = self.sight
        return Sighting(
            self.order.launch, self.phase, round(now - self.moved, 1), sight.tcp[:4], sight.statuses[:8], sight.tty
        )


class End:
    """The end of everything that came of one rsh: TERM, then KILL, a few times for what does not die."""

    def __init__(self, pid: int, scan: Scan) -> None:
        """Send TERM to all that ``scan`` has seen."""
        self._pid = pid
        self._victims: List[Any] = scan.family(pid)
        self._left = TRIES
        self.due = monotonic() + TERM_GRACE  # the monotonic time of the next signal
        # A stopped process would never see its end.
        self._send(signal.SIGTERM, signal.SIGCONT)

    def go_on(self) -> None:
        """Send KILL: to what was there before, and to what is there now."""
        self._victims = [*Scan().family(self._pid), *self._victims]
        self._send(signal.SIGKILL)
        self._left -= 1
        self.due = monotonic() + (TERM_GRACE if self._left else AT_LEISURE)

    def _send(self, *numbers: int) -> None:
        for victim in self._victims:
            try:
                for number in numbers:
                    victim.send_signal(number)
            except psutil().Error:
                continue


class Watcher:
    """All launches that are looked at. ``rsh``: the name of the command, ``timeout``: seconds that a launch has.

    ``is_root``: no ancestor is left to try what was given up.
    """

    def __init__(self, rsh: str, timeout: float, results: Writer, is_root: bool = True) -> None:
        self._rsh = rsh
        self._timeout = timeout
        self._is_root = is_root
        self._results = results
        self._watched: Dict[int, Watched] = {}
        self._next_look = 0.0  # monotonic time
        self._handlers: Dict[type, Callable[[Any], None]] = {
            Watch: self._watch,
            Forget: self._forget,
            Tell: self._tell,
            FindPsutil: lambda _: None,  # it has been found, or nobody would be here
        }

    def patience(self) -> float:
        """Seconds until there is something to do, if no message comes before."""
        if not self._watched:
            return AT_LEISURE
        ends = [one.end.due for one in self._watched.values() if one.end is not None]
        return min([self._next_look, *ends]) - monotonic()

    def take(self, order: Order) -> None:
        """Do what the parent says."""
        self._handlers[type(order)](order)

    def _watch(self, order: Watch) -> None:
        self._watched[order.launch] = Watched(order)

    def _forget(self, order: Forget) -> None:
        self._watched.pop(order.launch, None)

    def _tell(self, _: Tell) -> None:
        self._look(monotonic())
        now = monotonic()
        for one in list(self._watched.values())[:MOST_TOLD]:
            self._results.put(one.sighting(now).plain())
        self._results.put(Told().plain())

    def go_round(self) -> None:
        """Look, and end, whatever is due."""
        begin = monotonic()
        if begin >= self._next_look:
            self._look(begin)
            now = monotonic()
            # A timeout must not wait for the next look.
            ends = [one.order.begin + self._timeout for one in self._watched.values() if one.end is None]
            pause = max(INTERVAL, SHARE * (now - begin))
            self._next_look = min([now + pause, *(end for end in ends if end > begin)])
        for one in self._watched.values():
            if one.end is not None and one.end.due <= monotonic():
                one.end.go_on()

    def _look(self, now: float) -> None:
        """Look at all launches; report each that hangs, and begin to end it."""
        if not self._watched:
            return
        scan = Scan()
        for one in self._watched.values():
            if one.end is not None:
                continue
            sight = scan.look(one.order.rsh_pid)
            if not sight.pids:
                continue  # ended just now: its worker tells
            one.see(sight, now)
            age = now - one.order.begin
            seen, still = one.evidence(self._rsh, now), now - one.moved
            hung = judge(seen, still, self._timeout, age >= self._timeout, self._is_root)
            if hung is not None:
                self._results.put(Hung(one.order.launch, *hung).plain())
                one.end = End(one.order.rsh_pid, scan)
