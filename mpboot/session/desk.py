"""Where a session's clients come to: each is checked, and served what it asks for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from mpboot._version import __version__
from mpboot.head.boot import Boot
from mpboot.hosts.host import Host, HostError
from mpboot.hosts.syntax import check_host
from mpboot.net.login import RECEIVE, SEND
from mpboot.session import frames, requests
from mpboot.session.control import Control
from mpboot.session.guest import Guest
from mpboot.session.hosts import Hosts
from mpboot.session.registry import Place
from mpboot.session.ride import Ride
from mpboot.session.served import Served
from mpboot.session.task import Running, Task
from mpboot.text import fold

LOOKS = ("about", "jobs", "nodes", "riders", "ping")  # who asks for these alone does not use the session
FILES = {RECEIVE: ["push"], SEND: ["pull"]}  # how jobs that move files are shown
LAST_WORDS = 2.0  # seconds that a client may take to read what is left to say, when the daemon ends
UNREAD = 1 << 24  # bytes of answers that may wait for a client when it asks for more
SHRUNK = 10.0  # seconds that the agents may take to end that are told to


class Desk:
    """Serves the clients of one session. ``used()`` is called whenever one asks for something."""

    def __init__(self, boot: Boot, served: Served, hosts: Hosts, place: Place, lock: int) -> None:
        """``place``: where its sockets are made; ``lock``: what claiming it gave. OSError."""
        name = place.name
        self.used_at = monotonic()
        self._boot = boot
        self._served = served
        self._hosts = hosts
        self._name = name
        self._tasks: dict[Guest, Task] = {}
        self.tasks: dict[int, Running] = {}  # what runs, by job
        self._guests: set[Guest] = set()
        self._growing: list[tuple[Guest, list[str]]] = []
        self._shrinking: list[tuple[Guest, list[str]]] = []
        self._halting: list[Guest] = []
        self._asked: dict[str, Callable[[Guest, requests.Request], None]] = {
            "watch": lambda guest, _: served.watch(guest),
            "eased": lambda _guest, _: None,
            "stop": lambda _, asked: boot.interrupt(asked.signal),
            "launches": lambda _guest, _: boot.show_launches(),
            "look": lambda _guest, _: boot.look(),
            "run": self._run,
            "signal": self._signal,
            "kill": self._kill,
            "jobs": self._jobs,
            "nodes": lambda guest, _: guest.tell(session=name, hosts=hosts.to_dict()),
            "about": self._about,
            "grow": self._grow,
            "shrink": self._shrink,
            "halt": self._halt,
            "ride": self._ride,
            "riders": self._riders,
            "ping": lambda guest, _: guest.tell(pong=True),
        }
        self.ride = Ride(boot, hosts, place, self.tasks, self.use)
        self.control = Control(boot.loop, place, lock, self._welcome)

    @property
    def busy(self) -> bool:
        """Does anything run, or is anybody there?"""
        return bool(self.tasks or self._guests)

    def use(self) -> None:
        """Somebody uses the session."""
        self.used_at = monotonic()

    def last_words(self) -> None:
        """The loop is over: write what is left for each client, with a little patience."""
        for guest in list(self._guests):
            guest.write_rest(LAST_WORDS)

    def booted(self) -> None:
        """All hosts that were added are up or have failed."""
        if not self._boot.growth.under_way:
            growing, self._growing = self._growing, []
            for guest, labels in growing:
                rows = self._hosts.to_dict()
                guest.tell(session=self._name, hosts={label: rows[label] for label in labels if label in rows})
                guest.end()

    # -- clients -----------------------------------------------------------------------------------

    def _welcome(self, sock: socket.socket) -> None:
        guest = Guest(self._boot.loop, sock, self._heard, self._gone)
        self._guests.add(guest)
        guest.tell(mpboot=__version__, protocol=frames.PROTOCOL, session=self._name, pid=os.getpid())

    def _heard(self, guest: Guest, kind: int, what: Any) -> None:
        try:
            if kind == frames.STDIN:
                self.use()
                if guest in self._tasks:
                    self._tasks[guest].stdin(what)
            elif kind == frames.TELL:
                asked = requests.unpack(what)
                guest.uses = guest.uses or asked.ask not in LOOKS
                if guest.uses:
                    self.use()
                if guest.unread > UNREAD:  # it reads nothing: who only asks has the daemon grow
                    guest.close()
                    return
                waited = guest.waiting
                self._asked[asked.ask](guest, asked)
                guest.unread += guest.waiting - waited
            else:
                raise ValueError("output is not a client's to send")
        except (ValueError, HostError) as error:
            guest.refuse(str(error))

    def _gone(self, guest: Guest) -> None:
        if guest.uses:
            self.use()
        self._guests.discard(guest)
        task = self._tasks.pop(guest, None)
        if task is not None:
            task.gone()
        self._served.gone(guest)

    # -- jobs --------------------------------------------------------------------------------------

    def _run(self, guest: Guest, asked: requests.Request) -> None:
        if guest in self._tasks:
            raise ValueError("this client has a job already")
        labels = self._chosen(asked.on, asked.without)
        down = [label for label in labels if not self._hosts.is_up(label)]
        if asked.barrier and down:
            guest.tell(error=f"not up: {fold(down)}; with --barrier nothing is run", code=255)
            guest.end()
            return
        places = {self._hosts.rank(label): at for at, label in enumerate(labels)}
        shown = FILES.get(asked.argv[0], asked.argv) if asked.login else asked.argv
        task = Task(self._boot.jobs, None if asked.detach else guest, places, shown, self._finished)
        env = [("MPBOOT_SIZE", str(len(self._boot.hosts))), *asked.env]
        up = sorted(places.keys() - {self._hosts.rank(label) for label in down})
        job = task.job = self._boot.jobs.prepare(
            asked.argv, env, up, task, asked.cwd, asked.limit, asked.stdin, asked.login
        )
        guest.tell(job=job.number, hosts=labels, session=self._name, room=job.room, down=down)
        for label in down:
            cause, detail = self._hosts.why(label)
            guest.tell(
                ended=places[self._hosts.rank(label)], exit=None, signal=0, seconds=0.0, cause=cause, detail=detail,
                missing=0,
            )  # fmt: skip
        self.tasks[job.number] = task
        if asked.detach:
            guest.end()
        else:
            self._tasks[guest] = task
        self._boot.jobs.begin(job)

    def _finished(self, task: Task) -> None:
        self.use()
        if task.job is not None:
            self.tasks.pop(task.job.number, None)

    def _signal(self, guest: Guest, asked: requests.Request) -> None:
        if guest in self._tasks:
            self._tasks[guest].signal(asked.number, asked.last)

    def _kill(self, guest: Guest, asked: requests.Request) -> None:
        task = self.tasks.get(asked.job)
        if task is None:
            raise ValueError(f"no job {asked.job} runs in session {self._name}: mpboot jobs shows those that do")
        task.signal(asked.number, asked.last)
        guest.tell(done=True)
        guest.end()

    def _jobs(self, guest: Guest, _: requests.Request) -> None:
        now = monotonic()
        jobs = [
            {"job": number, "command": task.argv, "hosts": len(task.job.ranks), "left": len(task.job.left),
             "seconds": round(now - task.begun, 1), "detached": task.detached}
            for number, task in self.tasks.items() if task.job is not None
        ]  # fmt: skip
        guest.tell(session=self._name, jobs=jobs)
        guest.end()

    # -- hosts -------------------------------------------------------------------------------------

    def _chosen(self, on: Sequence[str] | None, without: Sequence[str] = ()) -> list[str]:
        """The hosts that are meant. ValueError."""
        labels = self._hosts.labels()
        known, out = set(labels), set(without)
        strange = [label for label in [*(on or ()), *without] if label not in known]
        if strange:
            raise ValueError(f"not in session {self._name}: {fold(strange)}: mpboot nodes shows its hosts")
        if not labels:
            raise ValueError(f"session {self._name} has no hosts: mpboot grow HOSTFILE boots some, mpboot halt ends it")
        found = [label for label in dict.fromkeys(labels if on is None else on) if label not in out]
        if not found:
            raise ValueError(f"the set of hosts is empty{': -x leaves nobody' if without else ''}")
        return found

    def _about(self, guest: Guest, _: requests.Request) -> None:
        guest.tell(
            session=self._name, **self._hosts.counts(), age=round(self._boot.elapsed, 1), jobs=len(self.tasks),
            pid=os.getpid(),
        )  # fmt: skip
        guest.end()

    def _ride(self, guest: Guest, _: requests.Request) -> None:
        def tell() -> None:
            guest.tell(session=self._name, **self.ride.about())
            guest.end()

        self.ride.when_settled(tell)

    def _riders(self, guest: Guest, _: requests.Request) -> None:
        guest.tell(session=self._name, riders=self.ride.riders())
        guest.end()

    def _grow(self, guest: Guest, asked: requests.Request) -> None:
        hosts = [_host(row) for row in asked.hosts]
        self._boot.growth.add(hosts)
        self._growing.append((guest, [host.label for host in hosts]))
        self.booted()

    def _shrink(self, guest: Guest, asked: requests.Request) -> None:
        labels = self._chosen(asked.on)
        booting = [label for label in labels if self._boot.report.hosts[label].state == "pending"]
        if booting:
            raise ValueError(f"still booting: {fold(booting)}")
        self._boot.growth.part_with(labels)
        self._shrinking.append((guest, labels))
        self._boot.loop.later(SHRUNK, lambda: self._shrunk(guest, labels, late=True))
        self._shrunk(guest, labels)

    def changed(self) -> None:
        """A host came up, or is gone."""
        for guest, labels in list(self._shrinking):
            self._shrunk(guest, labels)

    def _shrunk(self, guest: Guest, labels: list[str], late: bool = False) -> None:
        left = [label for label in labels if self._hosts.is_up(label)]
        if (late or not left) and (guest, labels) in self._shrinking:
            self._shrinking.remove((guest, labels))
            guest.tell(session=self._name, gone=[label for label in labels if label not in left], left=left)
            guest.end()

    def _halt(self, guest: Guest, _: requests.Request) -> None:
        self._halting.append(guest)  # which sees the end of the connection when all has ended
        self._boot.halt()


def _host(row: dict[str, Any]) -> Host:
    """A host as a client describes it. HostError, ValueError."""
    try:
        host = Host(**row)
    except TypeError:
        raise ValueError("no host") from None
    check_host(host)
    return host
