"""The report of a boot in colours, for a terminal: each cause in that of its kind, and how many hosts are up."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mpboot.cli.screen import Paint
from mpboot.tree import causes

KINDS = {
    "red": (causes.RESOLVE, causes.REFUSED, causes.UNREACHABLE, causes.CONNECT_TIMEOUT),  # the way to the host
    "yellow": (causes.HANDSHAKE_TIMEOUT, causes.PASSWORD_PROMPT, causes.HOST_KEY, causes.AUTH),  # the login
    "magenta": (
        causes.SHELL_HANG, causes.NO_PYTHON, causes.AGENT_CRASH, causes.CALLBACK_BLOCKED, causes.LOST,
    ),  # what is on the host
    "cyan": (causes.RSH_MISSING, causes.RSH_FAILED, causes.DEADLINE, causes.INTERRUPTED),  # what is here
}  # fmt: skip
STYLES = {cause: style for style, kind in KINDS.items() for cause in kind}
_UP = re.compile(r"\b(\d+) of (\d+) hosts? up\b")


def coloured(lines: Iterable[str], paint: Paint) -> list[str]:
    """The lines of a failure table."""
    return [_row(line, paint) for line in lines]


def summary(line: str, paint: Paint) -> str:
    """The summary: green where all hosts are up, yellow else."""
    return _UP.sub(lambda found: paint(found[0], "green" if found[1] == found[2] else "yellow"), line, count=1)


def _row(line: str, paint: Paint) -> str:
    cause, space, rest = line.partition(" ")
    return f"{paint(cause, STYLES[cause])}{space}{rest}" if cause in STYLES else line
