"""How commands have ended, and where they still run, as lines for people: of a boot's command and of any other."""

from __future__ import annotations

from collections.abc import Iterable

from mpboot.text import fold, printable

LOST = 255  # the exit code of a command whose host was lost
OWN = (1, 2, 74, 141, LOST)  # codes that mpboot itself ends with: where they are a command's it is said


def exit_lines(ends: Iterable[tuple[str, int | None, str]]) -> list[str]:
    """A line for each way in which commands have ended, with its hosts, such as ``exit 3: node[004,017]``.

    ``ends``: of each host its label, the exit code (None: nobody knows it), and what is to be said beside that, such as
    ``lost``. Hosts where it ended with 0 have a line only where more than codes is to be said of any.
    """
    ways: dict[tuple[int | None, str], list[str]] = {}
    for label, code, why in ends:
        ways.setdefault((code, why), []).append(label)
    if not any(why for _, why in ways):
        ways.pop((0, ""), None)
    return [
        printable(_line(code, why, fold(labels)))
        for (code, why), labels in sorted(ways.items(), key=lambda way: (way[0][0] is None, way[0][0] or 0, way[0][1]))
    ]


def _line(code: int | None, why: str, hosts: str) -> str:
    if code in OWN and not why:
        return f"exit {code}: {hosts} (the command's own)"
    return f"exit {'unknown' if code is None else code}{f' ({why})' if why else ''}: {hosts}"


def outstanding(running: Iterable[str], ended: int, total: int) -> str:
    """On how many hosts of all the command has ended, and where it runs, in a line with all of their names."""
    hosts = list(running)
    where = f": {printable(fold(hosts))}" if hosts else ""
    count = f"{len(hosts) or 'no'} host{'s' * (len(hosts) != 1)}"
    return f"the command has ended on {ended} of {total}, and runs on {count}{where}"
