"""One look at each ssh and rsh client that runs here: what the kernel tells of it to every user.

What that means is found out in judge.py.
"""

from __future__ import annotations

import contextlib
import os
import termios
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import time

import psutil

from mpboot.inspect.netlink import TcpConnection, connections_by_inode
from mpboot.inspect.sockets import sockets_of

NAMES = ("ssh", "slogin", "rsh", "rlogin", "remsh", "rsh-redone-rsh", "rsh-redone-rlogin", "plink", "dbclient")


@dataclass
class Client:
    """What one look at a client process has shown."""

    process: psutil.Process
    name: str
    user: str = ""
    command: list[str] = field(default_factory=list)
    age: float = 0.0  # seconds since it began
    status: str = ""
    cpu: float = 0.0  # seconds of processor time
    reads: int = -1  # system calls; -1: what another user's process does, only root sees
    writes: int = -1
    written: int = -1  # bytes, to whatever
    terminal: str = ""  # its controlling terminal
    stdin: str = ""
    prompt: str = ""  # that terminal, if it has it open to ask something
    echo: bool = True  # does the terminal show what is typed?
    copies: bool = False  # holds copies of its stdio, listens: what ssh does once it is logged in
    tcp: list[TcpConnection] = field(default_factory=list)  # outgoing connections, the first opened first
    via: psutil.Process | None = None  # the process below it that has them instead (ProxyJump, ProxyCommand)
    asks: str = ""  # the name server that it asks
    shares: bool = False  # no connection of its own, but one to another process (ControlMaster, an agent)
    waits_in: str = ""  # the kernel's function that it sleeps in
    below: list[psutil.Process] = field(default_factory=list)
    is_known: bool = True  # as a client, by its name

    @property
    def pid(self) -> int:
        """Its process number."""
        return self.process.pid

    @property
    def counters(self) -> tuple[object, ...]:
        """What changes when it does anything."""
        sizes = [(one.state, one.peer, one.received, one.sent) for one in self.tcp]
        return (self.reads, self.writes, self.copies, self.prompt, sizes)


class Inspector:
    """Finds clients and looks at them.

    ``names``: of programs that are clients, beside those that are known. ``everybody``: the clients of all users.
    ``pids``: only these processes, whatever they are; where one is no client, the clients below it.
    """

    def __init__(self, names: Iterable[str] = (), everybody: bool = False, pids: Sequence[int] = ()) -> None:
        self.names = frozenset((*NAMES, *names))
        self.everybody = everybody
        self.pids = pids

    def missing(self) -> list[int]:
        """The processes that were asked for and don't exist."""
        return [pid for pid in self.pids if not psutil.pid_exists(pid)]

    def look(self) -> dict[int, Client]:
        """The clients that run now, by pid."""
        every: dict[int, psutil.Process] = {}
        children: dict[int, list[int]] = {}
        for process in psutil.process_iter(["name", "ppid", "uids"]):
            every[process.pid] = process
            children.setdefault(process.info["ppid"] or 0, []).append(process.pid)
        wanted = [pid for pid in every if self._is_wanted(every[pid])]
        if self.pids:
            wanted = [chosen for pid in self.pids if pid in every for chosen in self._clients_at(pid, every, children)]
        connections = connections_by_inode() if wanted else {}
        found: dict[int, Client] = {}
        for pid in wanted:
            with contextlib.suppress(psutil.NoSuchProcess):
                found[pid] = see(every[pid], connections)
                found[pid].is_known = self._is_client(every[pid])
                found[pid].below = [every[one] for one in _below(pid, children)]
                _see_below(found[pid], connections)
        return found

    def _is_client(self, process: psutil.Process) -> bool:
        return process.info["name"] in self.names

    def _is_wanted(self, process: psutil.Process) -> bool:
        uids = process.info["uids"]
        return self._is_client(process) and (self.everybody or (uids is not None and uids.real == os.getuid()))

    def _clients_at(self, pid: int, every: dict[int, psutil.Process], children: dict[int, list[int]]) -> list[int]:
        """The process itself, or the clients below it where it is none but runs some (a script, sshpass)."""
        below = [] if self._is_client(every[pid]) else _below(pid, children)
        return [one for one in below if self._is_client(every[one])] or [pid]


def _below(pid: int, children: dict[int, list[int]]) -> list[int]:
    """All processes below one, the nearest first."""
    found = list(children.get(pid, ()))
    for child in found:
        found += children.get(child, ())  # grows while it is walked through
    return found


def see(process: psutil.Process, connections: dict[int, TcpConnection]) -> Client:
    """Look at one process; what is not ours to see stays empty. psutil.NoSuchProcess if it has ended."""
    client = Client(process, process.info["name"] or "?")
    with process.oneshot():
        client.status = process.status()
        client.age = max(0.0, time() - process.create_time())
        client.cpu = sum(process.cpu_times()[:2])
        client.user = process.username()
        with contextlib.suppress(psutil.ZombieProcess, psutil.AccessDenied):
            client.command = process.cmdline()
        with contextlib.suppress(psutil.ZombieProcess, psutil.AccessDenied, AttributeError):
            client.terminal = process.terminal() or ""
        with contextlib.suppress(psutil.AccessDenied, psutil.ZombieProcess, AttributeError, OSError):
            counters = process.io_counters()
            client.reads, client.writes = counters.read_count, counters.write_count
            client.written = getattr(counters, "write_chars", -1)
    with contextlib.suppress(OSError):
        client.waits_in = Path(f"/proc/{process.pid}/wchan").read_text()
    with contextlib.suppress(OSError, ValueError):
        _see_files(client, connections)
    return client


def _see_files(client: Client, connections: dict[int, TcpConnection]) -> None:
    """What a client has open."""
    base = Path(f"/proc/{client.pid}/fd")
    files = {}
    for fd in sorted(int(entry.name) for entry in base.iterdir()):
        with contextlib.suppress(OSError):
            files[fd] = str((base / str(fd)).readlink())
    client.stdin = files.get(0, "")
    beyond = {fd: target for fd, target in files.items() if fd > 2}
    client.copies = any(target in (files.get(0), files.get(2)) for target in beyond.values())
    if "/dev/tty" in beyond.values():
        client.prompt = client.terminal or "/dev/tty"
        client.echo = _echoes(client.terminal)
    sockets = [int(target[8:-1]) for target in files.values() if target.startswith("socket:[")]
    client.tcp = [connections[inode] for inode in sockets if inode in connections]
    if sockets and not (client.tcp and client.copies):
        _see_sockets(client, sockets, connections.keys().isdisjoint(sockets))


def _see_sockets(client: Client, inodes: list[int], are_unknown: bool) -> None:
    """What sockets a client has beside those that netlink knows; all of them if they ``are_unknown`` to it."""
    for one in sockets_of(client.pid, inodes):
        if one.kind == "unix":
            client.copies = client.copies or bool(one.path)  # a master listens for others
            client.shares = True
        elif one.kind == "tcp" and one.state == "LISTEN":
            client.copies = True  # a forwarded port
        elif one.kind == "udp" and one.peer:
            client.asks = one.address
        elif one.peer and are_unknown:
            client.tcp.append(TcpConnection(one.state, one.peer))


def _see_below(client: Client, connections: dict[int, TcpConnection]) -> None:
    """What others do for a client without a connection of its own: connect, or ask for a password."""
    for process in () if client.tcp else client.below:
        with contextlib.suppress(psutil.Error):
            if "askpass" in process.info["name"]:
                client.prompt, client.echo = process.info["name"], False
            other = see(process, connections)
            client.tcp = client.tcp or other.tcp
            client.via = client.via or (process if other.tcp else None)
            client.prompt, client.echo = (client.prompt, client.echo) if client.prompt else (other.prompt, other.echo)


def _echoes(terminal: str) -> bool:
    """Does a terminal show what is typed? True where that is not known."""
    try:
        fd = os.open(terminal, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        return bool(termios.tcgetattr(fd)[3] & termios.ECHO)
    except termios.error:
        return True
    finally:
        os.close(fd)
