"""What psutil can see of running rsh processes and everything below them.

Used by the watcher only (one process beside the workers, started when a launch takes long) and by
``mpboot inspect``: a boot in which nothing hangs never loads psutil.
"""

from __future__ import annotations

import os
import sys
from _socket import SOCK_STREAM
from fcntl import ioctl
from termios import FIONREAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Sequence, Set, Tuple

NAME_SERVICE = 53  # UDP port of name servers

_loaded: List[Any] = []


def psutil(directories: Sequence[str] = ()) -> Any:
    """The psutil module, or None. The first call decides; ``directories`` may hold it beside the usual ones.

    Agents run with -S: the site directories are looked through only now.
    """
    if not _loaded:
        try:
            _loaded.append(_find(directories))
        except ImportError:
            _loaded.append(None)
    return _loaded[0]


def _find(directories: Sequence[str]) -> Any:
    before = list(sys.path)
    sys.dont_write_bytecode = True  # what is kept is compared as a whole, see parcel.py
    try:
        sys.path += directories
        import psutil as found
    except ImportError:
        sys.path += _trusted()
        import psutil as found
    finally:
        sys.path[:] = before
    return found


def _trusted() -> List[str]:
    """Site directories to which nobody can write who can't write to the standard library as well; no user's own."""
    import site

    owners = {0, os.stat(os.path.dirname(os.__file__)).st_uid}
    return [path for path in site.getsitepackages() if all(only(owners, one) for one in (path, path + "/psutil"))]


def only(owners: Set[int], path: str) -> bool:
    """Is this there, and can nobody but these users write to it?"""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return status.st_uid in owners and not status.st_mode & 0o022


class Sight:
    """One look at an rsh and all below it: sums over its processes."""

    __slots__ = ("cpu", "pids", "reads", "resolver", "statuses", "tcp", "tty", "unread", "writes")

    def __init__(self) -> None:
        self.pids: List[int] = []
        self.statuses: List[str] = []  # psutil's words: sleeping, zombie, stopped, disk-sleep, …
        self.tcp: List[Tuple[str, str]] = []  # state and peer of each TCP connection
        self.resolver = ""  # a name server that a process has asked, and not yet heard
        self.tty = ""  # a terminal that a process has open beside stdio
        self.reads = 0  # system calls that read
        self.writes = 0
        self.cpu = 0.0  # seconds
        self.unread = -1  # bytes that wait in the pipe that is rsh's stdin; -1: can't be told

    def moved_since(self, other: Sight) -> bool:
        """Did anything happen between the two looks?"""
        mine = (self.pids, self.reads, self.writes, self.tcp, self.unread)
        return mine != (other.pids, other.reads, other.writes, other.tcp, other.unread) or self.cpu > other.cpu + 0.02


class Scan:
    """All processes at one moment: one walk through them serves every launch that is watched."""

    def __init__(self) -> None:
        """RuntimeError without psutil."""
        self.psutil = psutil()
        if self.psutil is None:
            raise RuntimeError("psutil is not installed")
        self._processes: Dict[int, Any] = {}
        self._children: Dict[int, List[int]] = {}
        self._sessions: Dict[int, List[int]] = {}
        for process in self.psutil.process_iter():
            pid = process.pid
            try:
                parent = process.ppid()
                session = os.getsid(pid)
            except (OSError, self.psutil.Error):
                continue
            self._processes[pid] = process
            self._children.setdefault(parent, []).append(pid)
            self._sessions.setdefault(session, []).append(pid)

    def family(self, leader: int) -> List[Any]:
        """psutil's Process of ``leader``, its session's and their descendants."""
        found: Dict[int, Any] = {}
        queue = [leader, *self._sessions.get(leader, ())]
        while queue:
            pid = queue.pop()
            if pid not in found and pid in self._processes:
                found[pid] = self._processes[pid]
                queue += self._children.get(pid, ())
        return [found[pid] for pid in sorted(found)]

    def look(self, leader: int) -> Sight:
        """See what the rsh ``leader`` and all below it do."""
        sight = Sight()
        sight.unread = unread(leader)
        for process in self.family(leader):
            try:
                with process.oneshot():
                    sight.statuses.append(process.status())
                    times = process.cpu_times()
                sight.pids.append(process.pid)
                sight.cpu += times.user + times.system
                connections = process.net_connections if hasattr(process, "net_connections") else process.connections
                for connection in connections(kind="inet"):
                    if not connection.raddr:
                        continue
                    peer = "%s:%d" % (connection.raddr.ip, connection.raddr.port)
                    if connection.type == SOCK_STREAM:
                        sight.tcp.append((connection.status, peer))
                    elif connection.raddr.port == NAME_SERVICE:
                        sight.resolver = peer
                counters = process.io_counters()
                sight.reads += counters.read_count
                sight.writes += counters.write_count
                sight.tty = sight.tty or terminal(process.pid)
            except (self.psutil.Error, OSError, AttributeError):
                continue  # it ended while we looked, or the platform can't tell
        return sight


def unread(pid: int) -> int:
    """How many bytes wait in the pipe that is a process's stdin; -1 where that is not known.

    ssh reads its stdin only when it is logged in, so what it was fed and has not read tells the phase.
    """
    waiting = bytearray(4)
    try:
        fd = os.open("/proc/%d/fd/0" % pid, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return -1
    try:
        ioctl(fd, FIONREAD, waiting)
    except OSError:
        return -1
    finally:
        os.close(fd)
    return int.from_bytes(waiting, sys.byteorder)


def terminal(pid: int) -> str:
    """A terminal that a process opened for itself, as ssh does to ask for a password; "" if none."""
    base = "/proc/%d/fd" % pid
    for fd in os.listdir(base):
        try:
            target = os.readlink(base + "/" + fd)
        except OSError:
            continue
        if int(fd) > 2 and (target == "/dev/tty" or target.startswith(("/dev/pts/", "/dev/tty"))):
            return target
    return ""
