"""A session of an emulated cluster, and programs that ride it, typed on the head while every host's sshd is stopped.

A program that works then has not logged in anywhere.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clusterlib import wire

from tests.support.cluster import Cluster, is_service
from tests.support.run_mpboot import MPBOOT, environment
from tests.support.waiting import until


class Riding:
    """Somebody on the head who has a session of all hosts; ``directory`` is a place for a test's files.

    ``by``: what runs all that he types.
    """

    def __init__(self, cluster: Cluster, directory: Path, by: Sequence[str] = ()) -> None:
        self.cluster = cluster
        self._by = by
        self.directory = directory
        self.hosts = cluster.names
        runtime = directory / "run"
        runtime.mkdir(mode=0o700)
        own = environment(HOME=str(cluster.home), XDG_RUNTIME_DIR=str(runtime))
        self.environment = {**own, "PATH": f"{Path(sys.executable).parent}:{own['PATH']}"}

    def plain(self, *argv: object, **options: Any) -> subprocess.CompletedProcess[Any]:
        """A command on the head, as it would be without a session."""
        return self.cluster.run("head", [*self._by, *argv], **{"env": self.environment, **options})

    def mpboot(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[Any]:
        """The command mpboot, typed on the head."""
        return self.plain(*MPBOOT, *arguments, **options)

    def start(self, *argv: object, **options: Any) -> subprocess.Popen[str]:
        """A command whose ssh rides, running; what it prints is not kept."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        return self.cluster.popen("head", [*self._by, *MPBOOT, "env", "--", *argv], env=self.environment, **options)

    def __call__(self, *argv: object, **options: Any) -> subprocess.CompletedProcess[Any]:
        """A command whose ssh rides."""
        return self.mpboot("env", "--", *argv, **options)

    def ok(self, *argv: object, **options: Any) -> str:
        """The same; it must succeed, and say nothing on its standard error. What it has printed."""
        done = self(*argv, **options)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return str(done.stdout)


def listeners(cluster: Cluster) -> dict[str, int]:
    """The sshd of each host: its process there."""
    found = {}
    for name in cluster.names:
        (found[name],) = [one.pid for one in wire.processes(cluster.state, name) if is_service(one)]
    return found


@contextmanager
def sshds_stopped(cluster: Cluster) -> Iterator[None]:
    """No host lets anybody in meanwhile: its sshd takes connections, and says nothing."""
    found = listeners(cluster)
    try:
        for name, pid in found.items():
            assert cluster.run(name, ["kill", "-STOP", pid]).returncode == 0
        yield
    finally:
        for name, pid in found.items():
            cluster.run(name, ["kill", "-CONT", pid])


@contextmanager
def riding(count: int) -> Iterator[Riding]:
    """A session of so many hosts, whose sshds are stopped as soon as it is up; at the end nothing may be left of it."""
    with Cluster(count, "ssh", head_address="real") as cluster, TemporaryDirectory(prefix="mpr-") as scratch:
        made = Riding(cluster, Path(scratch))
        booted = made.mpboot(cluster.hostfile, "--keep")
        assert booted.returncode == 0, booted.stderr
        with sshds_stopped(cluster):
            yield made
            assert made.mpboot("halt").returncode == 0
            until(lambda: not cluster.all_processes(), 10.0, lambda: f"left: {cluster.all_processes()}")
