"""Where a session is that is to be harmed: its processes, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.cluster import Cluster
from tests.support.kept import Kept
from tests.support.run_mpboot import LOCAL, MPBOOT, processes_with

Process = tuple[str, int]  # the host on which it runs (on a site without hosts of their own: nothing), and its pid


class Site(ABC):
    """A head on which clients run, and hosts with the agents; ``names`` are the hosts there may be."""

    names: list[str]

    def __init__(self, directory: Path) -> None:
        """``directory``: for its sockets, its temporary files and what its clients write; each has one of its own."""
        self.runtime, self.temporary, self.clients = (directory / name for name in ("run", "tmp", "clients"))
        for made in (self.runtime, self.temporary, self.clients):
            made.mkdir(mode=0o700)

    def begin(self, hosts: Iterable[str], options: Iterable[str]) -> None:
        """Boot and keep these hosts. AssertionError."""
        done = self.ask("--hosts", ",".join(hosts), *self.rsh, "--keep", *options)
        assert done.returncode == 0, done.stderr

    def start(self, name: str, words: Iterable[str]) -> subprocess.Popen[Any]:
        """A client, running; what it shows goes to NAME.out and NAME.err."""
        with (self.clients / f"{name}.out").open("wb") as out, (self.clients / f"{name}.err").open("wb") as err:
            return self._start(words, stdout=out, stderr=err, stdin=subprocess.DEVNULL)

    def files(self) -> list[str]:
        """What there is of the session's files."""
        found = [*self.runtime.rglob("*"), *self.temporary.rglob("*")]
        return [str(one) for one in found if one != self.runtime / "mpboot"]

    def daemon(self) -> Process | None:
        """The daemon, if there is one."""
        return next((one for one, words in self.processes().items() if "mpboot session " in words), None)

    def of_job(self, variable: str) -> dict[int, str]:
        """All that came of a job and lives."""
        return processes_with(variable)

    # -- what each site has of its own -------------------------------------------------------------

    rsh: tuple[str, ...] = ()

    @abstractmethod
    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A client that has ended."""

    @abstractmethod
    def _start(self, words: Iterable[str], **popen: Any) -> subprocess.Popen[Any]:
        """A client that runs."""

    @abstractmethod
    def processes(self) -> dict[Process, str]:
        """All that came of the session and its clients and lives, with its command line."""

    @abstractmethod
    def agent(self, host: str, pid: int) -> Process:
        """The agent of a host, whose pid `nodes` tells."""

    @abstractmethod
    def below(self, process: Process) -> list[Process]:
        """What has this one for its parent, the oldest first."""

    @abstractmethod
    def leads(self, process: Process) -> bool:
        """Does it lead a session?"""

    @abstractmethod
    def signal(self, process: Process, number: int) -> None:
        """Send a signal, if it is there to get it."""

    def signal_client(self, client: subprocess.Popen[Any], name: str, number: int) -> None:  # noqa: ARG002
        """Send a signal to a client that runs."""
        client.send_signal(number)

    def guard(self, agent: Process) -> Process | None:
        """The guard of an agent, if it has one: the one child that leads a session and runs what the agent runs."""
        mine = self.processes()
        return next((one for one in self.below(agent) if self.leads(one) and mine.get(one) == mine.get(agent)), None)


class Local(Site):
    """All agents are on this machine, without a login."""

    rsh = LOCAL

    def __init__(self, directory: Path, hosts: int) -> None:
        super().__init__(directory)
        self.names = [f"h{number}" for number in range(1, hosts + 1)]
        self._user = Kept(self.runtime)
        self._user.environment["TMPDIR"] = str(self.temporary)

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A client that has ended."""
        return self._user.mpboot(*words)

    def _start(self, words: Iterable[str], **popen: Any) -> subprocess.Popen[Any]:
        return self._user.start(*words, **popen)

    def processes(self) -> dict[Process, str]:
        """What has the mark of its user."""
        return {("", pid): words for pid, words in self._user.family().items()}

    def agent(self, host: str, pid: int) -> Process:  # noqa: ARG002
        """All run here."""
        return "", pid

    def below(self, process: Process) -> list[Process]:
        """As the kernel has it."""
        return sorted(one for one in self.processes() if _stat(one[1])[1] == process[1])

    def leads(self, process: Process) -> bool:
        """As the kernel has it."""
        return _stat(process[1])[3] == process[1]

    def signal(self, process: Process, number: int) -> None:
        """To nobody else's process."""
        if process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process[1], number)

    def kill(self) -> None:
        """End all that is left."""
        self._user.kill()


class Emulated(Site):
    """Each host is a machine of its own, emulated, with a real sshd."""

    def __init__(self, directory: Path, cluster: Cluster) -> None:
        super().__init__(directory)
        self.names = cluster.names
        self._cluster = cluster
        self._environment = {**cluster.env, "XDG_RUNTIME_DIR": str(self.runtime), "TMPDIR": str(self.temporary)}

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """On the head."""
        return self._cluster.run("head", [*MPBOOT, *words], env=self._environment)

    def _start(self, words: Iterable[str], **popen: Any) -> subprocess.Popen[Any]:
        return self._cluster.popen("head", [*MPBOOT, *words], env=self._environment, **popen)

    def processes(self) -> dict[Process, str]:
        """All that runs on the head and the hosts."""
        found = self._cluster.all_processes()
        return {
            (host, one.pid): " ".join(one.command) for host, some in found.items() for one in some if one.state != "Z"
        }

    def agent(self, host: str, pid: int) -> Process:
        """Each on its host."""
        return host, pid

    def below(self, process: Process) -> list[Process]:
        """As that host has it."""
        host, pid = process
        return [(host, one.pid) for one in self._cluster.processes(host) if one.parent == pid]

    def leads(self, process: Process) -> bool:
        """As that host has it."""
        host, pid = process
        return any(one.pid == one.session == pid for one in self._cluster.processes(host))

    def signal(self, process: Process, number: int) -> None:
        """A pid means something on its host alone."""
        self._cluster.run(process[0], ["kill", f"-{number}", process[1]])

    def signal_client(self, client: subprocess.Popen[Any], name: str, number: int) -> None:
        """What runs here passes on all signals but those that stop."""
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            client.send_signal(number)
            return
        for process, words in self.processes().items():
            if process[0] == "head" and "mpboot exec" in words and f"{name} " in words:
                self.signal(process, number)


@contextmanager
def local(hosts: int) -> Iterator[Local]:
    """One whose processes and files are gone at the end, whatever has happened."""
    with TemporaryDirectory(prefix="sc-") as directory:  # a socket's path has to be short
        made = Local(Path(directory), hosts)
        try:
            yield made
        finally:
            made.kill()


@contextmanager
def emulated(hosts: int) -> Iterator[Emulated]:
    """The same, on an emulated cluster of its own."""
    with Cluster(hosts, "ssh") as cluster, TemporaryDirectory(prefix="sc-") as directory:
        yield Emulated(Path(directory), cluster)


def _stat(pid: int) -> list[int]:
    """Its own number, its parent, its group and its session; zeros where it has ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return [pid, 0, 0, 0]
    return [pid, *map(int, words[1:4])]
