"""What a command has left when it has ended: bytes in its pipes, and processes, as a report names them."""

from __future__ import annotations

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List

    from mpboot.workers.family import Process

MOST_NAMES = 5  # of processes in one note
OUTPUT, LEFT = "output", "left"  # what a note is about
CUT = "the end of its output was cut: nobody took it in time"


def waiting(fd: int) -> int:
    """How many bytes are in a pipe; 0 where nobody can tell."""
    from fcntl import ioctl
    from sys import byteorder
    from termios import FIONREAD

    count = bytearray(4)
    try:
        ioctl(fd, FIONREAD, count)
    except OSError:
        return 0
    return int.from_bytes(count, byteorder)


def detached(processes: Iterable[Process], leader: int) -> List[Process]:
    """Those in a session of their own, not that of the command, whose number is ``leader``."""
    return [process for process in processes if _session(process[0]) not in (0, leader)]


def foreign(processes: Iterable[Process]) -> List[Process]:
    """Those that live and that no signal of ours reaches: another user's."""
    return [process for process in processes if _is_foreign(process[0])]


def holders(processes: Iterable[Process], pipes: Iterable[int]) -> List[Process]:
    """Those that have one of these pipes open, as far as may be seen."""
    try:
        wanted = {posix.readlink("/proc/self/fd/%d" % fd) for fd in pipes}
    except OSError:
        return []  # no /proc
    return [process for process in processes if wanted & _open_files(process[0])]


def named(processes: Iterable[Process]) -> str:
    """Their names, each with how often it is there, as "sleep, tee (2)"; "a process" for those that nobody can see."""
    counts: Dict[str, int] = {}
    for pid, _ in processes:
        name = _name(pid)
        if name:
            counts[name] = counts.get(name, 0) + 1
    names = ["%s (%d)" % one if one[1] > 1 else one[0] for one in sorted(counts.items())]
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES] + (["and %d more" % more] if more > 0 else [])) or "a process"


def run_on(processes: List[Process]) -> str:
    """The note about those that stay."""
    many = ("", "s") if len(processes) == 1 else ("es", "")
    return "%d process%s, left by the command, run%s on: %s" % (len(processes), *many, named(processes))


def _is_foreign(pid: int) -> bool:
    try:
        posix.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        pass  # it has ended
    return False


def with_numbers(processes: Iterable[Process]) -> str:
    """Their names and numbers, as who is to end them by hand wants them."""
    known = ["%s (pid %d)" % (_name(pid) or "a process", pid) for pid, _ in processes]
    more = len(known) - MOST_NAMES
    return ", ".join(known[:MOST_NAMES] + (["and %d more" % more] if more > 0 else []))


def _session(pid: int) -> int:
    try:
        return posix.getsid(pid)
    except OSError:
        return 0  # it has ended


def _open_files(pid: int) -> "set[str]":
    found = set()
    try:
        for name in posix.listdir("/proc/%d/fd" % pid):
            found.add(posix.readlink("/proc/%d/fd/%s" % (pid, name)))
    except OSError:
        pass  # it ended meanwhile, or is another user's
    return found


def _name(pid: int) -> str:
    try:
        with open("/proc/%d/comm" % pid, "rb") as name:
            return name.read(64).decode("utf-8", "replace").strip()
    except OSError:
        return ""
