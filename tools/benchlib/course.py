"""The emulated cluster under a benchmark: started, looked at from outside, swept after each run, taken down."""

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
from dataclasses import dataclass
from pathlib import Path

from clusterlib.state import supervisor_pid

from .account import Account
from .contenders import Contender, Course

TOOLS = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
QUIET = 5.0  # seconds that processes have to end after a run before they are killed
NOBODY = "nobody"


class BenchError(Exception):
    """What failed, in a line."""


@dataclass
class Seen:
    """A process as /proc shows it from outside all namespaces."""

    pid: int
    parent: int
    state: str
    seconds: float  # of processor time, that of its ended children included
    begun: int  # in ticks of the kernel's


@dataclass
class Run:
    """One run of a contender."""

    seconds: float
    reached: int
    cpu: float  # seconds of processor time, of the head and all hosts
    problem: str = ""  # in a line; empty where every host was reached
    left: int = 0  # processes that had to be killed afterwards


class Program:
    """mpboot as it is now, copied and compiled: who works on it meanwhile does not change what is measured."""

    def __init__(self) -> None:
        self.python = find_python()
        self.where = tempfile.mkdtemp(prefix="mpb-code-")
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(TOOLS.parent / "mpboot", Path(self.where) / "mpboot", ignore=ignored)
        compiling = [self.python, "-m", "compileall", "-q", self.where]
        if subprocess.run(compiling, stdout=subprocess.DEVNULL, check=False).returncode:
            self.close()
            raise BenchError("mpboot can't be compiled")

    def close(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self.where, ignore_errors=True)


def find_python() -> str:
    """The interpreter with mpboot's dependencies; the environment is made if it is not there."""
    shell = f'ROOT={TOOLS.parent}; ME=tools/bench; . "$ROOT/tools/lib.sh"; make_venv run; echo "$VENV"'
    done = subprocess.run(["/bin/sh", "-euc", shell], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BenchError("the environment for mpboot can't be made")
    return done.stdout.strip().splitlines()[-1] + "/bin/python"


def processes() -> dict[int, Seen]:
    """All processes of this machine."""
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks = sum(int(field) for field in fields[11:15])
            found[int(entry)] = Seen(int(entry), int(fields[1]), fields[0], ticks / TICKS, int(fields[19]))
    return found


def is_first(pid: int) -> bool:
    """Is it process 1 of a PID namespace below ours?"""
    try:
        numbers = Path(f"/proc/{pid}/status").read_text().partition("\nNSpid:")[2].partition("\n")[0].split()
    except OSError:
        return False
    return len(numbers) > 1 and numbers[-1] == "1"


class Emulated:
    """A cluster of ``count`` hosts, up between enter and exit. ``mode``: bare or ssh; ``latency``: the stand-in's."""

    def __init__(self, count: int, mode: str, latency: float, program: Program, unprivileged: bool = False) -> None:
        self.count, self.mode, self.latency = count, mode, latency
        self._program = program
        self._other = pwd.getpwnam(NOBODY) if unprivileged and os.getuid() == 0 else None
        self.scratch = Path()
        self._account = Account()

    def __enter__(self) -> "Emulated":
        self.scratch = Path(tempfile.mkdtemp(prefix="mpb-"))
        self.state = self.scratch / "state"
        (self.scratch / "home").mkdir()
        try:
            if self._other is not None:
                for path in (self.scratch, self.scratch / "home"):
                    os.chown(path, self._other.pw_uid, self._other.pw_gid)
            options = ["--latency", str(self.latency), "--shell", "/bin/sh", "--home", str(self.scratch / "home"),
                       "--head-address", "real", "--hostfile", str(self.scratch / "named")]  # fmt: skip
            with self._account.entered():
                self._cluster("up", str(self.count), f"--{self.mode}", *options)
            names = (self.scratch / "named").read_text().split("\n")[1:-1]
            (self.scratch / "hosts").write_text("".join(f"{name}\n" for name in names))
            (self.scratch / "lamhosts").write_text("".join(f"{name}\n" for name in ["head", *names]))
            tell = self.scratch / "tell"
            tell.write_text('#!/bin/sh\nread -r name </proc/sys/kernel/hostname\necho "runs-on:$name:"\n')
            tell.chmod(0o755)
            self.scratch.chmod(0o755)
            self.supervisor = supervisor_pid(self.state) or 0
            rsh = str(self.state / "bin" / "rsh-standin") if self.mode == "bare" else "ssh"
            self.course = Course(names, self.scratch, rsh, [self._program.python, "-m", "mpboot"])
            self._standing = {seen.pid for seen in self.ours()}
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if (self.scratch / "state").exists():
            self._cluster("down", check=False)
        self._account.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _as_user(self) -> dict[str, object]:
        if self._other is None:
            return {"env": self._environment({})}
        one = self._other
        known = {"HOME": str(self.scratch / "home"), "USER": NOBODY, "LOGNAME": NOBODY}
        return {"user": one.pw_uid, "group": one.pw_gid, "extra_groups": [], "env": self._environment(known)}

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MPBOOT_", "SLURM_"))}
        return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}

    def _cluster(self, *words: str, check: bool = True) -> None:
        # Another user may not be able to read this interpreter; the tool needs no more than the system's.
        python = "/usr/bin/python3" if self._other is not None else sys.executable
        command = [python, str(TOOLS / "cluster"), *words, "--state", str(self.state)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, cwd="/",
                              **self._as_user())  # type: ignore[call-overload]  # fmt: skip
        if check and done.returncode:
            raise BenchError(f"tools/cluster {words[0]}: {done.stderr.strip()}")

    # -- runs --------------------------------------------------------------------------------------

    def popen(self, words: Sequence[str], output: int, more: dict[str, str]) -> "subprocess.Popen[bytes]":
        """Start a command on the head, its stdin empty."""
        options = self._as_user()
        environment = {**options.pop("env"), **more}  # type: ignore[dict-item]
        environment["PATH"] = f"{self.state}/bin:{os.environ['PATH']}" if self.mode == "bare" else os.environ["PATH"]
        environment["PYTHONPATH"] = self._program.where
        return subprocess.Popen(
            [str(self.state / "bin" / "cluster-exec"), str(self.state), "-", "head", *words],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,
            cwd=self.scratch, **options,
        )  # type: ignore[call-overload]  # fmt: skip

    def run(self, one: Contender, limit: float) -> Run:
        """Run a contender to its end, or to ``limit`` seconds; nothing of it is left afterwards."""
        self.course.report.unlink(missing_ok=True)
        before = self.cpu()
        log = self.scratch / "output"
        with log.open("wb") as file:
            begin = time.monotonic()
            problem = self._wait(self.popen(one.command(self.course), file.fileno(), one.environment), limit)
            seconds = time.monotonic() - begin
        text = log.read_text(errors="replace")
        told = text.strip().splitlines()[-1:]
        if one.check is not None and not problem:
            with log.open("wb") as file:
                self._wait(self.popen(one.check(self.course), file.fileno(), one.environment), 30.0)
            text = log.read_text(errors="replace")
        reached = one.reached(text, self.course)
        if one.end:
            self._wait(self.popen(one.end, subprocess.DEVNULL, one.environment), 30.0)
        left = self.sweep()
        used = self.cpu() - before
        if not problem and reached < self.count:
            problem = f"reached {reached} of {self.count}" + (f": {told[0][:100]}" if told else "")
        return Run(seconds, reached, used, problem, left)

    def _wait(self, process: "subprocess.Popen[bytes]", limit: float) -> str:
        # Popen.wait with a timeout looks every 50 ms: too coarse to be timed with.
        end = os.pidfd_open(process.pid)
        ended = select.select([end], [], [], limit)[0]
        os.close(end)
        if not ended:
            process.kill()
        process.wait()
        return "" if ended else f"not ended after {limit:.0f} s"

    # -- from outside ------------------------------------------------------------------------------

    def ours(self, root: int = 0) -> Iterator[Seen]:
        """The processes below the supervisor (its own left out), or below ``root``."""
        known = processes()
        below: dict[int, list[Seen]] = {}
        for seen in known.values():
            below.setdefault(seen.parent, []).append(seen)
        todo = list(below.get(root or self.supervisor, ()))
        while todo:
            seen = todo.pop()
            yield seen
            todo += below.get(seen.pid, ())

    def first_processes(self) -> list[int]:
        """Process 1 of the head and of each host, in their order."""
        known = [seen for seen in processes().values() if seen.parent == self.supervisor]
        return [seen.pid for seen in sorted(known, key=lambda seen: (seen.begun, seen.pid)) if is_first(seen.pid)]

    def cpu(self) -> float:
        """Seconds of processor time so far, of the head and all hosts."""
        exact = self._account.seconds()
        # Of /proc the figures are cut to ticks of 10 ms, for each host: good for more than a few runs only.
        return exact if exact is not None else sum(seen.seconds for seen in self.ours())

    def sweep(self) -> int:
        """Wait until nothing runs that was not there before; what stays is killed. How many that were."""
        until = time.monotonic() + QUIET
        while new := [seen for seen in self.ours() if seen.pid not in self._standing and seen.state != "Z"]:
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
