"""The emulated cluster under a benchmark: started, swept after each run, taken down."""

import contextlib
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from clusterlib.state import supervisor_pid

from .account import Account
from .contenders import Contender, Course
from .processes import below, first_processes
from .program import TOOLS, BenchError, Program

QUIET = 5.0  # seconds that processes have to end after a run before they are killed
NOBODY = "nobody"


@dataclass
class Run:
    """One run of a contender."""

    seconds: float
    reached: int
    cpu: float  # seconds of processor time, of the head and all hosts
    problem: str = ""  # in a line; empty where every host was reached
    left: int = 0  # processes that had to be killed afterwards


@dataclass
class Person:
    """Who does all this: the caller, or another user for programs that refuse root."""

    user: Optional[int] = None
    group: Optional[int] = None
    groups: Optional[Sequence[int]] = None
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        """The caller's own, without what belongs to a boot or a batch system, and ``more``."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MPBOOT_", "SLURM_"))}
        return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **self.variables, **more}


def nobody(scratch: Path) -> Person:
    """A user without rights, to whom the directory is given."""
    account = pwd.getpwnam(NOBODY)
    for path in (scratch, scratch / "home"):
        os.chown(path, account.pw_uid, account.pw_gid)
    variables = {"HOME": str(scratch / "home"), "USER": NOBODY, "LOGNAME": NOBODY}
    return Person(account.pw_uid, account.pw_gid, (), variables)


def tools_cluster(person: Person, *words: str, check: bool = True) -> None:
    """Run tools/cluster. BenchError with what it said if it fails."""
    # Another user may not be able to read this interpreter; the tool needs no more than the system's.
    python = sys.executable if person.user is None else "/usr/bin/python3"
    done = subprocess.run(
        [python, str(TOOLS / "cluster"), *words], capture_output=True, text=True, timeout=180, check=False, cwd="/",
        env=person.environment(), user=person.user, group=person.group, extra_groups=person.groups,
    )  # fmt: skip
    if check and done.returncode:
        raise BenchError(f"tools/cluster {words[0]}: {done.stderr.strip()}")


def write_course(names: Sequence[str], scratch: Path, rsh: str, program: Program) -> Course:
    """The files that contenders find on the head."""
    (scratch / "hosts").write_text("".join(f"{name}\n" for name in names))
    (scratch / "lamhosts").write_text("".join(f"{name}\n" for name in ["head", *names]))
    tell = scratch / "tell"
    tell.write_text('#!/bin/sh\nread -r name </proc/sys/kernel/hostname\necho "runs-on:$name:"\n')
    tell.chmod(0o755)
    scratch.chmod(0o755)
    return Course(list(names), scratch, rsh, [program.python, "-m", "mpboot"])


class Emulated:
    """A cluster that is up: the head on which contenders run, and what they cost."""

    def __init__(self, course: Course, state: Path, program: Program, person: Person, account: Account) -> None:
        self.course, self.state = course, state
        self._program, self._person, self._account = program, person, account
        self.supervisor = supervisor_pid(state) or 0
        self._standing = {seen.pid for seen in below(self.supervisor)}

    @property
    def count(self) -> int:
        """The hosts' number, the head apart."""
        return len(self.course.hosts)

    def popen(self, words: Sequence[str], output: int, more: dict[str, str]) -> "subprocess.Popen[bytes]":
        """Start a command on the head, its stdin empty."""
        path = os.environ["PATH"] if self.course.rsh == "ssh" else f"{self.state}/bin:{os.environ['PATH']}"
        return subprocess.Popen(
            [str(self.state / "bin" / "cluster-exec"), str(self.state), "-", "head", *words],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=self.course.scratch,
            env={**self._person.environment(**more), "PATH": path, "PYTHONPATH": self._program.where},
            user=self._person.user, group=self._person.group, extra_groups=self._person.groups,
        )  # fmt: skip

    def run(self, one: Contender, limit: float) -> Run:
        """Run a contender to its end, or to ``limit`` seconds; nothing of it is left afterwards."""
        self.course.report.unlink(missing_ok=True)
        before = self.cpu()
        log = self.course.scratch / "output"
        with log.open("wb") as file:
            begin = time.monotonic()
            problem = wait(self.popen(one.command(self.course), file.fileno(), one.environment), limit)
            seconds = time.monotonic() - begin
        text = log.read_text(errors="replace")
        told = text.strip().splitlines()[-1:]
        if one.check is not None and not problem:
            with log.open("wb") as file:
                wait(self.popen(one.check(self.course), file.fileno(), one.environment), 30.0)
            text = log.read_text(errors="replace")
        reached = one.reached(text, self.course)
        if one.end:
            wait(self.popen(one.end, subprocess.DEVNULL, one.environment), 30.0)
        left = self.sweep()
        used = self.cpu() - before
        if not problem and reached < self.count:
            problem = f"reached {reached} of {self.count}" + (f": {told[0][:100]}" if told else "")
        return Run(seconds, reached, used, problem, left)

    def first_processes(self) -> list[int]:
        """Process 1 of the head and of each host, in their order."""
        return first_processes(self.supervisor)

    def cpu(self) -> float:
        """Seconds of processor time so far, of the head and all hosts."""
        exact = self._account.seconds()
        # Of /proc the figures are cut to ticks of 10 ms, for each host: good for more than a few runs only.
        return exact if exact is not None else sum(seen.seconds for seen in below(self.supervisor))

    def sweep(self) -> int:
        """Wait until nothing runs that was not there before; what stays is killed. How many that were."""
        until = time.monotonic() + QUIET
        while new := [seen for seen in below(self.supervisor) if self._is_new(seen.pid, seen.state)]:
            if time.monotonic() > until:
                for seen in new:
                    try:
                        os.kill(seen.pid, signal.SIGKILL)
                    except OSError:
                        continue
                time.sleep(0.2)
                return len(new)
            time.sleep(0.02)
        return 0

    def _is_new(self, pid: int, state: str) -> bool:
        return pid not in self._standing and state != "Z"


def wait(process: "subprocess.Popen[bytes]", limit: float) -> str:
    """Wait for its end, at most ``limit`` seconds, and then kill it; what went wrong, or nothing."""
    # Popen.wait with a timeout looks every 50 ms: too coarse to be timed with.
    end = os.pidfd_open(process.pid)
    ended = select.select([end], [], [], limit)[0]
    os.close(end)
    if not ended:
        process.kill()
    process.wait()
    return "" if ended else f"not ended after {limit:.0f} s"


@contextlib.contextmanager
def emulated(count: int, mode: str, latency: float, program: Program, unprivileged: bool = False) -> Iterator[Emulated]:
    """A cluster of ``count`` hosts, up meanwhile. ``mode``: bare or ssh; ``latency``: the stand-in's, in seconds."""
    scratch = Path(tempfile.mkdtemp(prefix="mpb-"))
    state, home, named = scratch / "state", scratch / "home", scratch / "named"
    account, person = Account(), Person()
    try:
        home.mkdir()
        if unprivileged and os.getuid() == 0:
            person = nobody(scratch)
        with account.entered():
            tools_cluster(
                person, "up", str(count), f"--{mode}", "--latency", str(latency), "--shell", "/bin/sh",
                "--home", str(home), "--head-address", "real", "--hostfile", str(named), "--state", str(state),
            )  # fmt: skip
        rsh = str(state / "bin" / "rsh-standin") if mode == "bare" else "ssh"
        course = write_course(named.read_text().split("\n")[1:-1], scratch, rsh, program)
        yield Emulated(course, state, program, person, account)
    finally:
        if state.exists():
            tools_cluster(person, "down", "--state", str(state), check=False)
        account.close()
        shutil.rmtree(scratch, ignore_errors=True)
