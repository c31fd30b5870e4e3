"""Where a session is that is to be harmed: its processes, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.kept import Kept
from tests.support.run_mpboot import processes_with


class Local:
    """All agents on this machine, without a login; ``names`` are the hosts there may be."""

    def __init__(self, directory: Path, hosts: int) -> None:
        """``directory``: for its sockets, its temporary files and what its clients write; each has one of its own."""
        self.names = [f"h{number}" for number in range(1, hosts + 1)]
        self.runtime, self.temporary, self.clients = (directory / name for name in ("run", "tmp", "clients"))
        for made in (self.runtime, self.temporary, self.clients):
            made.mkdir(mode=0o700)
        self._user = Kept(self.runtime)
        self._user.environment["TMPDIR"] = str(self.temporary)

    def begin(self, hosts: Iterable[str], options: Iterable[str]) -> None:
        """Boot and keep these hosts. AssertionError."""
        self._user.begin(",".join(hosts), *options)

    def start(self, name: str, words: Iterable[str]) -> subprocess.Popen[bytes]:
        """A client, running; what it shows goes to NAME.out and NAME.err."""
        with (self.clients / f"{name}.out").open("wb") as out, (self.clients / f"{name}.err").open("wb") as err:
            return self._user.start(*words, stdout=out, stderr=err)

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A client that has ended."""
        return self._user.mpboot(*words)

    def processes(self) -> dict[int, str]:
        """All that came of the session and its clients and lives: pid and command line."""
        return self._user.family()

    def of_job(self, variable: str) -> dict[int, str]:
        """All that came of a job and lives."""
        return processes_with(variable)

    def daemon(self) -> int:
        """The daemon's pid, 0 if there is none."""
        return next((pid for pid, words in self.processes().items() if "mpboot session " in words), 0)

    def below(self, pid: int) -> list[int]:
        """What has this one for its parent, the oldest first."""
        return sorted(one for one in self.processes() if _stat(one)[1] == pid)

    def guard(self, agent: int) -> int:
        """The guard of an agent, 0 if it has none: the one child that leads a session and runs what the agent runs."""
        mine = self.processes()
        return next((pid for pid in self.below(agent) if _stat(pid)[3] == pid and mine[pid] == mine[agent]), 0)

    def signal(self, pid: int, number: int) -> bool:
        """Send a signal, if it is there to get it."""
        if pid not in self.processes():
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False

    def files(self) -> list[str]:
        """What there is of the session's files."""
        found = [*self.runtime.rglob("*"), *self.temporary.rglob("*")]
        return [str(one) for one in found if one != self.runtime / "mpboot"]

    def kill(self) -> None:
        """End all that is left."""
        self._user.kill()


@contextmanager
def local(hosts: int) -> Iterator[Local]:
    """One whose processes and files are gone at the end, whatever has happened."""
    with TemporaryDirectory(prefix="sc-") as directory:  # a socket's path has to be short
        made = Local(Path(directory), hosts)
        try:
            yield made
        finally:
            made.kill()


def _stat(pid: int) -> list[int]:
    """Its own number, its parent, its group and its session; zeros where it has ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return [pid, 0, 0, 0]
    return [pid, *map(int, words[1:4])]
