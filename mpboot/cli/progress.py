"""What a person sees while a boot runs: a live display or a few plain lines; the command's output goes its own way.

All of it goes through sinks, so that no slow reader holds the boot up.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import Callable

from mpboot.cli.counts import Counts
from mpboot.cli.jobcontrol import JobControl
from mpboot.cli.live import Live
from mpboot.cli.output import Output
from mpboot.cli.plain import PlainLines
from mpboot.cli.screen import Screen, wrapped
from mpboot.cli.sink import Sink
from mpboot.head.observer import Look, Observer, RunningBoot
from mpboot.head.report import HostReport
from mpboot.text import printable
from mpboot.tree import causes

FRAME = 0.1  # seconds between two frames of the live display at least
BEAT = 0.5  # seconds after which it is drawn anew even if nothing happens
MOST_PENDING = 1 << 12  # bytes that wait for the terminal; with more than that no frame is drawn
LULL = 0.5  # seconds without output after which the display comes back where the output's reader may write on it
FIRST_LOOK = 2.5  # seconds until it is asked what takes long
LOOKS = 2.0  # seconds between two such questions at least, from the answer on
LOOK_COSTS = 0.01  # and for each launch so many seconds more, so that the answers cost the head little
HIDE = 0.2  # seconds that the terminal has to take the display off before a stop


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
    ) -> None:
        """``output`` takes the command's; ``quiet``: show nothing else; ``screen``: standard error's terminal."""
        self.out, self.err = out, err
        self.counts = Counts()
        self._output = output
        output.clear, output.say = self._clear, self.say
        self._cleared = False  # since the last frame, for a line of output
        self._shared = out.is_pipe and not out.is_terminal  # with who reads the output: he may write to this terminal
        self._lull = 0.0  # no frame is drawn before
        self._look_at = 0.0  # the next question what takes long
        self._screen = screen or Screen()
        self._quiet = quiet
        self._clock = clock
        drawn = err.is_terminal and not quiet and os.environ.get("TERM", "dumb") != "dumb"
        self._live: Live | None = None
        if drawn:
            self._live = Live(self._screen, apart=self._shared)
        self._jobs = JobControl(self._hide_at_once, lambda: self._show(at_once=True))
        self._drawn_at = 0.0
        self._plain = PlainLines(clock())
        self._up: set[str] = set()
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
        self._shared = self._shared and bool(boot.options.command)
        self._look_at = self._clock() + FIRST_LOOK
        if self._live is not None:
            self._live = Live(self._screen, apart=self._shared)
            self._jobs.begin(boot.loop)
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
        self._hide()
        text = f"mpboot: {printable(line)}"
        lines = wrapped(text, self._screen.size()[0]) if self.err.is_terminal else [text]
        self.err.write("".join(f"{one}\n" for one in lines).encode("utf-8", "backslashreplace"))

    def end(self) -> None:
        """The boot has ended: the display goes, the sinks write at once again."""
        self._hide()
        self._jobs.end()
        for one in (self.out, self.err, self._output):
            one.attach(None)
        self._live = None

    # -- inside ------------------------------------------------------------------------------------

    def _passed(self, host: str, stream: int, line: bytes, whole: bool) -> None:
        self._output.line(host, stream, line, whole)
        if self._cleared:
            self._cleared = False
            if self._shared:
                self._lull = self._clock() + LULL
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

    def _clear(self) -> None:
        self._cleared = True
        self._hide()

    def _hide(self) -> None:
        if self._live is not None:
            self.err.write(self._live.erase())

    def _hide_at_once(self) -> None:
        self._hide()
        self.err.push(HIDE)

    def _show(self, at_once: bool = False) -> None:
        """Draw a frame, or say a line, if it is time to."""
        if self._quiet or self._boot is None:
            return
        now = self._clock()
        self.counts.seconds = self._boot.elapsed
        if self._live is None:
            self._say_if_any(self._plain.line(self.counts, now))
        elif self.err.pending <= MOST_PENDING and (at_once or now - self._drawn_at >= FRAME):
            if now < self._lull or (self._shared and self.out.pending) or not self._screen.is_free(self._shared):
                return
            self._drawn_at = now  # where it was too early, a beat will follow
            self.err.write(self._live.frame(self.counts))

    def _say_if_any(self, line: str) -> None:
        if line:
            self.say(line)
