"""The live display: a bar, numbers and the last failure, as bytes for a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mpboot.cli.counts import Counts

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

ERASE_LINE = b"\r\x1b[2K"
ERASE_LINE_ABOVE = b"\x1b[1A\x1b[2K"
BAR = 20  # columns
LEAST_WIDTH = 20  # columns


class Live:
    """Draws the display, each frame over the one before, and takes it off the screen."""

    def __init__(self, width: int | None = None) -> None:
        """``width``: of the terminal, in columns; None to ask it each time."""
        self._width = width
        self._height = 0  # lines that are on the screen now; the cursor stands in the last
        self._console: Console | None = None

    def erase(self) -> bytes:
        """What takes the display off the screen."""
        if not self._height:
            return b""
        height, self._height = self._height, 0
        return ERASE_LINE + ERASE_LINE_ABOVE * (height - 1)

    def frame(self, counts: Counts) -> bytes:
        """What draws the display, over the one that is there."""
        console = self._get_console()
        lines = [_numbers(counts)]
        if counts.last_failure:
            from rich.text import Text

            lines.append(Text(counts.last_failure, style="dim", no_wrap=True, overflow="ellipsis"))
        with console.capture() as capture:
            for line in lines:
                console.print(line, no_wrap=True, overflow="crop", crop=True)
        drawn = capture.get().rstrip("\n").encode("utf-8", "replace")
        before = self.erase() or ERASE_LINE  # what was typed meanwhile stands there
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


def _numbers(counts: Counts) -> RenderableType:
    """The first line: the bar, and the numbers beside it."""
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
    if counts.slow:
        text.append(f"  {counts.who_is_slow()}", "yellow")
    if not counts.booted:
        rate = counts.up / counts.seconds if counts.seconds else 0.0
        text.append(f"  {rate:.1f} hosts/s")
    text.append(f"  {counts.seconds:.1f} s")
    if counts.ending:
        text.append(f"  {counts.ending}", "bold yellow")
    row = Table.grid(padding=(0, 1))
    row.add_column(width=BAR)
    row.add_column(no_wrap=True, overflow="ellipsis")
    row.add_row(ProgressBar(total=max(1, counts.total), completed=counts.up + counts.failed, width=BAR), text)
    return row


def terminal_width() -> int:
    """Columns of the terminal behind standard error, but one: a full line would move the cursor on."""
    try:
        columns = os.get_terminal_size(2).columns
    except OSError:
        columns = 80
    return max(LEAST_WIDTH, (columns or 80) - 1)
