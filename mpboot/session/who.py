"""Who hosts say they are: under which user and port an ssh would come to them, and whether it would get its way."""

from __future__ import annotations

import re
from collections.abc import Callable

from mpboot.head.jobs import End
from mpboot.net.login import FREE, NO_TERMINAL

MOST = 1 << 10  # bytes that a host may say of itself
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}\$?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


class Who:
    """Listens to the job that asks hosts. ``said(label, text)`` is called once for each host, with "" if it failed."""

    def __init__(self, labels: dict[int, str], said: Callable[[str, str], None]) -> None:
        self._labels = labels
        self._said = said
        self._texts: dict[int, bytes] = {}

    def output(self, rank: int, _: int, data: bytes) -> None:
        """A part of what a host says."""
        if len(self._texts.get(rank, b"")) < MOST:
            self._texts[rank] = self._texts.get(rank, b"") + data

    def ended(self, rank: int, end: End) -> None:
        """A host has given its whole answer."""
        text = self._texts.pop(rank, b"").decode("ascii", "replace")
        self._said(self._labels[rank], text if end.code == 0 else "")

    def noted(self, _: int, text: str) -> None:
        """Nothing is noted of what is no process."""

    def wants(self, _: int) -> None:
        """It has no input."""

    def over(self) -> None:
        """Nothing to do: each host was reported by itself."""

    def broken(self) -> None:
        """A fault in this program: the job counts as failed."""


def checked(text: str) -> tuple[str, int, bool]:
    """User, port and whether sshd permits terminals, out of what a host has said of itself. ValueError."""
    words = text.split()
    if len(words) != 3 or not _USER.fullmatch(words[0]) or not _PORT.fullmatch(words[1]) or int(words[1]) >= 1 << 16:
        raise ValueError("it has not said who it is")
    if words[2] not in (FREE, NO_TERMINAL):
        raise ValueError("its sshd forces a command (ForceCommand), which mpboot does not bypass")
    return words[0], int(words[1]), words[2] == FREE
