"""What the user typed, checked: values in, or one line that says what to change."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, NoReturn

from mpboot.cli.codes import UsageError

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink
    from mpboot.head.options import Options
    from mpboot.hosts.sources import HostList

FINDS_CHILDREN = ("adaptive",)  # topologies for which --children may be auto
MAX_SECONDS = 1_000_000
MAX_CHILDREN = 100_000


def options(given: dict[str, Any]) -> Options:
    """The library's options; what is None has its default there."""
    from mpboot.head.options import Options

    try:
        return Options(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise UsageError(str(error)) from None


def find_hosts(hostfile: str | None, hosts: str | None) -> HostList:
    from mpboot.hosts.host import HostError
    from mpboot.hosts.sources import find_hosts

    try:
        return find_hosts(hostfile, hosts, os.environ)
    except HostError as error:
        raise UsageError(str(error)) from None


def warn(found: HostList, err: Sink) -> None:
    """Say what is doubtful about the hosts."""
    err.write("".join(f"mpboot: warning: {warning}\n" for warning in found.warnings).encode())
    err.flush()


def wrong(name: str, text: str, wanted: str) -> NoReturn:
    variable = "MPBOOT_" + name.lstrip("-").upper().replace("-", "_")
    where = f"{name} ({variable})" if os.environ.get(variable) == text else name
    raise UsageError(f"{where} must be {wanted}, not '{text}'")


def seconds(name: str, text: str, or_none: bool = False) -> float:
    """A time; with ``or_none`` 0 is one too."""
    wanted = f"a number of seconds, {'0 or more' if or_none else 'more than 0'} and at most {MAX_SECONDS}"
    try:
        value = float(text)
    except ValueError:
        wrong(name, text, wanted)
    if not math.isfinite(value) or not 0 <= value <= MAX_SECONDS or (value == 0 and not or_none):
        wrong(name, text, wanted)
    return value


def count(name: str, text: str, least: int, most: int, extra: str = "") -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and least <= int(digits) <= most):
        wrong(name, text, f"a number from {least} to {most}{extra}")
    return int(digits)


def children(text: str, topology: str) -> int:
    if text == "auto" and topology in FINDS_CHILDREN:
        return 0
    if text == "auto":
        raise UsageError(f"--children auto: the topology {topology} needs a number, such as 4")
    return count("--children", text, 1, MAX_CHILDREN)


def percent(name: str, text: str) -> float:
    try:
        share = float(text[:-1] if text.endswith("%") else text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        wrong(name, text, "a percentage such as 5%")
    return share / 100


def user(text: str) -> str:
    from mpboot.hosts.syntax import USER

    if not USER.fullmatch(text):
        wrong("--user", text, "a user's name: letters, digits, dots, dashes and underscores")
    return text


def quorum(text: str, total: int) -> int:
    wanted = f"a number of hosts from 1 to {total}, or a percentage such as 95%"
    if text.endswith("%"):
        try:
            share = float(text[:-1])
        except ValueError:
            wrong("--quorum", text, wanted)
        if not 0 < share <= 100:
            wrong("--quorum", text, "more than 0% and at most 100%")
        return max(1, math.ceil(round(total * share / 100, 6)))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= total):
        wrong("--quorum", text, wanted)
    return int(text)


# -- JSON ------------------------------------------------------------------------------------------
