"""The library's front door: ``boot(hosts, …)`` starts the root, follows the boot, returns a BootReport.

The root is a process of its own, an agent like any other whose parent is this one: so a program that has
threads, or much memory, never forks for a boot, and a slow terminal never holds one up.
"""

from __future__ import annotations

import json
import marshal
import os
import signal
import socket
import subprocess
import sys
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Callable

from .hosts import Host
from .node import bundle, remote, wire
from .node.link import Link
from .node.loop import READ, Loop, Timer
from .node.outlet import Credits, unpack_out
from .observer import Lines, Observer
from .options import Options
from .report import HEAD, BootReport, HostReport
from .tree import causes

BEAT = 2.0  # seconds between two questions to the root whether it lives
SILENCE = 10.0  # seconds without a sign of life after which a peer is lost
CALL_BACK = 2.0  # seconds that an agent tries to connect back before it falls back to rsh's stdio
ROOT_GRACE = 6.0  # seconds that the root may take to end everything
TELL_WAIT = 1.0  # seconds that the parents may take to tell which launches are under way
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
        self._launched = 0
        self._lines: dict[tuple[int, int], Lines] = {}
        self._expected: set[int] = set()
        self._beaten = self._awake = monotonic()
        self._unpaid = 0  # bytes of output that the observer still holds
        self._root_gone = False
        self._done = False
        self._ending = ""
        self._interrupts = 0
        self._mute = False  # the root says nothing any more
        self._telling: Timer | None = None
        self._silent = 0  # answers to TELL that are to come
        self._under_way: list[dict[str, Any]] = []

    def run(self) -> BootReport:
        """Boot, run the command if there is one, end the tree; never raises for what a host does."""
        if not self.hosts:
            return self.report
        ours, theirs = socket.socketpair()
        secret = os.urandom(wire.SECRET_BYTES)
        with theirs:
            root = self._start_root(secret, theirs.fileno())
        session = wire.Session(secret, True, os.urandom(16))
        fd = ours.detach()
        self._link = Link(self.loop, session, fd, fd, self._hello, self._root_lost)
        self._credits = Credits(self._link)
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
            self._reap(root)
        self._finish()
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
        if self._telling is None and self._link.session.ready:
            self._silent, self._under_way = 1, []
            self._link.send(wire.TELL)
            self._telling = self.loop.later(TELL_WAIT, self._launches_told)

    def eased(self) -> None:
        """The observer has passed on all output that it was given."""
        self._credits.passed_on(self._unpaid)
        self._unpaid = 0
        if self._root_gone:
            self.loop.stop()

    # -- inside ------------------------------------------------------------------------------------

    def _start_root(self, secret: bytes, fd: int) -> subprocess.Popen[bytes]:
        config: dict[str, Any] = {
            "id": 0, "rank": HEAD, "host": "head", "fd": fd, "secret": secret, "routes": (), "lineage": (),
            "silence": SILENCE,
        }  # fmt: skip
        payload = marshal.dumps((*bundle.kit(), config), 2)
        root = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", remote.BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[fd],
            start_new_session=True,
        )
        assert root.stdin is not None
        with root.stdin:
            root.stdin.write(b"%x\n" % len(payload) + payload)
        return root

    def _reap(self, root: subprocess.Popen[bytes]) -> None:
        try:
            root.wait(0.1 if self._interrupts > 1 or self._mute else ROOT_GRACE)
        except subprocess.TimeoutExpired:
            root.kill()
            root.wait()

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
            self.report.seconds = round(monotonic() - self._start, 4)
        if why and self.last_look and not self._done:
            self.show_launches()
        self._stop_number = number
        if self._telling is None:
            self._send_stop()

    def _send_stop(self) -> None:
        self._link.send(wire.STOP, b"%d" % self._stop_number)
        self.loop.later(ROOT_GRACE, self._leave)

    def _launches_told(self) -> None:
        """All parents have answered, or had their time."""
        if self._telling is None:
            return
        self._telling.cancel()
        self._telling = None
        if self._under_way or self._silent or not self._ending:
            from .inspect_view import launch_lines

            longest_first = sorted(self._under_way, key=lambda record: -float(record["seconds"]))
            for line in launch_lines(longest_first, self._silent):
                self.observer.log(line)
        if self._ending:
            self._send_stop()

    def _told(self, answer: dict[str, Any]) -> None:
        """One parent's launches under way."""
        self._silent += answer["to_come"] - 1
        self._under_way += [{**record, "from": self._label(record["from"])} for record in answer["launches"]]
        if self._silent <= 0:
            self._launches_told()

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
        for rank in range(len(self.hosts)):
            self._flush_lines(rank)
        if not self.observer.full:
            self.loop.stop()
        elif self.report.ended_by:
            self.loop.later(READER_GRACE, self.loop.stop)

    def _hello(self, kind: int, _: bytes) -> None:
        if kind != wire.HELLO:
            raise ValueError("not a HELLO")
        self._link.got = self._heard
        options = self.options
        boot = {
            "topology": options.topology, "children": options.children, "timeout": options.timeout,
            "retries": options.retries, "wait_for": options.wait_for, "rsh": options.rsh,
            "rsh_words": remote.rsh_words(options.rsh),
            "transport": options.transport, "shell_probe": options.shell_probe, "attach": options.attach,
            "budget": CALL_BACK,
            "command": bool(options.command), "verbose": options.verbose, "psutil": _where_psutil_is(),
        }  # fmt: skip
        items = [
            [rank, host.label, host.name, host.user or options.user, host.port, 0, host.schedule]
            for rank, host in enumerate(self.hosts)
        ]
        for name in ("agent", "parent"):
            self._link.send(wire.CODE, bundle.pack(name))
        if options.command:
            environment = {"MPBOOT_SIZE": str(len(self.hosts))}
            order = {"argv": list(options.command), "env": environment, "here": False}
            self._link.send(wire.RUN, json.dumps(order).encode())
            self._expected = {rank for rank, host in enumerate(self.hosts) if host.schedule}
        share = {"boot": boot, "level": 0, "clock": monotonic() - self._start, "hosts": items}
        self._link.send(wire.SHARE, json.dumps(share).encode())

    def _heard(self, kind: int, body: bytes) -> None:
        if kind == wire.OUT:
            self._output(*unpack_out(body))
            self._unpaid += len(body)
            if not self.observer.full:
                self.eased()
        elif kind == wire.LAUNCHED:
            numbers = json.loads(body)
            self._launched += numbers["launched"]
            self.report.strangers += numbers["strangers"]
            self.observer.launched(self._launched)
        elif kind == wire.UP:
            for record in json.loads(body):
                self._up(record)
        elif kind == wire.FAILED:
            for record in json.loads(body):
                self._failed(record)
        elif kind == wire.EXIT:
            for rank, code in json.loads(body):
                self.report.hosts[self.labels[rank]].exit = code
                self._flush_lines(rank)
                self.observer.exited(self.labels[rank], code)
                self._expected.discard(rank)
            self._see_whether_all_ended()
        elif kind == wire.NOTE:
            rank, what, text = json.loads(body)
            self.report.notes.setdefault((what, text), []).append(self._label(rank))
        elif kind == wire.LOG:
            self.observer.log(body.decode("utf-8", "replace"))
        elif kind == wire.TOLD:
            self._told(json.loads(body))
        elif kind == wire.DONE:
            self._done = True
            self.report.seconds = round(monotonic() - self._start, 4)
            self._link.send(wire.GO)
            if self._deadline is not None:
                self._deadline.cancel()
            self.observer.booted()
            self._see_whether_all_ended()

    def _up(self, record: list[Any]) -> None:
        rank, parent, level, launched, up, pid, attempts, python = record
        report = self.report.hosts[self.labels[rank]]
        if report.state == "up" and report.pid == pid:
            return  # told once more by an adopted subtree
        report.come_up(self._label(parent), level, launched, up, pid, attempts, python)
        self.observer.changed(self.labels[rank], report)

    def _failed(self, record: list[Any]) -> None:
        rank, cause, phase, attempts, launcher, detail, stderr = record
        report = self.report.hosts[self.labels[rank]]
        if report.cause == cause:
            return
        report.fail(cause, phase, attempts, self._label(launcher), detail, stderr)
        self._expected.discard(rank)
        self.observer.changed(self.labels[rank], report)
        self._see_whether_all_ended()

    def _label(self, rank: int) -> str:
        return "head" if rank == HEAD else self.labels[rank]

    def _output(self, rank: int, stream: int, text: bytes) -> None:
        for line in self._lines.setdefault((rank, stream), Lines()).cut(text):
            self.observer.output(self.labels[rank], stream, line)

    def _flush_lines(self, rank: int) -> None:
        for stream in (1, 2):
            lines = self._lines.pop((rank, stream), None)
            if lines is not None and lines.rest:
                self.observer.output(self.labels[rank], stream, lines.rest)

    def _see_whether_all_ended(self) -> None:
        if self._done and not self._expected:
            self._end("")

    def _finish(self) -> None:
        why = self.report.ended_by or causes.LOST
        for label, report in self.report.hosts.items():
            if report.state not in ("up", "failed"):
                report.fail(why, "", 0, "head", _ENDINGS.get(why, "the boot ended first"), "")
                self.observer.changed(label, report)
        if not self.report.seconds:
            self.report.seconds = round(monotonic() - self._start, 4)


_ENDINGS = {
    causes.DEADLINE: "the boot's deadline came first",
    causes.INTERRUPTED: "the boot was interrupted first",
    causes.LOST: "mpboot's root process ended before the host was up",
}


def _where_psutil_is() -> list[str]:
    """The directory that holds psutil here, for the root, which runs without site directories."""
    from importlib.util import find_spec

    spec = find_spec("psutil")
    return [str(Path(spec.origin).parent.parent)] if spec is not None and spec.origin else []


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
    from .hosts import find_hosts, parse_hosts_option

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


class _Module(types.ModuleType):
    """So that `mpboot.boot(…)` can be called, whether it is this module by now or still the function."""

    __call__ = staticmethod(boot)


sys.modules[__name__].__class__ = _Module
