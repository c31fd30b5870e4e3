"""The library's face of sessions: ``session`` begins one, ``attach`` finds one, and what can be done with it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any, Union

from mpboot.head.observer import Observer
from mpboot.head.options import Options
from mpboot.head.report import BootReport
from mpboot.hosts.chosen import chosen
from mpboot.hosts.host import Host
from mpboot.net.outlet import STDERR, STDOUT
from mpboot.session.connection import Connection, SessionLost
from mpboot.session.pull import Pulled, pull
from mpboot.session.push import Pushed, push
from mpboot.session.registry import DEFAULT, Place, SessionError
from mpboot.session.run import Ended, HostEnd, Noted, Output, Room, Run
from mpboot.session.sets import Set, labels_of
from mpboot.session.start import KeptBoot
from mpboot.text import Lines, fold

Input = Union[bytes, Iterable[bytes], None]  # a command's standard input: the bytes, or pieces of them


@dataclass
class Result:
    """What came of a command: by host its end, its stdout and its stderr (bytes). ``job``: its number."""

    job: int
    seconds: float  # from its start until its end everywhere
    ends: dict[str, HostEnd] = field(default_factory=dict)
    stdout: dict[str, bytes] = field(default_factory=dict)
    stderr: dict[str, bytes] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)  # what there is to say of its end on a host

    @property
    def exit_codes(self) -> dict[str, int | None]:
        """By host; None where it was lost: ``ends`` says why."""
        return {host: end.exit for host, end in self.ends.items()}

    @property
    def exit_code(self) -> int:
        """The largest exit code; a host that was lost counts as 255."""
        return max((end.code for end in self.ends.values()), default=0)

    def gathered(self) -> list[tuple[str, bytes]]:
        """Equal outputs (stdout) once, as (set of hosts, such as node[1-3]; output); most hosts first."""
        found: dict[bytes, list[str]] = {}
        for host, text in self.stdout.items():
            found.setdefault(text, []).append(host)
        return [(fold(hosts), text) for text, hosts in sorted(found.items(), key=lambda one: -len(one[1]))]


class Session:
    """A session by its name. Each call has a connection of its own, so any thread may use it at any time.

    At the end of a ``with`` block, a session that ``session`` began is halted; one that ``attach`` found stays.
    SessionError where there is no such session (any more), or it can't do what is asked.
    """

    def __init__(self, name: str, report: BootReport | None = None) -> None:
        self.name = name
        self.report = report  # of the boot that began it here; None for one that ``attach`` found

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        if self.report is not None:
            self.halt()

    def run(
        self,
        argv: Sequence[str],
        on: Set = None,
        stdin: Input = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Run a command on the hosts of a set, or on all, and wait for its end.

        ``timeout``: seconds after which the command is ended (exit code 124). What a host does wrong is in the result,
        and raises nothing. SessionError, ValueError.
        """
        out: dict[int, dict[str, bytearray]] = {STDOUT: {}, STDERR: {}}
        with self._begin(argv, on, stdin, env, cwd, timeout) as job:
            result = Result(job.number, 0.0)
            for event in _fed(job, stdin):
                if isinstance(event, Output):
                    out[event.stream].setdefault(event.host, bytearray()).extend(event.data)
                elif isinstance(event, Noted):
                    result.notes.setdefault(event.host, []).append(event.text)
            result.seconds = job.seconds
            result.ends = {host: job.ends[host] for host in job.hosts if host in job.ends}
            ran = [host for host, end in result.ends.items() if end.exit is not None or host in out[STDOUT]]
            result.stdout = {host: bytes(out[STDOUT].get(host, b"")) for host in ran}
            result.stderr = {host: bytes(out[STDERR].get(host, b"")) for host in ran}
        return result

    def stream(
        self,
        argv: Sequence[str],
        on: Set = None,
        stdin: Input = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Iterator[tuple[str, int, bytes]]:
        """Run a command, and give (host, stream, line) as lines come; stream 1 is stdout, 2 is stderr.

        Whoever leaves the iteration early ends the command.
        """
        lines: dict[tuple[str, int], Lines] = {}
        with self._begin(argv, on, stdin, env, cwd, timeout) as job:
            for event in _fed(job, stdin):
                if isinstance(event, Output):
                    for line, _ in lines.setdefault((event.host, event.stream), Lines()).cut(event.data):
                        yield event.host, event.stream, line
                elif isinstance(event, Ended):
                    for stream in (STDOUT, STDERR):
                        left = lines.pop((event.host, stream), None)
                        if left is not None and left.rest:
                            yield event.host, stream, left.rest

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The hosts, each with its state and what belongs to it, as `mpboot nodes --json` has it."""
        return dict(self._ask("nodes")["hosts"])

    def jobs(self) -> list[dict[str, Any]]:
        """The jobs that run: number (job), command, hosts, left (hosts where it runs), seconds, detached."""
        return list(self._ask("jobs")["jobs"])

    def kill(self, job: int, signal: int = 15, last: bool = True) -> None:
        """Send a signal to all processes of a job; ``last``: what is left after 1.5 s is killed."""
        self._ask("kill", job=job, number=signal, last=last)

    def about(self) -> dict[str, Any]:
        """How many hosts are up, lost, failed, booting; the session's age in seconds, its jobs, the daemon's pid."""
        return self._ask("about")

    def grow(self, hosts: Iterable[Host | str] | str) -> dict[str, dict[str, Any]]:
        """Boot more hosts, or again those that are not up; returns them as ``nodes`` does, when all is known."""
        wanted = chosen(hosts, os.environ)
        told = self._ask("grow", timeout=None, hosts=[asdict(host) for host in wanted])
        return dict(told["hosts"])

    def shrink(self, on: Set) -> list[str]:
        """Let go of hosts: their agents end, others below them stay. Returns who is gone. ValueError for no hosts."""
        labels = labels_of(on)
        if not labels:
            raise ValueError("the set of hosts is empty")
        return list(self._ask("shrink", timeout=None, on=labels)["gone"])

    def push(self, sources: Sequence[str], dest: str, on: Set = None, verify: bool = False) -> Pushed:
        """Copy files and directories to hosts, by cp's rules for ``dest``; what is there already is not sent.

        ``verify``: what is there is compared by its bytes, not by size and time. What a host does wrong is in the
        result, and raises nothing. SessionError, ValueError, OSError for a source.
        """
        return push(self.name, list(sources), dest, labels_of(on), verify=verify)

    def pull(self, sources: Sequence[str], directory: str, on: Set = None, fold: bool = False) -> Pulled:
        """Copy files and directories of hosts to ``directory``/HOST/. SessionError, OSError for the directory.

        ``fold``: equal ones once, to ``directory``/SET/. ValueError for a source or directory without a name.
        """
        return pull(self.name, list(sources), directory, labels_of(on), fold=fold)

    def ride(self) -> dict[str, Any]:
        """Where ssh rides: ``directory`` of sockets (or ""), ``rides`` (hosts), their ``names``, ``unfit`` (why)."""
        return self._ask("ride", timeout=None)

    def riders(self) -> list[dict[str, Any]]:
        """The ssh processes that ride: ``pid``, ``host``, ``job`` (None: none so far) and what each ``waits`` for."""
        return list(self._ask("riders")["riders"])

    def halt(self) -> None:
        """End the session: nothing is left anywhere. Returns when it has ended; SessionError if not within 20 s."""
        with Connection(self.name) as connection:
            connection.ask("halt")
            end = monotonic() + HALTS
            try:
                while True:
                    connection.next(max(0.0, end - monotonic()))
            except SessionLost:
                if Place(self.name).lives and monotonic() >= end:
                    raise

    # -- inside ------------------------------------------------------------------------------------

    def _ask(self, what: str, timeout: float | None = 10.0, **values: Any) -> dict[str, Any]:
        with Connection(self.name) as connection:
            connection.ask(what, **values)
            return connection.answer(timeout)

    def _begin(
        self,
        argv: Sequence[str],
        on: Set,
        stdin: Input,
        env: Mapping[str, str] | None,
        cwd: str | None,
        timeout: float | None,
    ) -> Run:
        return Run.begin(self.name, argv, labels_of(on), env, cwd, timeout, stdin=stdin is not None)


HALTS = 20.0  # seconds that a session may take to end


def _fed(job: Run, stdin: Input) -> Iterator[Any]:
    """The job's events; meanwhile it gets its input."""
    pieces = iter(()) if stdin is None else iter([stdin]) if isinstance(stdin, bytes) else iter(stdin)
    rest, ended = b"", stdin is None

    def feed() -> None:
        nonlocal rest, ended
        while job.room > 0 and not ended:
            rest = rest or next((piece for piece in pieces if piece), b"")
            ended = not rest
            now, rest = rest[: job.room], rest[job.room :]
            job.feed(now)

    feed()
    for event in job.events():
        if isinstance(event, Room):
            feed()
        yield event


def session(
    hosts: Iterable[Host | str] | str,
    *,
    name: str = DEFAULT,
    observer: Observer | None = None,
    idle_timeout: float = 0.0,
    rejoin: bool = False,
    **options: Any,
) -> Session:
    """Boot agents on ``hosts`` and keep them: as ``boot``, but the tree stays until it is halted.

    ``idle_timeout``: seconds without use after which it ends by itself, 0 for never; ``rejoin``: hosts that are lost
    are tried again. The ``report`` says what came up. SessionError for a name that is taken, or (with a ``report``) if
    no host came up (without ``rejoin``) or the boot was ended. ValueError for options or hosts that make no sense.
    """
    boot = KeptBoot(
        chosen(hosts, os.environ), Options(**options), observer or Observer(), name=name, idle_timeout=idle_timeout,
        rejoin=rejoin,
    )  # fmt: skip
    report = boot.run()
    if not boot.kept:
        raise SessionError(f"session {name} has not begun: {report.summary()}", report=report)
    return Session(name, report)


def attach(name: str = DEFAULT) -> Session:
    """A session that is there. SessionError if it is not."""
    Connection(name).close()
    return Session(name)
