"""What a person sees while a boot runs: a live display or a few plain lines, and the output of the command.

All of it goes through sinks, so that no slow reader holds the boot up.
"""

from __future__ import annotations

import os
import re
from time import monotonic
from typing import Callable

from mpboot.cli.counts import Counts
from mpboot.cli.live import Live
from mpboot.cli.plain import PlainLines
from mpboot.cli.sink import Sink
from mpboot.head.observer import Observer, RunningBoot
from mpboot.head.report import HostReport
from mpboot.net.outlet import STDOUT
from mpboot.text import printable
from mpboot.tree import causes

FRAME = 0.1  # seconds between two frames of the live display at least
BEAT = 0.5  # seconds after which it is drawn anew even if nothing happens
MOST_PENDING = 1 << 12  # bytes that wait for the terminal; with more than that no frame is drawn
LABEL = re.compile(rb"(?:\x1b\[\d+m)?(.*?):(?:\x1b\[0m)? ")  # what stands in front of a line of output
COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)  # of hosts, as terminals number them


class Progress(Observer):
    """An Observer that shows the boot on two sinks."""

    def __init__(
        self,
        out: Sink,
        err: Sink,
        quiet: bool = False,
        clock: Callable[[], float] = monotonic,
        width: int | None = None,
    ) -> None:
        """``quiet``: only the command's output; ``width``: of the terminal, or None to ask it each time."""
        self.out, self.err = out, err
        self.counts = Counts()
        self._quiet = quiet
        self._clock = clock
        drawn = err.is_terminal and not quiet and os.environ.get("TERM", "dumb") != "dumb"
        self._live = Live(width) if drawn else None
        self._drawn_at = 0.0
        self._plain = PlainLines(clock())
        self._labels = Labels()
        self._up: set[str] = set()
        self._boot: RunningBoot | None = None

    # -- what the boot tells -----------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Does output wait for its reader?"""
        return bool(self.out.pending or self.err.pending)

    def begin(self, boot: RunningBoot) -> None:
        """The boot begins: write in its loop."""
        self._boot = boot
        self.counts = Counts(len(boot.hosts), bool(boot.options.command))
        for sink in (self.out, self.err):
            sink.attach(boot.loop)
            sink.drained = self._drained
        self.out.broke = boot.stop
        self._plain = PlainLines(self._clock())
        if not self._quiet:
            boot.loop.later(FRAME, self._beat)

    def launched(self, count: int) -> None:
        """So many launches have begun."""
        self.counts.launches = count
        self._show()

    def changed(self, host: str, report: HostReport) -> None:
        """A host came up or failed."""
        self.counts.changed(host, report, host in self._up)
        (self._up.add if report.state == "up" else self._up.discard)(host)
        if report.state != "up" and self._live is None and not self._quiet:
            self._say_if_any(self._plain.failure(self.counts))
        self._show()

    def slow(self, host: str, slow: bool) -> None:
        """A host says nothing, though its kernel answers; or it is heard again."""
        (self.counts.slow.add if slow else self.counts.slow.discard)(host)
        self._show()

    def booted(self) -> None:
        """All hosts are up or have failed."""
        self.counts.booted = True
        self._show()

    def exited(self, host: str, code: int | None) -> None:  # noqa: ARG002
        """The command has ended on a host."""
        self.counts.ended += 1
        self._show()

    def output(self, host: str, stream: int, line: bytes) -> None:
        """A line of the command's output: as it is, with the host in front."""
        sink = self.out if stream == STDOUT else self.err
        if sink.is_terminal:
            self._hide()
            sink.write(self._labels.coloured(host, line))
            self._show()
        else:
            sink.write(host.encode() + b": " + line + b"\n")

    def log(self, line: str) -> None:
        """A line of the launches' log."""
        self.say(line)

    def stopping(self, why: str) -> None:
        """The boot is being ended."""
        self.counts.ending = {causes.DEADLINE: "deadline reached"}.get(why, why) + ", ending"
        self._plain.hurry()
        self._show(at_once=True)

    # -- what the command says ---------------------------------------------------------------------

    def say(self, line: str) -> None:
        """A line of mpboot's own."""
        self._hide()
        self.err.write(f"mpboot: {printable(line)}\n".encode("utf-8", "backslashreplace"))

    def hosts_of(self, output: bytes) -> list[str]:
        """The hosts whose lines are among this output."""
        known = {host.label.encode(): host.label for host in self._boot.hosts} if self._boot is not None else {}
        found = (LABEL.match(line) for line in output.splitlines())
        return list(dict.fromkeys(known[one[1]] for one in found if one is not None and one[1] in known))

    def end(self) -> None:
        """The boot has ended: the display goes, the sinks write at once again."""
        self._hide()
        for sink in (self.out, self.err):
            sink.attach(None)
        self._live = None

    # -- inside ------------------------------------------------------------------------------------

    def _drained(self) -> None:
        """A sink has written all that had to wait."""
        if self._boot is not None and not self.full:
            self._boot.eased()

    def _beat(self) -> None:
        assert self._boot is not None
        self._boot.loop.later(BEAT, self._beat)
        self._show(at_once=True)

    def _hide(self) -> None:
        if self._live is not None:
            self.err.write(self._live.erase())

    def _show(self, at_once: bool = False) -> None:
        """Draw a frame, or say a line, if it is time to."""
        if self._quiet or self._boot is None:
            return
        now = self._clock()
        self.counts.seconds = self._boot.elapsed
        if self._live is None:
            self._say_if_any(self._plain.line(self.counts, now))
        elif self.err.pending <= MOST_PENDING and (at_once or now - self._drawn_at >= FRAME):
            self._drawn_at = now  # where it was too early, a beat will follow
            self.err.write(self._live.frame(self.counts))

    def _say_if_any(self, line: str) -> None:
        if line:
            self.say(line)


class Labels:
    """The hosts' names in front of their output on a terminal, each in a colour of its own unless NO_COLOR is set."""

    def __init__(self) -> None:
        self._plain = bool(os.environ.get("NO_COLOR"))
        self._colours: dict[str, int] = {}

    def coloured(self, host: str, line: bytes) -> bytes:
        """A line of output with its host in front; colours that the line sets end with it."""
        label = host.encode() + b":"
        if not self._plain:
            colour = self._colours.setdefault(host, COLOURS[len(self._colours) % len(COLOURS)])
            label = b"\x1b[%dm%s\x1b[0m" % (colour, label)
        reset = b"\x1b[0m" if b"\x1b" in line else b""
        return b"%s %s%s\n" % (label, line, reset)
