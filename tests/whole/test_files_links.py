"""Files over links of a limited rate: to many hosts in about the time of one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpboot.session.push import MOST_CHAINS, chains
from tests.support.cluster import Cluster
from tests.support.run_mpboot import MPBOOT
from tests.support.waiting import until

RATE = 40.0  # Mbit/s
SIZE = 8 << 20  # bytes: one copy takes 1.7 s
HOSTS = 10


class Linked:
    """A session on the head of a cluster; each host has a home of its own."""

    def __init__(self, cluster: Cluster, top: Path) -> None:
        self.cluster, self.top = cluster, top
        self.homes = {name: top / name for name in cluster.names}
        for name, home in self.homes.items():
            home.mkdir()
            cluster.fault(name, "home", home)
        self.environment = {**cluster.env, "XDG_RUNTIME_DIR": str(top / "run")}
        (top / "run").mkdir(mode=0o700)
        (top / "file").write_bytes(os.urandom(SIZE))
        self.mpboot(str(cluster.hostfile), "--keep")

    def mpboot(self, *words: str) -> None:
        done = self.cluster.run("head", [*MPBOOT, *words], env=self.environment)
        assert done.returncode == 0, done.stderr

    def push(self, name: str, *options: str) -> float:
        """Push the file under a name; the seconds that it took."""
        self.mpboot("push", str(self.top / "file"), name, "--json", str(self.top / "report"), *options)
        return float(json.loads((self.top / "report").read_text())["seconds"])


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Linked]:
    with Cluster(HOSTS, rate=RATE) as cluster:
        yield Linked(cluster, tmp_path)


@pytest.mark.long
@pytest.mark.cluster
def test_to_all_in_less_than_twice_the_time_of_one(linked: Linked) -> None:
    one = linked.push("first", "-w", "h001")
    everywhere = linked.push("second")
    assert one > SIZE / (RATE * 125_000) * 0.9  # the link is what limits
    assert everywhere < 2 * one
    data = (linked.top / "file").read_bytes()
    assert all((home / "second").read_bytes() == data for home in linked.homes.values())
    linked.mpboot("halt")


@pytest.mark.parametrize(
    ("hosts", "size", "copies"),
    [
        (1, 1, MOST_CHAINS),
        (32, 64 << 20, 1),
        (147, 64 << 20, 1),
        (147, 2 << 20, 4),
        (1000, 64 << 20, 3),
        (9, 1 << 40, 1),
    ],
)
def test_how_many_copies_leave_the_head(hosts: int, size: int, copies: int) -> None:
    assert chains(hosts, size) == copies


@pytest.mark.long
@pytest.mark.cluster
def test_one_that_passes_on_next_to_nothing_holds_nobody_up(tmp_path: Path) -> None:
    """256 KiB in 10 s, from the middle of the chain: those behind it have all long before that would be through."""
    with Cluster(HOSTS) as cluster:
        made = Linked(cluster, tmp_path)
        cluster.fault("h005", "rate", 0.2)
        words = ["push", str(tmp_path / "file"), "copy"]
        push = cluster.popen("head", [*MPBOOT, *words], env=made.environment, stderr=subprocess.PIPE)
        others = [home / "copy" for name, home in made.homes.items() if name != "h005"]
        until(lambda: all(one.exists() for one in others), 20.0)  # at that rate it would take 335 s
        cluster.fault("h005", "none")
        assert "10 of 10 hosts done" in push.communicate(timeout=60)[1]
        data = (tmp_path / "file").read_bytes()
        assert all((home / "copy").read_bytes() == data for home in made.homes.values())
        made.mpboot("halt")
