"""Finds the command that an agent began last by a vfork, where the agent has died before it could say which that is.

Only the guard asks, once, when the agent is gone.
"""

from __future__ import annotations

import posix
from time import monotonic, sleep

from mpboot.workers.family import Census

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Tuple

ORPHANED_IN, LOOK = 0.5, 0.005  # seconds from the end of an agent until its children have another parent; between looks


def who_has(pipe: int) -> int:
    """The leader of the session whose output goes into this pipe; 0 if there is none to be seen."""
    wanted = "pipe:[%d]" % pipe
    try:
        pids = [int(name) for name in posix.listdir("/proc") if name.isdigit()]
    except OSError:
        return 0
    for pid in sorted(pids, reverse=True):  # it is a new one
        try:
            if posix.readlink("/proc/%d/fd/1" % pid) == wanted:
                return posix.getsid(pid)
        except OSError:
            continue  # it has ended, or is another user's
    return 0


def who_began(since: int, token: bytes, agent: int, known: Collection[int]) -> int:
    """The leader of the session that a dead agent began last; 0 if nobody can be sure, or the token tells anyway.

    It has closed its output and emptied its environment. But of all that has our own parent, which took in what the
    agent left, and that began ``since`` then, in a session of its own, as our user and in our login, there is one only.
    ``known``: the leaders of other commands.
    """
    until = monotonic() + ORPHANED_IN
    while posix.getppid() == agent and monotonic() < until:
        sleep(LOOK)
    census = Census()
    if census.family(0, since, token):
        return 0
    ours = _marks("self")
    found = census.begun_below(posix.getppid(), since)
    sessions = {session for pid, session in found if session not in known and _is_apart(_marks(pid), ours)}
    return sessions.pop() if len(sessions) == 1 else 0


def _marks(pid: object) -> Tuple[bytes, ...]:
    """What a process is (its command line), and what it has from its login: user, cgroup, audit session."""
    directory = "/proc/%s/" % pid
    try:
        owner = b"%d" % posix.stat(directory).st_uid
    except OSError:
        return ()
    return (_read(directory + "cmdline"), owner, _read(directory + "cgroup"), _read(directory + "sessionid"))


def _is_apart(marks: Tuple[bytes, ...], ours: Tuple[bytes, ...]) -> bool:
    """Is it of the same login, and neither an agent nor a guard?"""
    return marks[1:] == ours[1:] and marks[0] != ours[0]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""  # it has ended, or this kernel has no such thing
