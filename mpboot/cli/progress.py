"""What a person sees while a boot runs: a live display or a few plain lines; the command's output goes its own way.

All of it goes through sinks, so that no slow reader holds the boot up.
"""

from __future__ import annotations

from time import monotonic
from typing import Callable

from mpboot.cli.counts import Counts
from mpboot.cli.display import BEAT, FRAME, Display
from mpboot.cli.output import Output
from mpboot.cli.plain import PlainLines
from mpboot.cli.screen import Screen
from mpboot.cli.sink import Sink
from mpboot.head.observer import Look, Observer, RunningBoot
from mpboot.head.report import HostReport
from mpboot.tree import causes

FIRST_LOOK = 2.5  # seconds until it is asked what takes long
LOOKS = 2.0  # seconds between two such questions at least, from the answer on
LOOK_COSTS = 0.01  # and for each launch so many seconds more, so that the answers cost the head little


class Progress(Observer):
    """An Observer that shows the boot on two sinks."""

    def __init__(
        self,
        out: Sink,
        err: Sink,
        output: Output,
        quiet: bool = False,
        clock: Callable[[], float] = monotonic,
        screen: Screen | None = None,
        source: int = -1,
    ) -> None:
        """``output`` takes the command's; ``quiet``: show nothing else; ``screen``: standard error's terminal.

        ``source``: the descriptor of the command's input, or -1.
        """
        self.out, self.err = out, err
        self.counts = Counts()
        self._output = output
        self._display = Display(out, err, screen, clock)
        self._display.is_live = self._display.is_live and not quiet
        self._display.leave_off(source)
        output.clear, output.say = self._display.cover, self.say
        self._look_at = 0.0  # the next question what takes long
        self._quiet = quiet
        self._clock = clock
        self._plain = PlainLines(clock())
        self._up: set[str] = set()
        self._taken = 0.0  # seconds that the boot took, if that is all there is to wait for
        self._boot: RunningBoot | None = None

    # -- what the boot tells -----------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Does output wait for its reader?"""
        return self._output.full

    def begin(self, boot: RunningBoot) -> None:
        """The boot begins: write in its loop."""
        self._boot = boot
        self.counts = Counts(len(boot.hosts), bool(boot.options.command))
        for sink in (self.out, self.err):
            sink.attach(boot.loop)
            sink.drained = self._drained
        self._output.attach(boot.loop)
        self.out.broke = boot.stop
        self._plain = PlainLines(self._clock())
        self._look_at = self._clock() + FIRST_LOOK
        self._display.begin(boot.loop, bool(boot.options.command), lambda: self._show(at_once=True))
        if not self._quiet:
            boot.loop.later(FRAME, self._beat)

    def launched(self, count: int) -> None:
        """So many launches have begun."""
        self.counts.launches = count
        self._show()

    def changed(self, host: str, report: HostReport) -> None:
        """A host came up or failed."""
        if report.begun and report.state == "up":
            self._output.started(host)
        self.counts.changed(host, report, host in self._up)
        (self._up.add if report.state == "up" else self._up.discard)(host)
        if report.state != "up" and not self._display.is_live and not self._quiet:
            self._say_if_any(self._plain.failure(self.counts))
        self._show()

    def slow(self, host: str, slow: bool) -> None:
        """A host says nothing, though its kernel answers; or it is heard again."""
        (self.counts.slow.add if slow else self.counts.slow.discard)(host)
        self._show()

    def booted(self) -> None:
        """All hosts are up or have failed."""
        self.counts.booted = True
        if self._boot is not None and not self.counts.command:
            self._taken = self._boot.elapsed
        self._show()

    def exited(self, host: str, code: int | None) -> None:
        """The command has ended on a host."""
        self._output.ended(host, code)
        self.counts.exited(host, code)
        self._show()

    def output(self, host: str, stream: int, line: bytes) -> None:
        """A line of the command's output."""
        self._passed(host, stream, line, True)

    def part(self, host: str, stream: int, piece: bytes) -> None:
        """A part of a line, whose end does not follow."""
        self._passed(host, stream, piece, False)

    def log(self, line: str) -> None:
        """A line of the launches' log."""
        self.say(line)

    def under_way(self, look: Look) -> None:
        """Which launches are under way."""
        if self._boot is not None:
            self.counts.seconds = self._boot.elapsed
            self.counts.looked(look)
            self._look_at = self._clock() + LOOKS + look.count * LOOK_COSTS
            self._show(at_once=True)

    def stopping(self, why: str) -> None:
        """The boot is being ended."""
        self.counts.ending = {causes.DEADLINE: "deadline reached"}.get(why, why) + ", ending"
        self._plain.hurry()
        self._show(at_once=True)

    # -- what the command says ---------------------------------------------------------------------

    def say(self, line: str) -> None:
        """A line of mpboot's own."""
        self._display.say(line)

    def end(self) -> None:
        """The boot has ended: the display goes, the sinks write at once again."""
        self._display.end()
        for one in (self.out, self.err, self._output):
            one.attach(None)
        self._quiet = True

    # -- inside ------------------------------------------------------------------------------------

    def _passed(self, host: str, stream: int, line: bytes, whole: bool) -> None:
        self._output.line(host, stream, line, whole)
        if self._display.uncovered():
            self._show()

    def _drained(self) -> None:
        """A sink has written all that had to wait."""
        if self._boot is not None and not self.full:
            self._boot.eased()

    def _beat(self) -> None:
        assert self._boot is not None
        self._boot.loop.later(BEAT, self._beat)
        self._ask()
        self._show(at_once=True)

    def _ask(self) -> None:
        """Ask what takes long, if it is time to."""
        assert self._boot is not None
        now = self._clock()
        if now >= self._look_at and self.counts.launching and not self.counts.booted and not self.counts.ending:
            self._look_at = now + 2 * LOOKS  # should no answer come
            self._boot.look()

    def _show(self, at_once: bool = False) -> None:
        """Draw a frame, or say a line, if it is time to."""
        if self._quiet or self._boot is None:
            return
        self.counts.seconds = self._taken or self._boot.elapsed
        if self._display.is_live:
            self._display.draw(self.counts, at_once)
        else:
            self._say_if_any(self._plain.line(self.counts, self._clock()))

    def _say_if_any(self, line: str) -> None:
        if line:
            self.say(line)
