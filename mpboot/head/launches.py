"""Which launches are under way: all parents of the tree are asked, and what they answer in time is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from mpboot.head.line import RootLine
from mpboot.head.observer import Observer
from mpboot.net import messages, wire
from mpboot.net.loop import Loop, Timer
from mpboot.text import aligned, printable

TELL_WAIT = 1.0  # seconds that the parents may take to answer
MOST_LAUNCHES = 200  # lines of launches under way that are shown


class Inquiry:
    """One question at a time; the answers go to the observer's log, then ``shown`` is called.

    ``label``: what people call the host of a rank.
    """

    def __init__(
        self, loop: Loop, line: RootLine, observer: Observer, label: Callable[[int], str], shown: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._line = line
        self._observer = observer
        self._label = label
        self._shown = shown
        self.even_none = True  # say so, too, if there are none
        self._timer: Timer | None = None
        self._to_come = 0  # answers
        self._launches: list[messages.LaunchSeen] = []

    @property
    def asked(self) -> bool:
        """A question is under way."""
        return self._timer is not None

    def ask(self) -> None:
        """Ask, if the root is there and has not been asked already."""
        if self._timer is None and self._line.ready:
            self._to_come, self._launches = 1, []
            self._line.send(wire.TELL)
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
        if self._launches or self._to_come or self.even_none:
            longest_first = sorted(self._launches, key=lambda launch: -launch.seconds)
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
