"""How much memory this machine has left, and how much a launch takes: what /proc and the control groups say."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List, Optional, Tuple

GROUPS = "/sys/fs/cgroup"


def read(path: str) -> str:
    """A small file; empty where there is none that can be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(1 << 16)
    except (OSError, ValueError):
        return ""


def number(text: str) -> Optional[int]:
    """What a file says that holds one number; None for anything else (``max``: there is no limit)."""
    words = text.split()
    return int(words[0]) if words and words[0].isdigit() else None


def table(text: str) -> Dict[str, int]:
    """Lines such as ``Pss:  1204 kB``, or ``inactive_file 4096``, in bytes."""
    found: Dict[str, int] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[1].isdigit():
            found.setdefault(words[0].rstrip(":"), int(words[1]) * (1024 if words[2:] == ["kB"] else 1))
    return found


def left_in(directory: str, limit: str, used: str, cache: str) -> Optional[int]:
    """What is left to a control group, whose files have these names; None if it has no limit."""
    most, now = number(read("%s/%s" % (directory, limit))), number(read("%s/%s" % (directory, used)))
    if most is None or now is None:
        return None
    return max(0, most - now + table(read(directory + "/memory.stat")).get(cache, 0))


def left_in_groups(membership: str) -> List[int]:
    """What is left to each control group above this process that has a limit, by its ``/proc/self/cgroup``."""
    found: List[int] = []
    for line in membership.splitlines():
        kinds, _, path = line.partition(":")[2].partition(":")
        if not kinds:
            root, files = GROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            root = GROUPS + "/memory"
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # In a container the path may be the host's: what is not there is passed over, up to the container's own.
        parts = [part for part in path.split("/") if part]
        for count in range(len(parts), -1, -1):
            left = left_in("/".join([root, *parts[:count]]), *files)
            if left is not None:
                found.append(left)
    return found


def available() -> Optional[int]:
    """Bytes that this process and what it starts may still take; None where that is not known."""
    known = table(read("/proc/meminfo")).get("MemAvailable")
    return None if known is None else min([known, *left_in_groups(read("/proc/self/cgroup"))])


def held(pid: int) -> int:
    """Bytes that a process holds, with its part of shared memory; 0 where that is not known."""
    share = table(read("/proc/%d/smaps_rollup" % pid)).get("Pss", 0)
    return share or table(read("/proc/%d/status" % pid)).get("VmRSS", 0)  # another user's, or an old kernel


def held_by_launch(rsh: int) -> int:
    """Bytes that a launch holds: its rsh, and the worker that has started it; 0 where that is not known."""
    own, worker = held(rsh), table(read("/proc/%d/status" % rsh)).get("PPid", 0)
    return own + held(worker) if own and worker not in (0, 1, os.getpid()) else 0


def of_launches(pids: Iterable[int]) -> Tuple[int, int]:
    """Bytes that are left, and that a launch holds, by the first rsh of these that still runs; 0: can't be told."""
    each = next(filter(None, map(held_by_launch, pids)), 0)
    return available() or 0, each
