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
_GONE = (b"Z", b"X")  # states
FORKS = 200_000  # that no machine makes in a second
LOAD = "/proc/loadavg"  # the number of the newest process stands at its end
NEWEST = 1 << 8  # processes that are looked at, each by its number


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


def none_left(leader: int, token: bytes, seconds: float) -> bool:
    """Is it sure, without a look at all processes, that ``family`` would find none? False: nobody knows.

    ``leader`` has ended and is not reaped, and was started so many seconds ago, at most. Its children have higher
    numbers than it has, and theirs higher ones still. So numbers are looked at upwards, to the newest: who is gone when
    it is looked at can have left none but such as are looked at later.
    """
    try:
        if seconds * FORKS >= int(_read("/proc/sys/kernel/pid_max")):
            return False  # the numbers may have begun anew
        if posix.stat(LOAD).st_dev != posix.stat("/proc").st_dev:
            return False  # a container's, made anew every few seconds
        seen = leader
        while True:
            newest = int(_read(LOAD).split()[-1])
            if newest == seen:
                return True
            if not seen < newest <= leader + NEWEST:
                return False
            if any(_may_come_of(pid, leader, token) for pid in range(seen + 1, newest + 1)):
                return False
            seen = newest
    except (OSError, ValueError, IndexError):
        return False  # no /proc


def _may_come_of(pid: int, leader: int, token: bytes) -> bool:
    try:
        session = posix.getsid(pid)
    except OSError:
        return False  # there is none
    if not leader < session <= pid:
        return session == leader  # who came of it is in its session or in a newer one
    variables = _environment(pid)
    if variables:
        return token in variables
    fields = _stat(pid)
    return fields is not None and fields[0] not in _GONE  # it becomes another program just now, or is another user's


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
            if fields is not None and fields[0] not in _GONE:
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
        return _read("/proc/%d/stat" % pid).rpartition(b")")[2].split()
    except OSError:
        return None  # it ended meanwhile


def _read(path: str) -> bytes:
    fd = posix.open(path, posix.O_RDONLY)
    try:
        return posix.read(fd, 1 << 10)
    finally:
        posix.close(fd)


def _environment(pid: int) -> bytes:
    try:
        with open("/proc/%d/environ" % pid, "rb") as variables:
            return variables.read()
    except OSError:
        return b""  # it ended meanwhile, or is another user's
