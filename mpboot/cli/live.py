"""The live display: a bar, numbers, the last failure, and what takes longest, as bytes for a terminal.

Between two frames the cursor stands at the beginning of the display's first line, and what is below it is our own. So
nothing above is lost where somebody else writes to the terminal, or its window is made narrower or wider.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mpboot.cli.counts import Counts
from mpboot.cli.screen import Paint, Screen, cells, cut, padded

if TYPE_CHECKING:
    from mpboot.head.observer import Launching

# The first line of a frame, then all below it (it has two at least): to clear all from the top of a screen at once is
# for tmux to keep what was there, in the lines that one scrolls back to.
ERASE = b"\r\x1b[K\x1b[B\x1b[J\x1b[A"
END_OF_LINE = "\x1b[K"
FEWEST, MOST, PART = 3, 8, 6  # launches that are shown, and of how many lines there is one for a launch
FIXED = 4  # lines beside the launches: the bar, the numbers, a failure, a hint
NAME = 0.3  # of the width that a host's name may have
BLOCK = "━"
PARTS = {"green": BLOCK, "yellow": "╍", "red": "x", "dim": "─"}  # without colours they can be told apart as well


class Live:
    """Draws the display, each frame over the one before, and takes it off the screen."""

    def __init__(self, screen: Screen, paint: Paint | None = None, pid: int = 0, apart: bool = False) -> None:
        """``pid``: whom a signal makes tell more, if not this process. ``apart``: leave a line empty above."""
        self._screen = screen
        self._paint = paint or Paint()
        self._pid = pid or os.getpid()
        self._above = [""] if apart else []
        self._drawn = False
        self._size = (0, 0)  # of the last frame
        self._least = 0  # lines that a frame has had, in this part of the boot
        self._booted = False

    def erase(self) -> bytes:
        """What takes the display off the screen."""
        drawn, self._drawn = self._drawn, False
        return ERASE if drawn else b""

    def frame(self, counts: Counts) -> bytes:
        """What draws the display, over the one that is there."""
        size = width, height = self._screen.size()
        # A terminal that wraps lines anew remembers which were one; that is over where they are erased before.
        start = self.erase() if size != self._size else b""
        self._size = size
        lines = self._above + self.lines(counts, width, height - len(self._above))
        self._drawn = True
        text = f"{END_OF_LINE}\r\n".join(lines) + "\x1b[J\r"
        up = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        return start + f"\r{text}{up}".encode("utf-8", "replace")

    def lines(self, counts: Counts, width: int, height: int) -> list[str]:
        """The display, in so many columns and fewer than so many lines; it grows at times, and never shrinks."""
        paint = self._paint
        lines = [self._bar(counts, width), paint.line(numbers(counts, width), width)]
        if counts.last_failure:
            lines.append(paint(cut(counts.last_failure, width), "dim"))
        commands = counts.booted and counts.command
        hint = ""
        if commands and counts.running:
            lines.append(cut(f"runs on {counts.who_runs()}", width))
            hint = f"kill -USR1 {self._pid} shows all hosts on which it runs"
        elif not counts.booted and counts.look is not None:
            room = min(max(FEWEST, min(MOST, height // PART)), height - 1 - FIXED)
            lines += rows(_chosen(counts.longest(), room), width, paint)
            count = counts.under_way
            what = f"{count} launches" if count > 1 else "that is known of it"
            hint = f"kill -USR1 {self._pid} shows all {what}" if count else ""
        if hint and len(lines) < height - 1:
            lines.append(paint(cut(hint, width), "dim"))
        if counts.booted != self._booted:
            self._booted, self._least = counts.booted, 0
        self._least = min(max(self._least, len(lines)), height - 1)
        return (lines + [""] * (self._least - len(lines)))[: height - 1]

    def _bar(self, counts: Counts, width: int) -> str:
        if counts.booted and counts.command:
            left = max(0, counts.up - counts.ended)
            parts = {"green": counts.ended - counts.ended_badly, "red": counts.ended_badly + counts.failed, "dim": left}
        else:
            again = counts.retrying
            rest = max(0, counts.total - counts.up - counts.failed - again)
            parts = {"green": counts.up, "yellow": again, "red": counts.failed, "dim": rest}
        shares = _shares(list(parts.values()), width)
        return "".join(
            self._paint((PARTS[style] if self._paint.plain else BLOCK) * share, style)
            for style, share in zip(parts, shares)
        )


def numbers(counts: Counts, width: int) -> list[tuple[str, str]]:
    """How many hosts are where, and since when, as (text, style); with the rate where there is room."""
    parts = [] if counts.is_job else [(f"{counts.up}/{counts.total} up", "green")]
    if counts.booted and counts.command:
        parts.append(
            (f"{counts.ended}/{counts.total} ended", "green") if counts.is_job else (f"{counts.ended} ended", "cyan")
        )
        if counts.ended_badly:
            parts.append((f"{counts.ended_badly} not with 0", "red"))
    else:
        parts.append((f"{counts.launching} launching", "cyan"))
        if counts.retrying:
            parts.append((f"{counts.retrying} retrying", "yellow"))
    if counts.failed:
        parts.append((f"{counts.failed} failed", "bold red"))
    if counts.slow:
        parts.append((counts.who_is_slow(), "yellow"))
    last = [(f"{counts.seconds:.1f} s", "")]
    if counts.ending:
        last.append((counts.ending, "bold yellow"))
    if not counts.booted:
        rate = counts.up / counts.seconds if counts.seconds else 0.0
        more = [*parts, (f"{rate:.1f} hosts/s", ""), *last]
        if sum(cells(text) + 2 for text, _ in more) - 2 <= width:
            parts = [*parts, (f"{rate:.1f} hosts/s", "")]
    parts += last
    return [part for number, one in enumerate(parts) for part in ([("  ", "")] if number else []) + [one]]


def rows(launches: Sequence[Launching], width: int, paint: Paint) -> list[str]:
    """A line for each launch under way: host, attempt, phase, since when, until when, what it waits for."""
    name = min(max((cells(one.host) for one in launches), default=0), int(width * NAME))
    phase = max((len(one.phase) for one in launches), default=0)
    again = any(one.attempt > 1 for one in launches)
    limited = any(one.left is not None for one in launches)
    made = []
    for one in launches:
        parts = [(padded(one.host, name), "")]
        if again:
            parts.append((padded(f"attempt {one.attempt}", len("attempt 2")), "yellow" if one.attempt > 1 else "dim"))
        parts += [(padded(one.phase, phase), ""), (f"{one.seconds:3.0f} s", "")]
        if limited:
            parts.append((padded(gives_up(one.left), len("gives up in 12 s")), ""))
        parts.append((one.waits_for, "dim"))
        spaced = [part for number, part in enumerate(parts) for part in ([("  ", "")] if number else []) + [part]]
        made.append(paint.line(spaced, width))
    return made


def _chosen(launches: Sequence[Launching], room: int) -> list[Launching]:
    """Those that take longest, as many as there is room for, and one at least that is a retry, if there is any."""
    if room < 1:
        return []
    chosen, rest = list(launches[:room]), launches[room:]
    retry = next((one for one in rest if one.attempt > 1), None)
    if retry is not None and not any(one.attempt > 1 for one in chosen):
        chosen[-1] = retry
    return chosen


def gives_up(left: float | None) -> str:
    """When a launch is given up, for people; empty where nobody knows."""
    return "" if left is None else f"gives up in {left:.0f} s" if left >= 1 else "gives up now"


def _shares(parts: Sequence[int], width: int) -> list[int]:
    """So many columns for each part: in proportion, but one at least for what is not nothing."""
    total = sum(parts)
    if not total:
        return [0] * (len(parts) - 1) + [width]
    shares = [max(1, part * width // total) if part else 0 for part in parts]
    largest = max(range(len(parts)), key=lambda at: shares[at])
    shares[largest] += width - sum(shares)
    return shares
