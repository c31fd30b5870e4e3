"""What psutil can see of a running rsh and everything below it, and how to end all of that.

psutil is loaded on the first look only: a boot in which nothing hangs never pays for it. Where a host has
none, a launch has its timeouts alone and is ended by its process group.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

_loaded: List[Any] = []
search: List[str] = []  # directories that may hold psutil beside the usual ones (set on the head)


def psutil() -> Any:
    """The psutil module, or None. Agents run with -S: the site directories are looked through only now."""
    if not _loaded:
        try:
            _loaded.append(_find())
        except ImportError:
            _loaded.append(None)
    return _loaded[0]


def _find() -> Any:
    before = list(sys.path)
    try:
        sys.path += search
        import psutil as found
    except ImportError:
        import site

        sys.path += [*site.getsitepackages(), site.getusersitepackages()]
        import psutil as found
    finally:
        sys.path[:] = before
    return found


class Sight:
    """One look at a process tree: sums over its processes."""

    def __init__(self) -> None:
        self.pids: List[int] = []
        self.statuses: List[str] = []  # psutil's words: sleeping, zombie, stopped, disk-sleep, …
        self.tcp: List[Tuple[str, str]] = []  # state and peer of each TCP connection
        self.tty = ""  # a terminal that a process has open beside stdio
        self.reads = 0  # system calls that read
        self.writes = 0
        self.cpu = 0.0  # seconds


def processes(pid: int) -> List[Any]:
    """psutil's Process of ``pid`` and of everything below it, and of all else in its session."""
    module = psutil()
    if module is None:
        return []
    found = {}
    try:
        top = module.Process(pid)
        found[pid] = top
        for process in top.children(recursive=True):
            found[process.pid] = process
    except module.Error:
        pass  # gone, or not ours any more: what is left of its session still counts
    for other in module.pids():
        if other not in found:
            try:
                if os.getsid(other) == pid:
                    found[other] = module.Process(other)
            except (OSError, module.Error):
                continue
    return list(found.values())


def look(pid: int) -> Sight | None:
    """See what the rsh ``pid`` (leader of its session) and its children do; None without psutil."""
    module = psutil()
    if module is None:
        return None
    sight = Sight()
    for process in processes(pid):
        try:
            with process.oneshot():
                sight.pids.append(process.pid)
                sight.statuses.append(process.status())
                times = process.cpu_times()
                sight.cpu += times.user + times.system
            connections = process.net_connections if hasattr(process, "net_connections") else process.connections
            for connection in connections(kind="tcp"):
                if connection.raddr:
                    peer = "%s:%d" % (connection.raddr.ip, connection.raddr.port)
                    sight.tcp.append((connection.status, peer))
            counters = process.io_counters()
            sight.reads += counters.read_count
            sight.writes += counters.write_count
            sight.tty = sight.tty or _terminal(process.pid)
        except (module.Error, OSError, AttributeError):
            continue  # it ended while we looked, or the platform can't tell
    return sight


def _terminal(pid: int) -> str:
    """A terminal that a process opened for itself, such as ssh does to ask for a password."""
    base = "/proc/%d/fd" % pid
    for fd in os.listdir(base):
        try:
            target = os.readlink(base + "/" + fd)
        except OSError:
            continue
        if int(fd) > 2 and (target == "/dev/tty" or target.startswith(("/dev/pts/", "/dev/tty"))):
            return target
    return ""


def send(victims: List[Any], pid: int, number: int) -> None:
    """Send a signal to processes seen earlier (psutil's), and to the process group that ``pid`` leads."""
    for process in victims:
        try:
            process.send_signal(number)
            if number == signal.SIGTERM:
                process.send_signal(signal.SIGCONT)  # a stopped process would never see its end
        except psutil().Error:
            continue
    for each in (number, signal.SIGCONT):
        try:
            os.killpg(pid, each)
        except OSError:
            return  # all gone
