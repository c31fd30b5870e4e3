"""Processes as /proc shows them from outside all namespaces."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Seen:
    """A process, as it was at one moment."""

    pid: int
    parent: int
    state: str
    seconds: float  # of processor time, that of its ended children included
    begun: int  # in ticks of the kernel's


def processes() -> dict[int, Seen]:
    """All processes of this machine."""
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks = sum(int(field) for field in fields[11:15])
            found[int(entry)] = Seen(int(entry), int(fields[1]), fields[0], ticks / TICKS, int(fields[19]))
    return found


def below(root: int) -> Iterator[Seen]:
    """The processes that descend from ``root``; itself it is not among them."""
    children: dict[int, list[Seen]] = {}
    for seen in processes().values():
        children.setdefault(seen.parent, []).append(seen)
    todo = list(children.get(root, ()))
    while todo:
        seen = todo.pop()
        yield seen
        todo += children.get(seen.pid, ())


def first_processes(supervisor: int) -> list[int]:
    """Process 1 of the head and of each host of the supervisor's cluster, in their order."""
    known = [seen for seen in processes().values() if seen.parent == supervisor]
    return [seen.pid for seen in sorted(known, key=lambda seen: (seen.begun, seen.pid)) if is_first(seen.pid)]


def is_first(pid: int) -> bool:
    """Is it process 1 of a PID namespace below ours?"""
    try:
        numbers = Path(f"/proc/{pid}/status").read_text().partition("\nNSpid:")[2].partition("\n")[0].split()
    except OSError:
        return False
    return len(numbers) > 1 and numbers[-1] == "1"
