"""Hosts that have been taken over, in a session where ssh rides: they harm who rides there, and nobody else."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.hostile_boot import rsh
from tests.support.hostile_rides import ABOUTS, RIDES, SAID
from tests.support.kept import kept
from tests.support.rider import Rider
from tests.support.run_mpboot import LOGIN, script
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)


@contextmanager
def rides(directory: Path, *hosts: str) -> Iterator[Rider]:
    """A session of these and a good one, on which an ssh goes on through it all; the good one is as ever at the end."""
    with kept() as user:
        user.__class__ = Rider
        assert isinstance(user, Rider)
        begun = user.mpboot(
            "--hosts", ",".join(["good1", *hosts]), "--rsh", rsh(directory), "--keep", "--topology", "flat"
        )
        assert begun.returncode == 0, begun.stderr
        user.mpboot("env")
        until((user.bin / "ssh").exists)
        with user.begin_ssh("good1", "cat") as other:
            assert other.stdin is not None
            assert other.stdout is not None
            other.stdin.write(b"here\n")
            other.stdin.flush()
            assert other.stdout.readline() == b"here\n"
            yield user
            other.stdin.write(b"still here")
            other.stdin.close()
            assert other.stdout.read() == b"still here"
            assert other.wait(10) == 0
        done = user.ssh("good1", "echo good; exit 3")
        assert (done.returncode, done.stdout, done.stderr) == (3, b"good\n", b"")


def test_what_a_host_says_of_itself(tmp_path: Path) -> None:
    names = [f"about-{name}" for name in ABOUTS]
    with rides(tmp_path, *names) as user:
        place = [one.name for one in user.place.iterdir() if "@" in one.name]
        assert [one.partition("@")[2] for one in place] == ["good1:22"]
        told = user.mpboot("env", "--", "true").stderr.splitlines()
        assert [line.rpartition(" does not ride: ")[2] for line in told] == [
            "it has not said who it is", "its sshd forces a command (ForceCommand), which mpboot does not bypass",
        ]  # fmt: skip


@pytest.mark.long
def test_one_that_never_says_who_it_is(tmp_path: Path) -> None:
    with rides(tmp_path, "about-never") as user:
        done = user.mpboot("env", "--", "ssh", "good1", "echo rode")
        assert (done.returncode, done.stdout) == (0, "rode\n")
        assert done.stderr == "mpboot: ssh to about-never does not ride: it has not said yet who it is\n"


@pytest.mark.parametrize("hosts", ["gw,gw:2201", "gw:2201,gw"])
def test_one_that_takes_the_name_of_another(tmp_path: Path, hosts: str) -> None:
    """Both say that their sshd has port 2201, which only one was given."""
    says = "export SSH_CONNECTION='10.0.0.1 1 10.0.0.2 2201'"
    same = script(tmp_path / "rsh", f"{says}; case $host in -p) shift 2;; esac; {LOGIN}")
    with kept() as user:
        assert user.mpboot("--hosts", hosts, "--rsh", same, "--keep").returncode == 0
        done = user.mpboot("env", "--", "ssh", "-p", "2201", "gw", "echo $PPID")
        assert done.stderr.startswith("mpboot: ssh to gw does not ride: another host has its user, name and port: ")
        assert int(done.stdout) == user.nodes()["gw:2201"]["pid"]


def test_lies_about_a_login_are_seen(tmp_path: Path) -> None:
    names = [name for name, lie in RIDES.items() if lie.said]
    with rides(tmp_path, *names) as user, ThreadPoolExecutor(4) as pool:
        came = dict(zip(names, pool.map(lambda name: user.ssh(name, "-l", "liar", "true"), names)))
        nodes = until(lambda: {name: node for name, node in user.nodes().items() if node["state"] == "lost"})
        assert list(nodes) == names
        for name, done in came.items():
            assert re.search(RIDES[name].said, nodes[name]["detail"]), nodes[name]
            if name in ("after", "twice") and not done.returncode:  # the end was told before the lie was seen
                assert (done.stdout, done.stderr) == (SAID, b"")
            else:
                assert done.returncode == 255
                assert done.stderr.startswith(f"mpboot: {name}: lost: the agent was up, then gone: sent".encode())


def test_bytes_that_never_were(tmp_path: Path) -> None:
    with rides(tmp_path, "missing") as user:
        done = user.ssh("missing", "-l", "liar", "true")
        assert (done.returncode, done.stdout) == (255, b"")
        assert done.stderr == b"mpboot: missing: %d bytes of the command's output are lost\n" % (1 << 59)


@pytest.mark.long
@pytest.mark.parametrize("name", ["silent", "endless"])
def test_one_that_never_ends(tmp_path: Path, name: str) -> None:
    """Its ssh is ended by who typed it; whatever the host does then, others ride, and the session can be ended."""
    with rides(tmp_path, name) as user:
        ssh = user.begin_ssh(name, "-l", "liar", "true", stdout=subprocess.DEVNULL)
        until(lambda: f"ssh {name}" in user.mpboot("jobs").stdout)
        ssh.terminate()
        assert ssh.wait(10) == 255
        for _ in range(5):
            assert user.ssh("good1", "echo good").stdout == b"good\n"
        assert user.nodes()[name]["state"] == "up"
