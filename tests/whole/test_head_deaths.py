"""The end of the top, by a signal or by a person: the root, the front door; the hosts notice, and nothing is left."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from clusterlib import faults

from tests.support.chaos import (
    Boot,
    Held,
    below,
    clear,
    fork_server,
    kill,
    nothing_left,
    root_of,
)
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]

HOSTS = 14
SILENCE = 4.0  # seconds, instead of ten
TREE = ("--topology", "tree", "--children", 2, "--timeout", 8)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(HOSTS, latency=0.5) as made:
        yield made


@pytest.fixture(autouse=True)
def clean(cluster: Cluster) -> Iterator[None]:
    """Whatever a test did to the hosts is undone, and the next finds none of its processes."""
    yield
    clear(cluster)


@pytest.mark.parametrize("whom", ["root", "front door"])
@pytest.mark.parametrize("when", ["booting", "running"])
def test_the_top(cluster: Cluster, whom: str, when: str) -> None:
    held = Held(cluster)
    with Boot(cluster, *TREE, command=held.command) as boot:
        if when == "booting":
            boot.until(lambda said: said.count(" up\n") >= 5)
        else:
            boot.until_said(" runs\n", HOSTS)
        if whom == "root":
            kill(cluster, "head", root_of(cluster))
        else:
            boot.process.kill()
        boot.end(10)
        nothing_left(cluster)
        if whom == "root":
            boot.check_numbers()
            assert boot.report["failed"] == 0 if when == "running" else boot.code == 1


@pytest.mark.long
def test_root_is_stopped(cluster: Cluster) -> None:
    held = Held(cluster)
    with Boot(cluster, *TREE, command=held.command, silence=SILENCE) as boot:
        boot.until(lambda said: said.count(" up\n") >= 5)
        kill(cluster, "head", root_of(cluster), signal.SIGSTOP)
        boot.end(SILENCE + 15)
        boot.check_numbers()
        nothing_left(cluster, SILENCE + 5)


def test_nothing_is_left_by_ctrl_c_before_anything_is_up(cluster: Cluster) -> None:
    """Not even a worker that is stopped, which can't end its rsh itself."""
    for host in cluster.names:
        faults.set_fault(cluster.state, host, "never")
    with Boot(cluster, "--topology", "flat") as boot:
        boot.until(lambda said: said.count(" started, ") == HOSTS)
        worker = below(cluster, "head", fork_server(cluster))[0]
        kill(cluster, "head", worker.pid, signal.SIGSTOP)
        boot.process.send_signal(signal.SIGINT)
        assert boot.end(10).code == 130
        nothing_left(cluster)


def test_agents_are_never_left_by_a_second_ctrl_c(cluster: Cluster) -> None:
    with Boot(cluster, *TREE, command=("sleep", "1000")) as boot:
        boot.until(lambda said: said.count(" up\n") >= 5)
        boot.process.send_signal(signal.SIGINT)
        boot.process.send_signal(signal.SIGINT)
        assert boot.end(10).code == 130
        nothing_left(cluster)
