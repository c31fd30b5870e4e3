"""The terminal behind standard error: its size, whether it may be drawn on now, and text that fits into its columns."""

from __future__ import annotations

import os
from collections.abc import Iterable
from unicodedata import combining, east_asian_width

COLUMNS, LINES = 80, 24  # of a terminal that does not know its own
LEAST_WIDTH, LEAST_HEIGHT = 20, 3  # text is made for them even where a terminal has fewer, and no frame is drawn
DEEPEST = 0.6  # of the width: a column that begins behind that is too narrow to go on in

SGR = {
    "green": "32", "yellow": "33", "red": "31", "bold red": "1;31", "cyan": "36", "magenta": "35", "dim": "2",
    "bold yellow": "1;33",
}  # fmt: skip


class Screen:
    """The terminal behind a descriptor."""

    def __init__(self, fd: int = 2) -> None:
        """``fd`` need not be a terminal."""
        self._fd = fd

    def size(self) -> tuple[int, int]:
        """Columns, but one, for a full line would move the cursor on; and lines."""
        columns, lines = self._real_size()
        return max(LEAST_WIDTH, columns - 1), max(LEAST_HEIGHT, lines)

    def has_room(self) -> bool:
        """Does it hold a frame? One that it would wrap can't be taken off again."""
        columns, lines = self._real_size()
        return columns > LEAST_WIDTH and lines >= LEAST_HEIGHT

    def _real_size(self) -> tuple[int, int]:
        try:
            columns, lines = os.get_terminal_size(self._fd)
        except OSError:
            columns, lines = 0, 0
        return columns or COLUMNS, lines or LINES

    def is_free(self, shared: bool) -> bool:
        """May something be drawn now, and drawn over?

        Not in the background. Nor, where the screen is ``shared`` with the program that reads our output, while that
        one has it for itself, as less does.
        """
        try:
            if os.tcgetpgrp(self._fd) not in (0, os.getpgrp()):  # 0: a process that this namespace does not show
                return False
        except OSError:
            pass  # not the terminal that controls us: nobody is in front of it
        if not shared:
            return True
        import termios

        try:
            flags: int = termios.tcgetattr(self._fd)[3]
        except termios.error:
            return True
        return bool(flags & termios.ICANON)


def terminal_width() -> int:
    """Columns of the terminal behind standard error that may be filled."""
    return Screen().size()[0]


def colourless() -> bool:
    """Does NO_COLOR forbid colours, or can the terminal not show any?"""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "dumb") == "dumb"


class Paint:
    """Colours text, where that is wanted."""

    def __init__(self, plain: bool | None = None) -> None:
        """``plain``: no colours; None to ask the environment."""
        self.plain = colourless() if plain is None else plain

    def __call__(self, text: str, style: str) -> str:
        """The text in a style, one of SGR's or none."""
        return text if self.plain or not style or not text else f"\x1b[{SGR[style]}m{text}\x1b[0m"

    def line(self, parts: Iterable[tuple[str, str]], width: int) -> str:
        """A line of (text, style), cut to a width."""
        made, left = "", width
        for text, style in parts:
            if cells(text) > left:
                return made + self(cut(text, left), style)
            made += self(text, style)
            left -= cells(text)
        return made


def cells(text: str) -> int:
    """How many columns a terminal needs for a text that can be printed."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def cut(text: str, width: int) -> str:
    """As much of a text as has room in so many columns, with … where something is missing."""
    if cells(text) <= width:
        return text
    if width < 1:
        return ""
    text = text[: 4 * width]  # with marks that need no column of their own
    while cells(text) > width - 1:
        text = text[:-1]
    return text + "…"


def padded(text: str, width: int) -> str:
    """A text in a column of this width."""
    text = cut(text, width)
    return text + " " * (width - cells(text))


def wrapped(line: str, width: int) -> list[str]:
    """A line in pieces that fit, cut between words; what goes on does so below the line's last column."""
    if cells(line) <= width:
        return [line]
    from textwrap import wrap  # most boots wrap nothing

    column = line.rfind("  ") + 2 if "  " in line.strip() else 0
    indent = " " * (column if 0 < column <= width * DEEPEST else len("mpboot: "))
    return wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [line]
