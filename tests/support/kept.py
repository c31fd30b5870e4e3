"""A session of agents on this machine, begun and used by the real command; nothing of it may be left at the end."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mpboot.session.handle import Session
from tests.support.run_mpboot import LOCAL, MPBOOT, environment, processes_with
from tests.support.waiting import until


class Kept:
    """One session's user: a runtime directory of his own, and a mark by which all that comes of it is found."""

    def __init__(self, runtime: Path) -> None:
        self.runtime = runtime
        self.mark = f"MARK_OF_A_TEST={uuid.uuid4().hex}"
        name, value = self.mark.split("=")
        self.environment = environment(**{name: value, "XDG_RUNTIME_DIR": str(runtime)})

    def mpboot(self, *arguments: str, stdin: bytes = b"", timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        done = subprocess.run(
            [*MPBOOT, *arguments], input=stdin, capture_output=True, env=self.environment, timeout=timeout, check=False
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def begin(self, hosts: str = "h[1-4]", *options: str) -> subprocess.CompletedProcess[str]:
        """Boot and keep hosts."""
        done = self.mpboot("--hosts", hosts, *LOCAL, "--keep", *options)
        assert done.returncode == 0, done.stderr
        return done

    def start(self, *arguments: str, **popen: Any) -> subprocess.Popen[bytes]:
        """The command, running; its standard output and error are pipes, unless they are given."""
        popen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **popen}
        return subprocess.Popen([*MPBOOT, *arguments], env=self.environment, **popen)

    def exec(self, *words: str, options: tuple[str, ...] = (), **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command on the session's hosts."""
        return self.mpboot("exec", *options, "--", *words, **more)

    def nodes(self, *options: str) -> dict[str, dict[str, Any]]:
        """What `nodes --json` says of each host."""
        return dict(json.loads(self.mpboot("nodes", "--json", "-", *options).stdout)["hosts"])

    def inner(self) -> str:
        """A host that has others below it."""
        nodes = self.nodes()
        return next(host for host in nodes if any(one.get("parent") == host for one in nodes.values()))

    @property
    def daemon(self) -> int:
        """The daemon's pid."""
        (pid,) = [pid for pid, words in self.family().items() if "mpboot session " in words]
        return pid

    def family(self) -> dict[int, str]:
        """All that came of it and lives: pid and command line."""
        return processes_with(self.mark)

    def end(self) -> None:
        """Halt the default session, and see that nothing is left."""
        self.mpboot("halt")
        self.gone()

    def gone(self) -> None:
        """Nothing is left of it: no process, no file."""
        until(lambda: not self.family(), 8.0, lambda: f"left: {self.family()}")
        left = [str(one) for one in self.runtime.rglob("*")]
        assert left in ([], [str(self.runtime / "mpboot")])

    def kill(self) -> None:
        """Whatever a test did: leave nothing."""
        for pid in self.family():
            try:
                os.kill(pid, 9)
            except OSError:
                continue


@contextmanager
def kept(hosts: str = "", *options: str) -> Iterator[Kept]:
    """A user, and his session if ``hosts`` are given; it is halted, and nothing may be left."""
    with TemporaryDirectory(prefix="kept-") as runtime:  # a socket's path can't be as long as pytest's are
        user = Kept(Path(runtime))
        try:
            if hosts:
                user.begin(hosts, *options)
            yield user
            user.end()
        finally:
            user.kill()


@contextmanager
def attached(user: Kept, name: str = "default") -> Iterator[Session]:
    """The library's view of it, from this process."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(user.runtime)
    try:
        yield Session(name)
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
