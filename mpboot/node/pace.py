"""How many launches this machine can keep under way: it goes on while its processors keep up."""

from __future__ import annotations

import os
import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

STEP = 4  # launches that are added at a time
WAIT = 0.004  # seconds until the next look, where the processors are busy
FALLBACK = 64  # launches at once where the kernel does not tell what is runnable
DESCRIPTORS = 3  # that a worker costs its parent; a child costs one
RESERVE = 40  # descriptors kept for everything else


def runnable() -> Optional[int]:
    """How many processes could run right now, this one included; None where that can't be told."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            return int(file.read().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return None


class Pace:
    """Decides how wide an adaptive node may be; ``most`` launches at once if that was asked for (0: find out)."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._busy = 2 * (os.cpu_count() or 1) + 1

    def wider(self, launching: int) -> int:
        """The new width, with ``launching`` under way; 0 if the processors don't keep up just now."""
        if self.most:
            return self.most
        busy = runnable()
        if busy is None:
            return max(FALLBACK, launching)
        return launching + STEP if busy <= self._busy else 0


def room_for_children(launching: int) -> int:
    """How many children and launches fit into the limit of open files, which is raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass  # some systems limit it further: what there was remains
    return max(4, soft - RESERVE - DESCRIPTORS * launching)
