"""What a person sees while a boot runs: a live display on a terminal, a few plain lines elsewhere, and the

command's output, host in front. All of it goes through sinks, so that no slow reader holds the boot up.
"""

from __future__ import annotations

import os
import sys
from time import monotonic
from typing import TYPE_CHECKING, Callable

from mpboot.cli.sink import Sink
from mpboot.head.observer import Observer, RunningBoot
from mpboot.head.report import HostReport
from mpboot.net.outlet import STDOUT
from mpboot.text import printable
from mpboot.tree import causes

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

FRAME = 0.1  # seconds between two frames of the live display at least
BEAT = 0.5  # seconds after which it is drawn anew even if nothing happens
PLAIN_PAUSE = 1.0  # seconds between two plain lines
SINGLE_FAILURES = 20  # failures told one by one in plain lines; the report has them all
COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)  # of hosts, as terminals number them


class Counts:
    """How far the boot is."""

    def __init__(self) -> None:
        self.total = self.launches = self.up = self.failed = self.ended = 0
        self.settled = 0  # launches of hosts that are up or have failed
        self.seconds = 0.0
        self.command = False
        self.booted = False
        self.last_failure = ""
        self.ending = ""

    @property
    def launching(self) -> int:
        """Hosts whose launch is under way or will be repeated."""
        return max(0, min(self.launches - self.settled, self.total - self.up - self.failed))

    def changed(self, label: str, report: HostReport, was_up: bool) -> None:
        """A host came up, failed, or was up and is lost."""
        self.up += (report.state == "up") - was_up
        if report.state == "up":
            self.settled += report.attempts
            return
        self.failed += 1
        self.settled += 0 if was_up else report.attempts
        lines = [line.strip() for line in report.detail.splitlines() if line.strip()]
        self.last_failure = printable(f"{label} failed: {report.cause}" + (f": {lines[-1]}" if lines else ""))

    def line(self) -> str:
        """All in one line."""
        if self.booted and self.command:
            text = f"{self.up} of {self.total} up, the command has ended on {self.ended}"
        else:
            text = f"{self.up} of {self.total} up, {self.launching} launching"
        if self.failed:
            text += f", {self.failed} failed"
        return text + f", {self.seconds:.1f} s" + (f", {self.ending}" if self.ending else "")


class Progress(Observer):
    """An Observer that shows the boot on two sinks. ``quiet``: only the command's output."""

    def __init__(
        self,
        out: Sink,
        err: Sink,
        quiet: bool = False,
        clock: Callable[[], float] = monotonic,
        width: int | None = None,
    ) -> None:
        """``width``: of the terminal; None to ask it each time."""
        self.out, self.err = out, err
        self.counts = Counts()
        self._quiet = quiet
        self._clock = clock
        self._live = None if quiet or not err.is_terminal or os.environ.get("TERM", "dumb") == "dumb" else Live(width)
        self._coloured = not os.environ.get("NO_COLOR")
        self._told = ""
        self._told_at = -PLAIN_PAUSE
        self._drawn_at = 0.0
        self._up: set[str] = set()
        self._failures = 0
        self._colours: dict[str, int] = {}
        self._boot: RunningBoot | None = None

    # -- what the boot tells -----------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Does output wait for its reader?"""
        return bool(self.out.pending or self.err.pending)

    def begin(self, boot: RunningBoot) -> None:
        """The boot begins: write in its loop."""
        self._boot = boot
        self.counts.total = len(boot.hosts)
        self.counts.command = bool(boot.options.command)
        for sink in (self.out, self.err):
            sink.attach(boot.loop)
            sink.drained = self._drained
        self.out.broke = boot.stop
        self._told_at = self._clock()
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
        if report.state != "up" and self._live is None and not self._quiet and not self._ending:
            self._failures += 1
            if self._failures <= SINGLE_FAILURES:
                self.say(self.counts.last_failure)
        self._show()

    def booted(self) -> None:
        """All hosts are up or have failed."""
        self.counts.booted = True
        self._show()

    def exited(self, host: str, code: int) -> None:  # noqa: ARG002
        """The command has ended on a host."""
        self.counts.ended += 1
        self._show()

    def output(self, host: str, stream: int, line: bytes) -> None:
        """A line of the command's output: as it is, with the host in front."""
        sink = self.out if stream == STDOUT else self.err
        if sink.is_terminal:
            self._hide()
            label = host.encode() + b":"
            if self._coloured:
                colour = self._colours.setdefault(host, COLOURS[len(self._colours) % len(COLOURS)])
                label = b"\x1b[%dm%s\x1b[0m" % (colour, label)
            reset = b"\x1b[0m" if b"\x1b" in line else b""
            sink.write(b"%s %s%s\n" % (label, line, reset))
            self._show()
        else:
            sink.write(host.encode() + b": " + line + b"\n")

    def log(self, line: str) -> None:
        """A line of the launches' log."""
        self.say(line)

    def stopping(self, why: str) -> None:
        """The boot is being ended."""
        self.counts.ending = {causes.DEADLINE: "deadline reached"}.get(why, why) + ", ending"
        self._told_at = -PLAIN_PAUSE
        self._told = ""
        self._show(at_once=True)

    # -- what the command says ---------------------------------------------------------------------

    def say(self, line: str) -> None:
        """A line of mpboot's own."""
        self._hide()
        self.err.write(f"mpboot: {printable(line)}\n".encode("utf-8", "backslashreplace"))

    def end(self) -> None:
        """The boot has ended: the display goes, the sinks write at once again."""
        self._hide()
        for sink in (self.out, self.err):
            sink.attach(None)
        self._live = None

    # -- inside ------------------------------------------------------------------------------------

    @property
    def _ending(self) -> bool:
        return bool(self.counts.ending)

    def _drained(self) -> None:
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
        if self._live is not None:
            if self.err.pending > 1 << 12 or (now - self._drawn_at < FRAME and not at_once):
                return  # a beat will follow
            self._drawn_at = now
            self.err.write(self._live.frame(self.counts))
        elif now - self._told_at >= PLAIN_PAUSE:
            counts = self.counts
            news = f"{counts.up} {counts.launches} {counts.failed} {counts.ended} {counts.booted}"
            if news != self._told:
                self._told, self._told_at = news, now
                self.say(counts.line())


class Live:
    """The live display as bytes for a terminal: a bar and numbers, and the last failure in a second line."""

    def __init__(self, width: int | None = None) -> None:
        self._width = width
        self._height = 0  # lines that are on the screen now; the cursor stands in the last
        self._console: Console | None = None

    def erase(self) -> bytes:
        """What takes the display off the screen."""
        if not self._height:
            return b""
        height, self._height = self._height, 0
        return b"\r\x1b[2K" + b"\x1b[1A\x1b[2K" * (height - 1)

    def frame(self, counts: Counts) -> bytes:
        """What draws the display, over the one that is there."""
        console = self._get_console()
        lines = [self._numbers(counts)]
        if counts.last_failure:
            from rich.text import Text

            lines.append(Text(counts.last_failure, style="dim", no_wrap=True, overflow="ellipsis"))
        with console.capture() as capture:
            for line in lines:
                console.print(line, no_wrap=True, overflow="crop", crop=True)
        drawn = capture.get().rstrip("\n").encode("utf-8", "replace")
        before = self.erase() or b"\r\x1b[2K"  # what was typed meanwhile stands there
        self._height = len(lines)
        return before + drawn

    def _get_console(self) -> Console:
        from rich.console import Console

        width = self._width or terminal_width()
        if self._console is None or self._console.width != width:
            self._console = Console(
                file=sys.stderr, force_terminal=True, width=width, highlight=False, markup=False, emoji=False
            )
        return self._console

    def _numbers(self, counts: Counts) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{counts.up}/{counts.total} up", "green")
        if counts.booted and counts.command:
            text.append(f"  {counts.ended} ended", "cyan")
        else:
            text.append(f"  {counts.launching} launching", "cyan")
        if counts.failed:
            text.append(f"  {counts.failed} failed", "bold red")
        rate = counts.up / counts.seconds if counts.seconds else 0.0
        if not counts.booted:
            text.append(f"  {rate:.1f} hosts/s")
        text.append(f"  {counts.seconds:.1f} s")
        if counts.ending:
            text.append(f"  {counts.ending}", "bold yellow")
        row = Table.grid(padding=(0, 1))
        row.add_column(width=20)
        row.add_column(no_wrap=True, overflow="ellipsis")
        row.add_row(ProgressBar(total=max(1, counts.total), completed=counts.up + counts.failed, width=20), text)
        return row


def terminal_width() -> int:
    """Columns of the terminal behind standard error, but one: a full line would move the cursor on."""
    try:
        columns = os.get_terminal_size(2).columns
    except OSError:
        columns = 80
    return max(20, (columns or 80) - 1)
