"""Text for people and from commands: lines, what may be printed, folded names, tables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FOLDABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")  # names that a node set can hold


@dataclass
class Lines:
    """Cuts a stream into lines; one that is longer than LONGEST bytes, or never ends, comes in pieces."""

    LONGEST = 1 << 14
    rest: bytes = b""  # the line that has not ended yet

    def cut(self, text: bytes) -> list[tuple[bytes, bool]]:
        """(line without its end, True) for each that ``text`` completes; (piece, False) for the first of a longer one.

        Where a long line is cut does not depend on the pieces in which the stream comes.
        """
        text = self.rest + text
        *lines, self.rest = text.split(b"\n")
        if len(text) <= self.LONGEST:
            return [(line, True) for line in lines]
        found: list[tuple[bytes, bool]] = []
        for line in lines:
            *pieces, last = self._pieces(line)
            found += [(piece, False) for piece in pieces]
            found.append((last, True))
        *pieces, self.rest = self._pieces(self.rest)
        return found + [(piece, False) for piece in pieces]

    def _pieces(self, line: bytes) -> list[bytes]:
        """A line in pieces of LONGEST bytes; the last may be shorter, and is empty only where the line is."""
        return [line[at : at + self.LONGEST] for at in range(0, len(line), self.LONGEST)] or [line]


def printable(text: str) -> str:
    """The text, with a backslash escape for each character that can't be printed, such as those of terminals."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(one: str) -> str:
    """A character as shells have it in $'': a byte that is no UTF-8 as that byte."""
    return f"\\x{ord(one) - 0xDC00:02x}" if "\udc80" <= one <= "\udcff" else one.encode("unicode_escape").decode()


def shown(text: str, limit: int = 60) -> str:
    """The text quoted for a message: printable, and at most ``limit`` characters of it."""
    return "'" + printable(text if len(text) <= limit else text[: limit - 3] + "...") + "'"


def named(path: str) -> str:
    """A file's name as it stands in front of a colon: quoted where it ends with one itself, or is empty."""
    return shown(path) if path[-1:] in ("", ":") else path


def fold(labels: Iterable[str]) -> str:
    """Names as a node set, such as node[001-147]; names that no node set can hold follow, a comma between them."""
    names = list(labels)
    plain = [name for name in names if FOLDABLE.fullmatch(name)]
    odd = [name for name in names if not FOLDABLE.fullmatch(name)]
    if len(plain) > 1:
        try:
            from ClusterShell.NodeSet import NodeSet

            folded = NodeSet.fromlist(plain, autostep=None)
            if len(folded) == len(plain):
                plain = [str(folded)]
        except Exception:  # no ClusterShell, or names that it reads otherwise: then as they are
            pass
    return ",".join(plain + odd)


def seconds(value: float, exact: bool = True) -> str:
    """A time in seconds for people, with its unit; where it is not ``exact`` it may be less."""
    text = f"{value:.1f} s" if value < 120 else f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"
    return text if exact else f"<{text}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table's lines, each column as wide as its widest cell; the last may be as long as it likes."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)] if rows else []
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]).rstrip() for row in rows]


def as_typed(word: str) -> str:
    """A word as UTF-8 of the very bytes that were typed here: these are what hosts get, whatever the locales are."""
    try:
        return os.fsencode(word).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return word  # a program gave a word that can't be typed here
