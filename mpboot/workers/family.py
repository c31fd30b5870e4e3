"""Finds every process that came of one: by session, by descent, by a word in the environment.

It reads plain /proc: it is needed where psutil may not be, and where its import would cost more than the work.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List


def family(leader: int, token: bytes = b"") -> List[int]:
    """Living processes that came of ``leader``. Without /proc: the leader alone.

    They are those of the session that it leads (or led), whatever descends from it or them, and whatever has ``token``
    in its environment, become a daemon or not.
    """
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return [leader]
    parents: Dict[int, int] = {}
    found = set()
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid, "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
            if fields[0] in (b"Z", b"X"):
                continue
            parents[pid] = int(fields[1])
            if pid == leader or int(fields[3]) == leader:
                found.add(pid)
            elif token:
                with open("/proc/%d/environ" % pid, "rb") as variables:
                    if token in variables.read():
                        found.add(pid)
        except OSError:
            continue  # it ended meanwhile, or is another user's
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return sorted(found)


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each that is still there; one that is stopped is woken to see it."""
    for pid in pids:
        try:
            os.kill(pid, number)
            if number != _signal.SIGKILL:
                os.kill(pid, _signal.SIGCONT)
        except OSError:
            continue
