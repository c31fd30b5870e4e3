"""Deaths of what a parent launches with: a worker, an rsh, the fork server, the watcher; no host is lost by them."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from clusterlib import faults

from tests.support.chaos import (
    Boot,
    below,
    clear,
    fork_server,
    kill,
    root_of,
    settled,
)
from tests.support.cluster import Cluster
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]

HOSTS = 14
SILENCE = 4.0  # seconds, instead of ten
TREE = ("--topology", "tree", "--children", 2, "--timeout", 8)
KILL, STOP = signal.SIGKILL, signal.SIGSTOP
BOTH = pytest.mark.parametrize("number", [KILL, STOP], ids=["kill", "stop"])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(HOSTS, latency=0.5) as made:
        yield made


@pytest.fixture(autouse=True)
def clean(cluster: Cluster) -> Iterator[None]:
    """Whatever a test did to the hosts is undone, and the next finds none of its processes."""
    yield
    clear(cluster)


@pytest.mark.long
@BOTH
def test_worker_and_rsh(cluster: Cluster, number: int) -> None:
    faults.set_fault(cluster.state, "h001", "slow", "4")
    faults.set_fault(cluster.state, "h002", "slow", "4")
    with Boot(cluster, *TREE, "--timeout", 3, silence=SILENCE) as boot:
        boot.until(lambda said: " h001 started, " in said and " h002 started, " in said)
        server = fork_server(cluster)
        workers = [process.pid for process in below(cluster, "head", server)]
        under = [process for pid in workers for process in below(cluster, "head", pid)]
        rsh = {process.command[-2]: process for process in under if process.command}  # else it has just ended
        victims = [rsh["h001"].parent, rsh["h002"].pid]
        for pid in victims:
            kill(cluster, "head", pid, number)
        boot.end()
        assert boot.code == 0
        assert [boot.hosts[host]["attempts"] for host in ("h001", "h002")] in ([2, 2], [1, 2])  # a stopped worker: 1
        settled(cluster, boot, {}, SILENCE)


@pytest.mark.long
@BOTH
def test_fork_server(cluster: Cluster, number: int) -> None:
    """Its workers live on, and another makes those that are still wanted; nobody's launch fails of it."""
    faults.set_fault(cluster.state, "h001", "slow", "8")
    few = ("--hosts", "h[001-003]", "--topology", "linear")
    with Boot(cluster, *few, silence=SILENCE, hostfile="--quiet") as boot:
        boot.until_said(" h001 started, ")
        kill(cluster, "head", fork_server(cluster), number)
        boot.end()
        assert boot.code == 0
        assert {host["attempts"] for host in boot.hosts.values()} == {1}
    with Boot(cluster, "--topology", "flat", silence=SILENCE) as boot:
        kill(cluster, "head", until(lambda: fork_server(cluster), 10.0, lambda: "there is no fork server"), number)
        boot.end()
        assert boot.code == 0
        settled(cluster, boot, {}, SILENCE)


def watcher(cluster: Cluster) -> int:
    """The only one of the head's processes that loads psutil beside the front door; 0 as long as there is none."""
    script = "grep -l _psutil_linux /proc/[0-9]*/maps 2>/dev/null | cut -d/ -f3"
    pids = map(int, cluster.run("head", ["sh", "-c", script]).stdout.split())
    return next((pid for pid in pids if pid != root_of(cluster)), 0)


@pytest.mark.long
def test_watcher(cluster: Cluster) -> None:
    """Killed, another takes its place; stopped, the workers see to the timeout themselves."""
    faults.set_fault(cluster.state, "h001", "hang")
    with Boot(cluster, "--timeout", 5, "--retries", 0) as boot:
        first = until(lambda: watcher(cluster), 10.0, lambda: "there is no watcher")
        kill(cluster, "head", first)
        kill(cluster, "head", until(lambda: watcher(cluster), 10.0, lambda: "there is no other watcher"), STOP)
        boot.end()
        assert boot.report["seconds"] < 5 + 3
        settled(cluster, boot, {}, SILENCE, {"h001": "shell-hang"})
