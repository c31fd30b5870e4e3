"""Real boots on an emulated cluster, and what must be true of every one of them: for the tests and tools/chaos."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Callable

from clusterlib import faults, wire

from mpboot.tree import causes
from tests.support.cluster import Cluster
from tests.support.waiting import until

MPBOOT = "import mpboot.head.line, mpboot.cli.main; mpboot.head.line.SILENCE = {}; mpboot.cli.main.main()"
SILENCE = 10.0  # seconds without a sign of life after which mpboot takes a peer for lost
VERDICT = re.compile(rf"^mpboot:\s*(\d+\.\d+) (\S+) ({'|'.join(causes.ALL)}): ")
GONE = 5.0  # seconds after the end of a boot in which everything of it must have ended everywhere


class Boot:
    """An ``mpboot`` on the cluster's head: its output as it comes, its report when it has ended."""

    def __init__(
        self,
        cluster: Cluster,
        *words: object,
        command: Iterable[str] = (),
        hostfile: object = "",
        silence: float = SILENCE,
    ) -> None:
        """Start it with ``words`` as options; ``-v`` and ``--json`` are added."""
        self.cluster = cluster
        with tempfile.NamedTemporaryFile(prefix="report-", dir=cluster.state.parent, delete=False) as file:
            self._json = Path(file.name)
        program = [sys.executable, "-c", MPBOOT.format(silence)]
        argv = [*program, hostfile or cluster.hostfile, "-v", "--json", self._json, *words]
        tail = ["--", *command] if command else []
        self.begin = monotonic()
        self.process = cluster.popen(
            "head", [*argv, *tail], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.process.stdout is not None
        self._fd = self.process.stdout.fileno()
        os.set_blocking(self._fd, False)
        self.text = ""
        self.seconds = 0.0
        self.report: dict[str, Any] = {}

    def until(self, met: Callable[[str], bool], seconds: float = 15.0) -> None:
        """Read its output until ``met(all of it)``. AssertionError if that does not come."""
        end = monotonic() + seconds
        while not met(self.text):
            left = end - monotonic()
            assert left > 0, f"what was waited for did not come in {seconds:g} s:\n{self.text[-3000:]}"
            if select.select([self._fd], [], [], left)[0] and not self._read():
                assert met(self.text), f"it ended before:\n{self.text[-3000:]}"

    def until_said(self, text: str, count: int = 1, seconds: float = 15.0) -> None:
        """Read until its output has ``text`` so many times."""
        self.until(lambda said: said.count(text) >= count, seconds)

    def end(self, seconds: float = 30.0) -> Boot:
        """Wait for its end and read the report. AssertionError if it hangs."""
        end = monotonic() + seconds
        ended = os.pidfd_open(self.process.pid)  # not the end of its output, which what is stopped may hold
        try:
            sources = [ended, self._fd]
            while ended in sources:
                left = end - monotonic()
                if left <= 0:
                    self.process.kill()
                    raise AssertionError(f"a boot that hangs: it did not end in {seconds:g} s:\n{self.text[-3000:]}")
                ready = select.select(sources, [], [], left)[0]
                if self._fd in ready:  # first all that it said
                    if not self._read():
                        sources.remove(self._fd)
                elif ended in ready:
                    sources.remove(ended)
        finally:
            os.close(ended)
        self.process.wait()
        self.seconds = monotonic() - self.begin
        if self._json.stat().st_size:
            self.report = json.loads(self._json.read_text())
        return self

    def _read(self) -> bool:
        data = os.read(self._fd, 1 << 16)
        self.text += data.decode(errors="replace")
        return bool(data)

    @property
    def code(self) -> int:
        """Its exit code, once it has ended."""
        assert self.process.returncode is not None
        return self.process.returncode

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """The report's hosts."""
        found: dict[str, dict[str, Any]] = self.report["hosts"]
        return found

    def up(self) -> set[str]:
        """The hosts that are up."""
        return {name for name, host in self.hosts.items() if host["state"] == "up"}

    def causes(self) -> dict[str, str]:
        """Why each other host is not."""
        return {name: host["cause"] for name, host in self.hosts.items() if host["state"] != "up"}

    def verdicts(self) -> dict[str, float]:
        """When (seconds since the boot's start) the last launch of each host failed."""
        found = {}
        for line in self.text.splitlines():
            seen = VERDICT.match(line)
            if seen:
                found[seen[2]] = float(seen[1])
        return found

    def check_numbers(self) -> None:
        """Every host is in one place, and their numbers add up. AssertionError."""
        report = self.report
        assert list(self.hosts) == self.cluster.names, "the report has not every host once"
        up = len(self.up())
        failed = sum(host["state"] == "failed" for host in self.hosts.values())
        assert (report["up"], report["failed"]) == (up, failed)
        assert up + failed == len(self.hosts)
        assert all(self.causes().values()), "a host failed without a cause"

    def __enter__(self) -> Boot:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def nothing_left(
    cluster: Cluster, seconds: float = GONE, but: Callable[[str, wire.Process], bool] = lambda *_: False
) -> float:
    """Within ``seconds`` no process is left on any host, ``but(host, process)`` apart; how long it took."""
    begin = monotonic()

    def left() -> dict[str, list[str]]:
        found = {}
        for host, processes in cluster.all_processes().items():
            words = [
                f"{process.pid} {process.state} {' '.join(process.command)[:60]}"
                for process in processes
                if process.state not in "ZX" and not but(host, process)
            ]
            if words:
                found[host] = words
        return found

    until(lambda: not left(), seconds, lambda: f"left after {seconds:g} s: {left()}")
    return monotonic() - begin


def stopped_with(
    cluster: Cluster, victims: Iterable[tuple[str, int]], cut_off: Iterable[str] = ()
) -> Callable[[str, wire.Process], bool]:
    """For nothing_left: which processes can't see their end, since one of the ``victims`` (host, pid) is stopped.

    They are: what is stopped; what came of it; and where an rsh is among those, what runs on its host, since that
    has the rsh's other end for its stdin. So too on the hosts ``cut_off``, whose rsh is dead but whose worker may be
    stopped: the stand-in gives its own stdin away, where ssh's would end.
    """
    wanted = set(victims)
    found = set()
    beyond = set(cut_off if wanted else ())
    for host, processes in cluster.all_processes().items():
        pids = {process.pid for process in processes if (host, process.pid) in wanted and process.state == "T"}
        for process in processes:  # in the order of their numbers, so that a parent comes first
            # A worker whose fork server was killed has another parent, but is in its agent's session still.
            if process.pid in pids or process.parent in pids or process.session in pids:
                pids.add(process.pid)
                found.add((host, process.pid))
                beyond |= {process.command[-2]} if is_rsh(process) else set()
    return lambda host, process: (host, process.pid) in found or host in beyond


def settled(
    cluster: Cluster, boot: Boot, victims: dict[str, int], silence: float, but: dict[str, str] | None = None
) -> None:
    """The boot has ended, all is up ``but`` those, and nothing is left once the ``victims`` that are stopped go on."""
    boot.check_numbers()
    assert boot.causes() == (but or {})
    nothing_left(cluster, silence + GONE, but=stopped_with(cluster, victims.items()))
    for host, pid in victims.items():
        kill(cluster, host, pid, signal.SIGCONT)
    nothing_left(cluster)


def clear(cluster: Cluster) -> None:
    """End all that runs on the hosts, and undo their faults: the next test finds nothing of the last."""
    for host in cluster.names:
        faults.clear(cluster.state, host)
    for host, processes in cluster.all_processes().items():
        for process in processes:
            kill(cluster, host, process.pid)


def is_rsh(process: wire.Process) -> bool:
    """Is this a stand-in rsh? Its last words are the host and the command."""
    return process.command[0].endswith("rsh-standin") and process.state != "Z"


def agents(cluster: Cluster) -> dict[str, list[int]]:
    """The pids of the agents on each host that has any; what they fork is not counted."""
    found = {}
    for host in cluster.names:
        tops = tops_of(cluster.processes(host))
        if tops:
            found[host] = tops
    return found


def tops_of(processes: Iterable[wire.Process]) -> list[int]:
    """The agents (or the root) among a machine's processes.

    An agent leads a session, and so does the guard that it forks. All else that it forks is in its session, also
    a worker whose fork server was killed.
    """
    pythons = {process.pid: process for process in processes if is_python(process) and process.state != "Z"}
    return [pid for pid, process in pythons.items() if process.session == pid and process.parent not in pythons]


def is_python(process: wire.Process) -> bool:
    """Is this an agent, the root, or what one of them forked: a worker, the watcher, a guard?"""
    return "-S" in process.command and "-I" in process.command and "python" in process.command[0]


def kill(cluster: Cluster, host: str, pid: int, number: int = 9) -> None:
    """Send a signal to a process on a host (or the head); a STOP has been heeded when this returns."""
    cluster.run(host, ["kill", f"-{number}", pid])
    end = monotonic() + 1.0  # mpboot may have continued it, or be quicker to kill it
    while number == signal.SIGSTOP and monotonic() < end:
        if all(one.state in "TZX" for one in cluster.processes(host) if one.pid == pid):
            break
        sleep(0.005)


def below(cluster: Cluster, host: str, pid: int) -> list[wire.Process]:
    """The children of a process on a host."""
    return [process for process in cluster.processes(host) if process.parent == pid]


def root_of(cluster: Cluster) -> int:
    """The pid, on the head, of the root of the only boot."""
    return next(iter(tops_of(cluster.processes("head"))))


def fork_server(cluster: Cluster) -> int:
    """The pid of the root's fork server; 0 as long as there is none."""
    try:
        root = root_of(cluster)
    except StopIteration:
        return 0
    return next((one.pid for one in below(cluster, "head", root) if is_python(one)), 0)


class Held:
    """A command for all hosts that ends when ``release`` says so: all of it waits at a FIFO."""

    def __init__(self, cluster: Cluster) -> None:
        self.path = cluster.state.parent / f"fifo{len(list(cluster.state.parent.glob('fifo*')))}"
        os.mkfifo(self.path)
        self.command = ["sh", "-c", f"echo $MPBOOT_HOST runs; read end <{self.path}; :"]

    def release(self) -> None:
        """End it everywhere."""
        os.close(os.open(self.path, os.O_RDWR))
