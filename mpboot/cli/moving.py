"""How far files are that go to hosts or come of them: a line on a terminal, or now and then one anywhere else."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING

from mpboot.cli.screen import terminal_width
from mpboot.text import printable, seconds

if TYPE_CHECKING:
    from mpboot.session.transfer import Going, Transfer

PAUSE = 0.3  # seconds between two lines of progress on a terminal
FIRST_WORD = 10.0  # seconds until there is one elsewhere; then after twice as long, and so on
LAST = 10  # so many hosts times fewer are left: then they are named
MOST_NAMED = 3
UNITS = ("B", "kB", "MB", "GB", "TB")


class Shown:
    """Says how far it is, on standard error, when it is called with what goes on."""

    def __init__(self, what: str) -> None:
        """``what`` goes on: push or pull."""
        self._what = what
        self._begun = self._last = monotonic()
        self._pause = FIRST_WORD
        self._there = False
        self._terminal = sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, one: Transfer) -> None:
        now = monotonic()
        if now - self._last <= (PAUSE if self._terminal else self._pause):
            return
        self._last = now
        line = f"mpboot: {self._what}: {told(one.going(), now - self._begun)}"
        if self._terminal:
            self._write(f"\r\x1b[K{line[: terminal_width()]}")
            self._there = True
        else:
            self._pause *= 2
            self._write(f"{line}\n")

    def clear(self) -> None:
        """Take it away."""
        if self._there:
            self._write("\r\x1b[K")
            self._there = False

    def _write(self, text: str) -> None:
        try:
            if sys.stderr is not None:
                sys.stderr.write(text)
                sys.stderr.flush()
        except OSError:
            self._terminal, self._pause = False, float("inf")  # nobody listens


def told(going: Going, passed: float) -> str:
    """It in a line: hosts, bytes, rate, time to go, and at the end the hosts that hold it up."""
    failed = going.hosts - going.done - len(going.open)
    rate = going.got / passed
    parts = [f"{going.done} of {going.hosts} hosts"]
    if failed:
        parts.append(f"{failed} failed")
    parts.append(size(going.got) + (f" of {size(going.total)}" if going.total else ""))
    parts.append(f"{size(int(rate))}/s")
    left = sum(wants - got for _, got, wants in going.open)
    if going.total and rate and left > 0:
        parts.append(f"{seconds(left / rate)} to go")
    line = ", ".join(parts)
    if going.done and going.open and len(going.open) * LAST <= going.hosts:
        slowest = sorted(going.open, key=lambda row: row[1])[:MOST_NAMED]
        line += "; slowest: " + ", ".join(
            f"{printable(host)} {f'{100 * got // wants}%' if wants else size(got)}" for host, got, wants in slowest
        )
    return line


def size(count: int) -> str:
    """Bytes, for people."""
    number, unit = float(count), 0
    while number >= 1000 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.0f} {UNITS[unit]}" if number >= 100 or not unit else f"{number:.1f} {UNITS[unit]}"
