"""An emulated cluster for tests: `with Cluster(8) as cluster: cluster.run("head", ["mpboot", …])`.

Where the machine can't have one the test is skipped with the reason, or fails if MPBOOT_REQUIRE (words with
spaces or commas between) has the word: namespaces, sshd, rsh, programs.
"""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import pytest
from clusterlib import faults, services, wire
from clusterlib.state import ClusterError, supervisor_pid, take_down
from clusterlib.wire import Process

from tests.support.waiting import until

TOOLS = Path(__file__).resolve().parents[2] / "tools"
USER = pwd.getpwuid(os.getuid()).pw_name  # whom hosts know by the key
TOOL = TOOLS / "cluster"
SERVICE_WORDS = {"ssh": "sshd", "rsh": "rsh"}


def need(word: str) -> None:
    """Skips the test when the machine lacks it; fails when MPBOOT_REQUIRE says that it must not."""
    reason = why_not(word)
    if reason:
        refuse(word, reason)


def refuse(word: str, reason: str) -> None:
    """Skip or fail, as MPBOOT_REQUIRE has it."""
    if word in os.environ.get("MPBOOT_REQUIRE", "").replace(",", " ").split():
        pytest.fail(f"{word} is required here: {reason}")
    pytest.skip(f"no {word}: {reason}")


def need_programs(*names: str) -> None:
    """Skips the test when one of these is missing; fails when MPBOOT_REQUIRE has the word programs."""
    missing = [name for name in names if not program(name)]
    if missing:
        refuse("programs", f"{', '.join(missing)}: tools/test --install gets what is missing")


def program(name: str) -> str:
    """Where it is: in the virtual environment, or in PATH; "" if nowhere."""
    return (
        shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}") or ""
    )


@functools.cache
def why_not(word: str) -> str:
    """Why the machine can't have it, or ''. One cluster of one host is the proof."""
    mode = {"sshd": "ssh", "rsh": "rsh"}.get(word, "bare")
    try:
        services.check(mode)
    except ClusterError as error:
        return str(error)
    with tempfile.TemporaryDirectory(prefix="mpc-") as scratch:
        where = Path(scratch)
        done = tool("up", "1", f"--{mode}", "--state", where / "s", "--hostfile", where / "hosts", check=False)
        tool("down", "--state", where / "s", check=False)
    return done.stderr.strip() if done.returncode else ""


def tool(*words: object, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs tools/cluster. A failure shows what it said."""
    command = [sys.executable, str(TOOL), *map(str, words)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False, **options
    )
    if check and done.returncode:
        pytest.fail(f"{' '.join(command[1:])}: exit {done.returncode}: {done.stderr.strip()}")
    return done


class Cluster:
    """``count`` hosts and a head, up between enter and exit; its files are in a directory of its own in /tmp.

    ``mode``: bare (stand-in rsh), ssh (real sshd), rsh (real in.rshd); ``latency``: in seconds, of the stand-in;
    ``rate``: of each link, in Mbit/s;
    ``head_address``: what the head's own name means there, see docs/cluster.md.
    On the hosts the login shell is /bin/sh and the home an empty directory, ``home``, so that a developer's own .bashrc
    (pyenv's takes locks) breaks no test.
    """

    def __init__(
        self,
        count: int,
        mode: str = "bare",
        *,
        latency: float = 0.0,
        rate: float = 0.0,
        state: Path | None = None,
        head_address: str = "loopback",
    ) -> None:
        self.count, self.mode, self.latency, self.rate = count, mode, latency, rate
        self._head_address = head_address
        self._scratch = ""
        self._given = state
        self.home = Path()
        self.state = Path()
        self.hostfile = Path()
        self.names: list[str] = []

    def __enter__(self) -> Cluster:
        need(SERVICE_WORDS.get(self.mode, "namespaces"))
        self._scratch = tempfile.mkdtemp(prefix="mpc-")
        self.state = self._given or Path(self._scratch) / "state"
        self.hostfile = self.state.parent / "hosts"
        self.home = Path(self._scratch) / "home"
        self.home.mkdir()
        try:
            tool(
                "up", self.count, f"--{self.mode}", "--latency", self.latency, "--rate", self.rate,
                "--shell", "/bin/sh", "--home", self.home, "--state", self.state, "--hostfile", self.hostfile,
                "--head-address", self._head_address,
            )  # fmt: skip
            self.names = self.hostfile.read_text().split("\n")[1:-1]
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def down(self) -> None:
        if self.state != Path():
            take_down(self.state)
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def rsh(self) -> str:
        """The stand-in rsh."""
        return str(self.state / "bin" / "rsh-standin")

    @property
    def env(self) -> dict[str, str]:
        """The caller's environment and what `tools/cluster env` adds to it."""
        return {**os.environ, **services.environment(self.mode, self.state)}

    @property
    def supervisor(self) -> int:
        """Its pid; 0 when it does not run."""
        return supervisor_pid(self.state) or 0

    def command(self, host: str, argv: Sequence[object]) -> list[str]:
        """The words that run argv on the host from here, without python in between."""
        client = str(self.state / "bin" / "cluster-exec")
        return [client, str(self.state), "-", host, *map(str, argv)]

    def run(
        self, host: str, argv: Sequence[object], timeout: float = 60, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Runs argv on the host (or 'head') to its end, output caught as text; stdin is empty unless given."""
        options = {"env": self.env, "text": True, "check": False, **options}
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        if not {"stdout", "stderr", "capture_output"} & set(options):
            options["capture_output"] = True
        try:
            return subprocess.run(self.command(host, argv), timeout=timeout, **options)  # noqa: PLW1510
        except subprocess.TimeoutExpired as error:
            said = [part.decode(errors="replace") for part in (error.output, error.stderr) if part]
            raise AssertionError(f"{timeout:.0f} s were not enough for {list(map(str, argv))}: {said}") from None

    def popen(self, host: str, argv: Sequence[object], **options: Any) -> subprocess.Popen[str]:
        """Starts argv on the host.

        INT and TERM sent to this process reach the command's process group; KILL kills the command itself alone.
        """
        options = {"env": self.env, "text": True, **options}
        return subprocess.Popen(self.command(host, argv), **options)

    def fault(self, host: str, kind: str, *arguments: object) -> None:
        tool("fault", "--state", self.state, host, kind, *arguments)

    def processes(self, host: str) -> list[Process]:
        """What runs on the host, its first process and its service (sshd's or inetd's listener) apart."""
        return [process for process in wire.processes(self.state, host) if not is_service(process)]

    def all_processes(self) -> dict[str, list[Process]]:
        """The hosts on which something runs, with it."""
        found = {name: self.processes(name) for name in ["head", *self.names]}
        return {name: running for name, running in found.items() if running}


def given(count: int, mode: str) -> Callable[[], Iterator[Cluster]]:
    """A fixture: a cluster that a module's tests share."""

    @pytest.fixture(scope="module")
    def cluster() -> Iterator[Cluster]:
        with Cluster(count, mode) as made:
            yield made

    return cluster


@contextmanager
def sshd(cluster: Cluster, host: str, port: int, *options: str) -> Iterator[None]:
    """Another sshd on a host; it listens when this is entered."""
    config = str(cluster.state / "ssh" / "sshd_config")
    words = [word for option in options for word in ("-o", option)]
    with cluster.popen(host, [services.find("sshd"), "-D", "-f", config, "-p", str(port), *words]) as process:
        cluster.run("head", ["sh", "-c", f"until ssh-keyscan -p {port} {host} 2>&1 | grep -q SSH; do sleep 0.1; done"])
        try:
            yield
        finally:
            process.terminate()


def account(cluster: Cluster, host: str, shell: str, files: dict[str, str]) -> None:
    """On that host the user has a home of his own, with these start-up files, and this login shell if it is there."""
    home = cluster.state.parent / f"{host}.home"
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    faults.set_fault(cluster.state, host, "home", str(home))
    path = shutil.which(shell)
    if path:
        faults.set_fault(cluster.state, host, "shell", path)


def is_service(process: Process) -> bool:
    first = " ".join(process.command)
    return process.parent == 1 and ("[listener]" in first or "sshd -D" in first or "inetd -i" in first)


def wait_for(cluster: Cluster, host: str, command: str) -> int:
    """The pid, on the host, of the process with this very command (not of a shell that is to start it)."""

    def pid() -> int:
        running = [process for process in cluster.processes(host) if process.state != "Z"]
        return next((process.pid for process in running if command == " ".join(process.command)), 0)

    return until(pid, 30.0, lambda: f"{command} does not run on {host}: {cluster.processes(host)}")


@contextmanager
def configured(cluster: Cluster, text: str) -> Iterator[None]:
    """The head's user has this in ~/.ssh/config."""
    path = cluster.home / ".ssh" / "config"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    try:
        yield
    finally:
        path.unlink()
