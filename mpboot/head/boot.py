"""The library's front door: ``boot(hosts, …)`` starts the root, follows the boot, returns a BootReport.

The root is a process of its own, an agent like any other whose parent is this one: so a program that has
threads, or much memory, never forks for a boot, and a slow terminal never holds one up.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Callable

from mpboot.head.launches import UnderWay
from mpboot.head.observer import Observer
from mpboot.head.options import Options
from mpboot.head.recorder import News
from mpboot.head.report import BootReport, HostReport
from mpboot.head.root import Root, first_messages
from mpboot.hosts.host import Host
from mpboot.net import wire
from mpboot.net.link import Link
from mpboot.net.loop import READ, Loop, Timer
from mpboot.net.outlet import Credits, unpack_out
from mpboot.tree import causes

BEAT = 2.0  # seconds between two questions to the root whether it lives
SILENCE = 10.0  # seconds without a sign of life after which a peer is lost
ROOT_GRACE = 6.0  # seconds that the root may take to end everything
READER_GRACE = 0.5  # seconds that the reader of the output has left when the boot was ended early


__all__ = ["Boot", "Observer", "Options", "boot"]


@dataclass
class Boot:
    """One boot under way; ``run`` does it. Use from one thread; SIGINT and SIGTERM are heeded in the main one."""

    hosts: Sequence[Host]
    options: Options
    observer: Observer = field(default_factory=Observer)
    last_look: bool = False  # show the launches under way when the deadline or an interrupt ends the boot

    def __post_init__(self) -> None:
        self.labels = [host.label for host in self.hosts]
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("a host is named twice")
        self.report = BootReport(
            topology=self.options.topology,
            children=self.options.children or "auto",
            hosts={host.label: HostReport(attributes=host.attributes()) for host in self.hosts},
        )
        self.loop = Loop()
        self._start = monotonic()
        self._deadline: Timer | None = None
        self._beaten = self._awake = monotonic()
        self._unpaid = 0  # bytes of output that the observer still holds
        self._root_gone = False
        self._ending = ""
        self._interrupts = 0
        self._mute = False  # the root says nothing any more

    def run(self) -> BootReport:
        """Boot, run the command if there is one, end the tree; never raises for what a host does."""
        if not self.hosts:
            return self.report
        root = Root(SILENCE)
        session = wire.Session(root.secret, True, os.urandom(16))
        self._link = Link(self.loop, session, root.fd, root.fd, self._hello, self._root_lost)
        self._credits = Credits(self._link)
        commands = {rank for rank, host in enumerate(self.hosts) if host.schedule} if self.options.command else set()
        self._news = News(self.labels, commands, self.report, self.observer)
        self._under_way = UnderWay(self.loop, self._link, self.observer, self._news.label, self._launches_shown)
        restore = self._watch_signals()
        self.observer.begin(self)
        self.loop.later(BEAT, self._beat)
        if self.options.deadline is not None:
            self._deadline = self.loop.later(self.options.deadline, lambda: self._end(causes.DEADLINE))
        try:
            self.loop.run()
        finally:
            restore()
            self._link.close()
            root.end(0.1 if self._interrupts > 1 or self._mute else ROOT_GRACE)
        self._news.finish()
        if not self.report.seconds:
            self.report.seconds = round(self.elapsed, 4)
        return self.report

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the boot."""
        return monotonic() - self._start

    def stop(self) -> None:
        """End the boot early, as an interrupt does."""
        self._end(causes.INTERRUPTED, signal.SIGTERM)

    def show_launches(self) -> None:
        """Have the observer's ``log`` tell which launches are under way, as SIGUSR1 does."""
        self._under_way.ask()

    def eased(self) -> None:
        """The observer has passed on all output that it was given."""
        self._credits.passed_on(self._unpaid)
        self._unpaid = 0
        if self._root_gone:
            self.loop.stop()

    # -- inside ------------------------------------------------------------------------------------

    def _watch_signals(self) -> Callable[[], None]:
        """Have SIGINT and SIGTERM wake the loop; returns what puts things back."""
        try:
            free = [signal.SIGUSR1] if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL else []
            wanted = (signal.SIGINT, signal.SIGTERM, *free)
            handlers = {number: signal.signal(number, lambda *_: None) for number in wanted}
        except ValueError:
            return lambda: None  # not the main thread: signals are the program's own business
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self.loop.watch(read, READ, lambda _: self._interrupted(os.read(read, 64)))

        def restore() -> None:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self.loop.forget(read)
            os.close(read)
            os.close(write)

        return restore

    def _interrupted(self, numbers: bytes) -> None:
        for number in numbers:
            if number in (signal.SIGINT, signal.SIGTERM):
                self._interrupts += 1
                if self._interrupts > 1 or self._root_gone:
                    self.loop.stop()
                else:
                    self._end(causes.INTERRUPTED, number)
            elif number == signal.SIGUSR1:
                self.show_launches()

    def _end(self, why: str, number: int = signal.SIGTERM) -> None:
        """Stop the tree, once."""
        if self._ending:
            return
        self._ending = why or "done"
        if why:
            self.report.ended_by = why
            self.observer.stopping(why)
        if not self.report.seconds:
            self.report.seconds = round(self.elapsed, 4)
        self._under_way.even_none = False
        if why and self.last_look and not self._news.booted:
            self.show_launches()
        self._stop_number = number
        if not self._under_way.asked:
            self._send_stop()

    def _send_stop(self) -> None:
        self._link.send(wire.STOP, b"%d" % self._stop_number)
        self.loop.later(ROOT_GRACE, self._leave)

    def _launches_shown(self) -> None:
        """What was held up by it goes on."""
        if self._ending:
            self._send_stop()

    def _beat(self) -> None:
        """A root that is stopped, or hangs, must not hang us: it is asked whether it lives."""
        now = monotonic()
        if now - self._beaten > 2 * BEAT:
            self._awake = now  # we were suspended ourselves, and have not listened
        self._beaten = now
        silent = now - max(self._link.heard, self._awake)
        if silent > SILENCE:
            self._mute = True
            self._link.fail(f"silent for {silent:.0f} s")
            return
        if self._link.session.ready:
            self._link.send(wire.PING)
        self.loop.later(BEAT, self._beat)

    def _root_lost(self, reason: str) -> None:
        if not self._ending:
            self.report.ended_by = causes.LOST
            self.observer.log(f"mpboot's root process ended unexpectedly: {reason}")
        self._leave()

    def _leave(self) -> None:
        """Nothing more comes from the root: end as soon as the output has been read."""
        if self._root_gone:
            return
        self._root_gone = True
        self._news.flush()
        if not self.observer.full:
            self.loop.stop()
        elif self.report.ended_by:
            self.loop.later(READER_GRACE, self.loop.stop)

    def _hello(self, kind: int, _: bytes) -> None:
        if kind != wire.HELLO:
            raise ValueError("not a HELLO")
        self._link.got = self._heard
        for message in first_messages(self.hosts, self.options, self._start):
            self._link.send(*message)

    def _heard(self, kind: int, body: bytes) -> None:
        if kind == wire.OUT:
            self._news.output(*unpack_out(body))
            self._unpaid += len(body)
            if not self.observer.full:
                self.eased()
        elif kind == wire.TOLD:
            self._under_way.told(json.loads(body))
        elif kind == wire.DONE:
            self._news.booted = True
            self.report.seconds = round(self.elapsed, 4)
            self._link.send(wire.GO)
            if self._deadline is not None:
                self._deadline.cancel()
            self.observer.booted()
        else:
            self._news.heard(kind, body)
        if self._news.complete:
            self._end("")


def boot(
    hosts: Iterable[Host | str] | str,
    *,
    observer: Observer | None = None,
    environ: Mapping[str, str] = os.environ,
    **options: Any,
) -> BootReport:
    """Boot agents on ``hosts`` through a tree, as the command ``mpboot`` does, and end the tree again.

    ``hosts``: Host objects or names, or one string as for --hosts ("a,b,node[1-3]"). ``options``: the fields
    of Options (children, topology, timeout, …; times in seconds). With ``command=["uptime"]`` it runs on every
    host. Returns a BootReport; what a host does wrong is in there and raises nothing. ValueError (HostError
    among them) for options or hosts that make no sense, before anything is launched.
    """
    from mpboot.hosts.sources import find_hosts, parse_hosts_option

    if isinstance(hosts, str):
        chosen = parse_hosts_option(hosts).hosts
    else:
        given = list(hosts)
        names = [one for one in given if isinstance(one, str)]
        chosen = parse_hosts_option(",".join(names)).hosts if len(names) == len(given) and given else ()
        if not chosen:
            chosen = tuple(one for one in given if isinstance(one, Host))
            if len(chosen) < len(given):
                raise ValueError("give host names or Host objects, not a mixture")
    if not chosen:
        chosen = find_hosts(None, None, environ).hosts
    return Boot(chosen, Options(**options), observer or Observer()).run()
