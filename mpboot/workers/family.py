"""Finds every process that came of one, and signals those processes and no others.

They are found by session, by descent, by a word in the environment. A number may be another process's by now: so a
process is its number and its start, and what is signalled is held by a pidfd where the system has them. It reads plain
/proc: it is needed where psutil may not be, and where its import would cost more than the work.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List, Optional, Tuple

    Process = Tuple[int, int]  # number, and start in the kernel's clock ticks; 0: not known

_PARENT, _SESSION, _START = 1, 3, 19  # of /proc/PID/stat, behind the name


def start_of(pid: int) -> int:
    """When the process that has this number now was started; 0 if there is none, or no /proc."""
    fields = _stat(pid)
    return int(fields[_START]) if fields is not None else 0


def family(leader: int, start: int, token: bytes = b"") -> List[Process]:
    """Living processes that came of the process ``leader`` which was started at ``start``. Without /proc: it alone.

    They are those of the session that it leads (or led), whatever descends from it or them, and whatever has ``token``
    in its environment, become a daemon or not.
    """
    return Census().family(leader, start, token)


class Census:
    """One look at all processes, which may serve for many families: it costs much where there are many processes."""

    def __init__(self) -> None:
        self._lives: Dict[int, Tuple[int, int, int]] = {}  # parent, session, start
        self._variables: Dict[int, bytes] = {}  # of those whose environment was looked at
        self._none = False  # there is no /proc
        try:
            pids = [int(name) for name in posix.listdir("/proc") if name.isdigit()]
        except OSError:
            self._none, pids = True, []
        for pid in pids:
            fields = _stat(pid)
            if fields is not None and fields[0] not in (b"Z", b"X"):
                self._lives[pid] = int(fields[_PARENT]), int(fields[_SESSION]), int(fields[_START])

    def family(self, leader: int, start: int, token: bytes) -> List[Process]:
        """As the function of this name has it."""
        if self._none:
            return [(leader, start)] if leader else []
        if start_of(leader) not in (0, start):
            leader = 0  # it has ended, its session as well, and its number is somebody else's
        found = set()
        for pid, (_, session, began) in self._lives.items():
            # What came of it is no older.
            if (leader and leader in (pid, session)) or (token and began >= start and token in self._environment(pid)):
                found.add(pid)
        grown = bool(found)
        while grown:
            more = {pid for pid, (parent, _, _) in self._lives.items() if parent in found} - found
            found |= more
            grown = bool(more)
        return sorted((pid, self._lives[pid][2]) for pid in found)

    def _environment(self, pid: int) -> bytes:
        if pid not in self._variables:
            self._variables[pid] = _environment(pid)
        return self._variables[pid]


def send(processes: Iterable[Process], number: int) -> None:
    """Send a signal to each that is still there; one that is stopped is woken to see it."""
    for pid, start in processes:
        held = _hold(pid)
        try:
            if start and start_of(pid) != start:
                continue  # the number is another's by now
            for one in (number,) if number == _signal.SIGKILL else (number, _signal.SIGCONT):
                if held is None:
                    posix.kill(pid, one)
                else:
                    _signal.pidfd_send_signal(held, one)
        except OSError:
            continue
        finally:
            if held is not None:
                posix.close(held)


def _hold(pid: int) -> Optional[int]:
    """A descriptor that remains this process's, whoever gets its number; None where there are none."""
    try:
        return posix.pidfd_open(pid) if hasattr(_signal, "pidfd_send_signal") else None
    except (OSError, AttributeError):
        return None  # it has ended, or a kernel before 5.3


def _stat(pid: int) -> Optional[List[bytes]]:
    try:
        fd = posix.open("/proc/%d/stat" % pid, posix.O_RDONLY)
        try:
            return posix.read(fd, 1 << 10).rpartition(b")")[2].split()
        finally:
            posix.close(fd)
    except OSError:
        return None  # it ended meanwhile


def _environment(pid: int) -> bytes:
    try:
        with open("/proc/%d/environ" % pid, "rb") as variables:
            return variables.read()
    except OSError:
        return b""  # it ended meanwhile, or is another user's
