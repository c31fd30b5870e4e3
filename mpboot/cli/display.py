"""The live display on its way to the terminal: when it is drawn, when it goes, and lines of mpboot's own between."""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, Callable

from mpboot.cli.jobcontrol import JobControl
from mpboot.cli.live import Live
from mpboot.cli.screen import Screen, wrapped
from mpboot.text import printable

if TYPE_CHECKING:
    from mpboot.cli.counts import Counts
    from mpboot.cli.sink import Sink
    from mpboot.net.loop import Loop

FRAME = 0.1  # seconds between two frames at least
BEAT = 0.5  # seconds after which it is drawn anew even if nothing happens
MOST_PENDING = 1 << 12  # bytes that wait for the terminal; with more than that no frame is drawn
LULL = 0.5  # seconds without output after which the display comes back where the output's reader may write on it
HIDE = 0.2  # seconds that the terminal has to take the display off before a stop


class Display:
    """On standard error, where that is a terminal that can; else nothing is drawn, and ``is_live`` is false."""

    def __init__(
        self, out: Sink, err: Sink, screen: Screen | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        """``screen``: standard error's terminal."""
        self.is_live = err.is_terminal and os.environ.get("TERM", "dumb") != "dumb"
        self._out, self._err = out, err
        self._screen = screen or Screen()
        self._clock = clock
        self._live = Live(self._screen)
        self._jobs: JobControl | None = None
        self._shared = False  # with who reads the output: he may write to this terminal
        self._covered = False  # output was written since the last frame
        self._lull = 0.0  # no frame is drawn before
        self._drawn_at = 0.0

    def leave_off(self, source: int) -> None:
        """Draw nothing if ``source``, a descriptor or -1, is a terminal: what is typed there would be drawn over."""
        if source >= 0 and os.isatty(source):
            self.is_live = False

    def begin(self, loop: Loop, has_output: bool, redraw: Callable[[], None]) -> None:
        """Draw from now on. ``redraw`` is called when it is to be drawn at once. ``has_output``: of commands."""
        self._shared = has_output and self._out.is_pipe
        if self.is_live:
            self._live = Live(self._screen, apart=self._shared)
            self._jobs = JobControl(self._hide_at_once, redraw)
            self._jobs.begin(loop)

    def end(self) -> None:
        """Take it off; nothing is drawn any more."""
        self.hide()
        self.is_live = False
        if self._jobs is not None:
            self._jobs.end()

    def hide(self) -> None:
        """Take it off, until the next frame."""
        if self.is_live:
            self._err.write(self._live.erase())

    def cover(self) -> None:
        """Take the display off for output; ``uncovered`` says whether there was any."""
        self._covered = True
        self.hide()

    def uncovered(self) -> bool:
        """Was there output since the last time? Then a frame is due, after a lull where the screen is shared."""
        covered, self._covered = self._covered, False
        if covered and self._shared:
            self._lull = self._clock() + LULL
        return covered

    def draw(self, counts: Counts, at_once: bool = False) -> None:
        """Draw a frame, if it is time to; where it is too early, the next beat will do."""
        now = self._clock()
        if not self.is_live or self._err.pending > MOST_PENDING or not (at_once or now - self._drawn_at >= FRAME):
            return
        if now < self._lull or (self._shared and self._out.pending):
            return
        if not (self._screen.is_free(self._shared) and self._screen.has_room()):
            return  # and one that is there is left alone: a terminal that is wide again has it as it was
        self._drawn_at = now
        self._err.write(self._live.frame(counts))

    def say(self, line: str) -> None:
        """A line of mpboot's own."""
        self.hide()
        text = f"mpboot: {printable(line)}"
        lines = wrapped(text, self._screen.size()[0]) if self._err.is_terminal else [text]
        self._err.write("".join(f"{one}\n" for one in lines).encode("utf-8", "backslashreplace"))

    def _hide_at_once(self) -> None:
        self.hide()
        self._err.push(HIDE)
