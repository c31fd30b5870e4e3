"""How many launches this machine may begin now: it goes on while its processors keep up."""

from __future__ import annotations

import os
import resource
from time import monotonic

from mpboot.net import core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

YOUNG = 8  # launches at once whose rsh has not been started yet; in between the loop sees to what has come
CROWD = 8  # runnable processes for each processor that are too many
WAIT = 0.01  # seconds until the next look, where the processors are busy
EACH = 0.02  # seconds of waiting for which one launch begins all the same: others' load must not stop the boot
DESCRIPTORS = 2  # that a worker costs its parent; a child costs one
RESERVE = 24  # descriptors kept for everything else, the making of a worker among it


def runnable() -> Optional[int]:
    """How many processes could run right now, this one included; None where that is not known."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            return int(file.read().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return None


class Pace:
    """Looks whether more launches would only stand in each other's way."""

    def __init__(self) -> None:
        self._crowd = CROWD * (os.cpu_count() or 1)
        self._waits_since = 0.0  # monotonic; 0: not waiting

    def go(self, young: int) -> int:
        """How many launches may begin, besides those that are ``young``; 0: look again after WAIT."""
        busy, now = runnable(), monotonic()
        if busy is None or busy <= self._crowd:
            self._waits_since = 0.0
            return YOUNG - young
        # Counted in time, since on such a machine this process gets to look far less often than it asks to.
        due = int((now - self._waits_since) / EACH) if self._waits_since else 0
        if due or not self._waits_since:
            self._waits_since = now
        return min(due, YOUNG - young)


def descriptors() -> int:
    """How many this process may have open; the limit is raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            core.limit(resource.RLIMIT_NOFILE, hard, hard)
            soft = hard
        except (OSError, ValueError):
            pass  # some systems limit it further: what there was remains
    return soft


def room_for_children(workers: int) -> int:
    """How many children fit into the limit of open files beside so many workers."""
    return descriptors() - RESERVE - DESCRIPTORS * workers
