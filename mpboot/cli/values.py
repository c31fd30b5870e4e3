"""The values of the options: typer reads them by these functions, which say in words what they refuse."""

from __future__ import annotations

import math
import re
from typing import Callable, NoReturn

import typer

from mpboot.tree.policy import AUTO

MAX_SECONDS = 1_000_000
MAX_CHILDREN = 100_000
MAX_PID = 1 << 30
LONGEST = 18  # digits of a number
_PLAIN = re.compile(r"[!-^`-~]*")  # no underscores, and no digits of other scripts, which Python takes for numbers


def refuse(value: str, wanted: str) -> NoReturn:
    """Refuse a value; ``wanted`` in words that a sentence with «must be» can end in."""
    raise typer.BadParameter(f"must be {wanted}, not '{value}'")


def _number(value: str) -> float:
    """The number; what is none is nan, which lies within no limits. Python's own 1_0 is none."""
    try:
        return float(value) if _PLAIN.fullmatch(value) else math.nan
    except ValueError:
        return math.nan


def seconds(value: str) -> float:
    """A time above 0."""
    number = _number(value)
    if not 0 < number <= MAX_SECONDS:
        refuse(value, f"a number of seconds, more than 0 and at most {MAX_SECONDS}")
    return number


def seconds_or_zero(value: str) -> float:
    """A time, or none."""
    number = _number(value)
    if not 0 <= number <= MAX_SECONDS:
        refuse(value, f"a number of seconds, 0 or more and at most {MAX_SECONDS}")
    return number


def seconds_or_file(value: str) -> float | str:
    """A number of seconds, or whatever else as a file's name."""
    is_number = value.replace(".", "", 1).isdigit()
    return seconds(value) if is_number else value


def percentage(value: str) -> float:
    """A percentage, with or without its sign, as the part of 1."""
    number = _number(value[:-1] if value.endswith("%") else value)
    if not 0 <= number <= 100:
        refuse(value, "a percentage such as 5%")
    return number / 100


def count(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers from ``least`` to ``most``."""

    def whole_number(value: str) -> int:
        try:
            number = int(value) if _PLAIN.fullmatch(value) else least - 1
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            refuse(value, f"a number from {least} to {most}")
        return number

    return whole_number


_children = count(1, MAX_CHILDREN)
pid = count(1, MAX_PID)


def job(value: str) -> int:
    """A job's number."""
    if not (value.isascii() and value.isdecimal() and int(value[:LONGEST])) or len(value) > LONGEST:
        refuse(value, "the number of a job, as mpboot jobs shows it")
    return int(value)


def children(value: str) -> int:
    """How many children a node has; auto is 0."""
    return AUTO if value == "auto" else _children(value)


def place(kind: str) -> Callable[[str], str]:
    """A reader of the names of files or directories: an empty one is a variable that was not set."""

    def name(value: str) -> str:
        if not value:
            refuse(value, f"the name of a {kind}")
        return value

    return name


def choice(names: tuple[str, ...]) -> Callable[[str], str]:
    """A reader of one of the names."""

    def name(value: str) -> str:
        if value not in names:
            refuse(value, f"one of {', '.join(names)}")
        return value

    return name


def user(value: str) -> str:
    """A user's name, which becomes a word of rsh's command line."""
    from mpboot.hosts.syntax import USER

    if not USER.fullmatch(value):
        refuse(value, "a user's name: letters, digits, dots, dashes and underscores")
    return value


def python(value: str) -> str:
    """An interpreter on the hosts."""
    from mpboot.clientline import PYTHON, PYTHON_RULE

    if not PYTHON.fullmatch(value):
        refuse(value, PYTHON_RULE)
    return value


def enough_hosts(quorum: str, total: int) -> int:
    """How many of ``total`` hosts a quorum demands: a number of them, or a percentage, rounded up."""
    numbers = f"a number of hosts from 1 to {total}" if total > 1 else "1, the number of hosts"
    wanted = f"{numbers}, or a percentage above 0, such as 95%"
    if quorum.endswith("%"):
        percent = _number(quorum[:-1])
        if not 0 < percent <= 100:
            refuse(quorum, wanted)
        return max(1, math.ceil(round(total * percent / 100, 6)))
    number = int(quorum) if quorum.isascii() and quorum.isdecimal() and len(quorum) <= LONGEST else 0
    if not 1 <= number <= total:
        refuse(quorum, wanted)
    return number


def signal_number(value: str) -> int:
    """A signal, by name or number."""
    from signal import Signals

    if value.isdigit() and 0 < int(value) <= 64:
        return int(value)
    try:
        return int(Signals["SIG" + value.upper().removeprefix("SIG")])
    except KeyError:
        refuse(value, "a signal such as TERM or 15")


def variable(value: str) -> tuple[str, str]:
    """A variable for the command: NAME=VALUE, or NAME for the value that it has here."""
    import os

    name, equals, given = value.partition("=")
    if not name or (not equals and name not in os.environ):
        refuse(value, "NAME=VALUE, or the NAME of a variable that is set here")
    return name, given if equals else os.environ[name]


def session_name(value: str) -> str:
    """A session's name."""
    from mpboot.session.registry import SessionError, check_name

    try:
        return check_name(value)
    except SessionError:
        refuse(value, "letters, digits, _ . @ + -, at most 64 and the first none of . @ + -")
