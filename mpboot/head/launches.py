"""Which launches are under way: all parents of the tree are asked, and what they answer in time is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from mpboot.head.line import RootLine
from mpboot.head.observer import Launching, Look, Observer
from mpboot.net import messages, wire
from mpboot.net.loop import Loop, Timer
from mpboot.node.survey import GLANCE
from mpboot.text import aligned, printable

TELL_WAIT = 1.0  # seconds that the parents may take to answer
MOST_LAUNCHES = 200  # lines of launches under way that are shown
MOST_LOOK = 32  # launches that a Look tells of one by one


class Inquiry:
    """One question at a time. The answers go to the observer: to its log, and then ``shown`` is called; or as a Look.

    ``label``: what people call the host of a rank. ``timeout``: seconds that a launch may take.
    """

    def __init__(
        self,
        loop: Loop,
        line: RootLine,
        observer: Observer,
        label: Callable[[int], str],
        shown: Callable[[], None],
        timeout: float,
    ) -> None:
        self._loop = loop
        self._line = line
        self._observer = observer
        self._label = label
        self._shown = shown
        self._timeout = timeout
        self._aloud = self._looks = False  # what is wanted of the answers under way: the log, a Look
        self.even_none = True  # say so, too, if there are none
        self._timer: Timer | None = None
        self._to_come = 0  # answers
        self._launches: list[messages.LaunchSeen] = []

    @property
    def asked(self) -> bool:
        """A question is under way whose answer goes to the log."""
        return self._aloud

    def ask(self) -> None:
        """Ask for the log, if the root is there and has not been asked for that already."""
        if self._line.ready and not self._aloud:
            self._aloud = True
            self._begin(b"")

    def look(self) -> None:
        """Ask for a Look, if the root is there."""
        if self._line.ready:
            self._looks = True
            if self._timer is None:
                self._begin(GLANCE)

    def _begin(self, body: bytes) -> None:
        """Ask. A question that is under way already is answered for both, and has all of its time once more."""
        if self._timer is None:
            self._to_come, self._launches = 1, []
            self._line.send(wire.TELL, body)
        else:
            self._timer.cancel()
        self._timer = self._loop.later(TELL_WAIT, self._show)

    def told(self, body: bytes) -> None:
        """One parent's launches under way."""
        answer = messages.UnderWay.unpack(body)
        self._to_come += answer.to_come - 1
        self._launches += answer.launches
        if self._to_come <= 0:
            self._show()

    def _show(self) -> None:
        """All parents have answered, or had their time."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        aloud, looks, self._aloud, self._looks = self._aloud, self._looks, False, False
        longest_first = sorted(self._launches, key=lambda launch: -launch.seconds)
        if looks:
            self._observer.under_way(a_look(longest_first, self._label, self._timeout))
        if not aloud:
            return
        if self._launches or self._to_come or self.even_none:
            for line in launch_lines(longest_first, self._label, self._to_come):
                self._observer.log(line)
        self._shown()


def launch_lines(launches: Sequence[messages.LaunchSeen], label: Callable[[int], str], silent: int = 0) -> list[str]:
    """The launches under way as lines for a person; ``silent``: so many parents gave no answer."""
    count = len(launches)
    rows = [["HOST", "FROM", "ATTEMPT", "PHASE", "SECONDS", "STILL", "WAITS FOR"]]
    for one in launches[:MOST_LAUNCHES]:
        rows.append([
            printable(label(one.rank)), printable(label(one.launcher)), str(one.attempt), printable(one.phase or "?"),
            f"{one.seconds:.1f}", "?" if one.still is None else f"{one.still:.1f}",
            printable(_waits_for(one, label(one.rank))),
        ])  # fmt: skip
    lines = [f"{count or 'no'} launch{'es' * (count != 1)} under way", *(aligned(rows) if count else [])]
    if count > MOST_LAUNCHES:
        lines.append(f"and {count - MOST_LAUNCHES} more")
    if silent:
        lines.append(f"{silent} parent{'s' * (silent != 1)} did not answer in time")
    return lines


def a_look(launches: Sequence[messages.LaunchSeen], label: Callable[[int], str], timeout: float) -> Look:
    """The launches under way, longest first, as a Look."""
    again = len({one.rank for one in launches if one.attempt > 1})
    retries = [one for one in launches[MOST_LOOK:] if one.attempt > 1][:1]
    told = [_launching(one, label(one.rank), timeout) for one in [*launches[:MOST_LOOK], *retries]]
    return Look(len(launches), again, told)


def _launching(one: messages.LaunchSeen, host: str, timeout: float) -> Launching:
    waits_for = printable(_waits_for(one, host)) if one.phase else ""
    return Launching(
        printable(host), one.attempt, printable(one.phase or ""), one.seconds, _left(one, timeout), waits_for
    )


def _left(one: messages.LaunchSeen, timeout: float) -> float | None:
    """Seconds until a launch is given up, if nothing moves; None where the watcher has not seen it."""
    if one.phase is None:
        return None
    from mpboot.workers.diagnosis import CONNECT, LIMITS  # not above: it takes longer to load than a quick boot should

    left = timeout - one.seconds
    if one.phase in LIMITS and one.still is not None and (one.phase != CONNECT or one.tcp):
        part, least = LIMITS[one.phase]
        waited = one.seconds if one.phase == CONNECT else one.still
        left = min(left, max(part * timeout, least) - waited)
    return round(max(0.0, left), 1)


def _waits_for(one: messages.LaunchSeen, host: str) -> str:
    """In the words of ``mpboot inspect``, from what a parent's watcher saw."""
    peer = one.tcp[0][1] if one.tcp else host
    if one.phase is None:
        return "?"
    if one.tty:
        return f"a person at {one.tty}"
    if "stopped" in one.statuses:
        return "SIGCONT: somebody stopped it"
    if one.phase == "connect":
        return f"an answer to its SYN from {peer}" if any(tcp[0] == "SYN_SENT" for tcp in one.tcp) else "rsh to connect"
    if one.phase == "handshake":
        return f"{peer} to finish keys or login"
    return "the shell to get to the agent" if one.phase == "shell" else "the agent to connect back"
