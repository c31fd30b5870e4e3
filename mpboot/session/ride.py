"""The sockets of a session at which OpenSSH's clients come to ride: one for each host, as long as that is up."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mpboot.head.boot import Boot
from mpboot.net.login import ABOUT, Login
from mpboot.net.loop import READ
from mpboot.session.control import NO_ROOM, PAUSE, is_ours, peer, room
from mpboot.session.hosts import Hosts
from mpboot.session.registry import Place
from mpboot.session.rider import Rider
from mpboot.session.who import Who, checked

LONGEST = 107  # bytes of a socket's path
EACH = 8  # descriptors of a rider, at most
FEWEST = 16  # riders that there is to be room for at once
LIMIT = 30.0  # seconds that a host may take to say who it is
PATIENCE = 8.0  # seconds that those wait for it who want to know who rides: less than a client has
_NAME = re.compile(r"[A-Za-z0-9_.:%-]{1,255}")
# Takes the sockets away when the daemon is gone, however it went: else each ssh would complain of them.
_JANITOR = 'read -r _; exec rm -rf -- "$1"'


class Ride:
    """The riders of a session. ``tasks``: the daemon's jobs, by number; ``used()`` is called when one comes."""

    def __init__(self, boot: Boot, hosts: Hosts, place: Place, tasks: dict[int, Any], used: Callable[[], None]) -> None:
        self._boot = boot
        self._hosts = hosts
        self._place = place
        self._tasks = tasks
        self._used = used
        self._gate: select.epoll | None = None
        self._listeners: dict[str, socket.socket] = {}  # by host
        self._paths: dict[str, list[Path]] = {}  # of its socket, and of the names that lead there
        self._at: dict[int, str] = {}  # the host of a listener's descriptor
        self._unfit: dict[str, str] = {}  # hosts that are up and have no socket, and why
        self._bare: set[str] = set()  # hosts whose sshd gives no terminal
        self._due: set[str] = set()  # hosts that are to be asked who they are
        self._asked: set[str] = set()
        self._riders: set[Rider] = set()
        self._waiting: list[Callable[[], None]] = []
        self._room = 0
        self._janitor: subprocess.Popen[bytes] | None = None

    # -- its life ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """The session is there: from now on each host that is up gets a socket. ``about`` has those that got none."""
        if not hasattr(select, "epoll"):
            return
        try:
            own = self._place.make_ride()
            self._janitor = subprocess.Popen(
                ["/bin/sh", "-c", _JANITOR, "mpboot", str(own)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError:
            return
        self._room = room()
        self._gate = select.epoll()
        signal.signal(signal.SIGWINCH, lambda *_: self._boot.loop.soon(self._resized))
        self._open_gate()
        for label in self._hosts.labels():
            self.changed(label)

    def close(self) -> None:
        """The session ends: no new client is let in. The connected ones know of the end already."""
        for rider in list(self._riders):
            rider.close()
        self._end()

    def _end(self) -> None:
        for label in list(self._listeners):
            self._shut(label)
        if self._gate is not None:
            self._boot.loop.forget(self._gate.fileno())
            self._gate.close()
            self._gate = None
        if self._janitor is not None and self._janitor.stdin is not None:
            self._janitor.stdin.close()
            self._janitor.wait()

    def look(self) -> None:
        """Have the sockets in their place: a login's end may take their directory away. Who rides goes on."""
        if self._janitor is not None and (self._gate is None or not self._place.ride.is_dir()):
            self._end()
            self.begin()

    def changed(self, label: str) -> None:
        """A host came up, or is gone."""
        if self._gate is None:
            return
        if not self._is_up(label):
            self._unfit.pop(label, None)
            self._asked.discard(label)
            self._shut(label)
        elif label not in self._listeners and label not in self._asked:
            if not self._due:
                self._boot.loop.soon(self._ask)
            self._due.add(label)

    # -- what is asked -----------------------------------------------------------------------------

    def when_settled(self, call: Callable[[], None]) -> None:
        """Call when each host that is up has its socket, or is known to get none."""
        self._waiting.append(call)
        self._settle()

    def about(self) -> dict[str, Any]:
        """Where the sockets are (or ""), which hosts ride, by which names, and why others that are up do not.

        Also whether what rides is encrypted between the head and the hosts.
        """
        directory = "" if self._gate is None else str(self._place.ride)
        names = sorted(
            {path.name.rpartition("@")[2].rpartition(":")[0] for paths in self._paths.values() for path in paths}
        )
        return {
            "directory": directory,
            "rides": sorted(self._listeners),
            "names": names,
            "unfit": dict(self._unfit),
            "encrypted": self._boot.options.transport == "stdio",
        }

    def riders(self) -> list[dict[str, Any]]:
        """A row for each that rides: pid of the client, host, job (None: none so far), and whether output waits."""
        return [
            {"pid": rider.pid, "host": rider.host, "job": rider.job and rider.job.number, "waits": rider.waits}
            for rider in self._riders
        ]

    # -- hosts -------------------------------------------------------------------------------------

    def _is_up(self, label: str) -> bool:
        try:
            return self._hosts.rank(label) >= 0 and self._hosts.is_up(label)
        except KeyError:
            return False  # it has left

    def _ask(self) -> None:
        """Have hosts say who they are: under which user and port an ssh would come to them."""
        due, self._due = {label for label in self._due if self._is_up(label)}, set()
        self._asked |= due
        if due:
            ranks = {self._hosts.rank(label): label for label in due}
            who = Who(ranks, self._said)
            job = self._boot.jobs.prepare(Login(ABOUT).words(), (), list(ranks), who, limit=LIMIT, login=True)
            self._boot.jobs.begin(job)
            self._boot.loop.later(PATIENCE, lambda: self._late(due))
        self._settle()

    def _late(self, due: set[str]) -> None:
        """Nobody waits any longer for those that have not said who they are: an agent may be stopped, or lie."""
        late = due & self._asked
        self._asked -= late
        self._unfit.update(dict.fromkeys(late, "it has not said yet who it is"))
        self._settle()

    def _said(self, label: str, text: str) -> None:
        """A host has said who it is, or something that makes no sense."""
        self._asked.discard(label)
        self._unfit.pop(label, None)
        if self._gate is not None and self._is_up(label) and label not in self._listeners:
            try:
                user, port, terminals = checked(text)
                self._listen(label, user, port)
                self._bare.discard(label) if terminals else self._bare.add(label)
            except (ValueError, OSError) as error:
                self._unfit[label] = getattr(error, "strerror", None) or str(error)
        self._settle()

    def _settle(self) -> None:
        if not (self._due or self._asked):
            calls, self._waiting = self._waiting, []
            for call in calls:
                call()

    def _listen(self, label: str, user: str, port: int) -> None:
        if (len(self._listeners) + 1) + FEWEST * EACH > self._room:
            raise ValueError("no descriptor is left for its socket: ulimit -n sets how many there are")
        host = self._boot.hosts[self._hosts.rank(label)]
        user, port = host.user or user, host.port or port  # behind a port that is passed on, sshd knows another
        names = list(dict.fromkeys(name for name in (host.name, label) if _NAME.fullmatch(name)))
        paths = [self._place.ride / f"{user}@{name}:{port}" for name in names]
        paths = [path for path in paths if len(os.fsencode(path)) <= LONGEST]
        if not paths:
            raise ValueError("its name is too long for a socket's path")
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if os.path.lexists(paths[0]) and not (host.port and self._is_freed(paths[0])):
                raise ValueError(f"another host has its user, name and port: {user}@{names[0]}:{port}")
            made.bind(str(paths[0]))
            paths[0].chmod(0o600)
            made.listen(1024)
            made.setblocking(False)
            paths[1:] = [path for path in paths[1:] if not os.path.lexists(path)]
            for path in paths[1:]:
                path.symlink_to(paths[0].name)
            assert self._gate is not None
            self._gate.register(made.fileno(), READ)
        except BaseException:
            made.close()
            raise
        self._listeners[label], self._paths[label] = made, paths
        self._at[made.fileno()] = label

    def _is_freed(self, path: Path) -> bool:
        """Has this socket been taken from a host that only says that it has this port? It may lie."""
        for label, paths in self._paths.items():
            if path in paths and not self._boot.hosts[self._hosts.rank(label)].port:
                self._shut(label)
                self._unfit[label] = f"another host has its user, name and port: {path.name}"
                return True
        return False

    def _shut(self, label: str) -> None:
        """Take a host's socket away."""
        made = self._listeners.pop(label, None)
        if made is None:
            return
        del self._at[made.fileno()]
        made.close()
        for path in self._paths.pop(label):
            with suppress(OSError):
                path.unlink()

    # -- riders ------------------------------------------------------------------------------------

    def _open_gate(self) -> None:
        if self._gate is not None:
            self._boot.loop.watch(self._gate.fileno(), READ, lambda _: self._knock())

    def _shut_gate(self) -> None:
        if self._gate is not None:
            self._boot.loop.forget(self._gate.fileno())

    @property
    def _full(self) -> bool:
        return len(self._listeners) + (len(self._riders) + 1) * EACH > self._room

    def _knock(self) -> None:
        assert self._gate is not None
        for fd, _ in self._gate.poll(0, 64):
            label = self._at.get(fd)
            if label is not None and not self._full:
                self._accept(label)
        if self._full:
            self._shut_gate()  # until one goes

    def _accept(self, label: str) -> None:
        try:
            sock, _ = self._listeners[label].accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                self._shut_gate()
                self._boot.loop.later(PAUSE, self._open_gate)
            return
        self._used()
        if not is_ours(peer(sock)[1]):
            sock.close()
            return
        rider = Rider(
            self._boot.loop, self._boot.jobs, sock, label, self._hosts.rank(label), label not in self._bare,
            lambda: self._is_up(label), self._begun, self._over, self._gone,
        )  # fmt: skip
        if rider.open:
            self._riders.add(rider)

    def _begun(self, rider: Rider) -> None:
        assert rider.job is not None
        self._tasks[rider.job.number] = rider

    def _over(self, rider: Rider) -> None:
        assert rider.job is not None
        self._tasks.pop(rider.job.number, None)

    def _gone(self, rider: Rider) -> None:
        self._used()
        was_full = self._full
        self._riders.discard(rider)
        if was_full:
            self._open_gate()

    def _resized(self) -> None:
        for rider in list(self._riders):
            rider.resized()
