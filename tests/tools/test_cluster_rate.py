"""Links of a limited rate: what each way carries, and that one direction does not slow the other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.cluster import Cluster

pytestmark = pytest.mark.cluster
RATE = 80.0  # Mbit/s
SIZE = 4 << 20  # bytes: 0.42 s at that rate
TAKES = """import socket, time
with socket.create_server(("", 9000)) as door:
    print("listens", flush=True)
    link, begun, came = door.accept()[0], time.monotonic(), 0
    while data := link.recv(1 << 16):
        came += len(data)
    print(came * 8e-6 / (time.monotonic() - begun))
"""
GIVES = "import socket, sys; socket.create_connection((sys.argv[1], 9000)).sendall(bytes(int(sys.argv[2])))"


def rates(cluster: Cluster, *ways: tuple[str, str], size: int = SIZE) -> list[float]:
    """Mbit/s of transfers that go at once, each between two hosts."""
    takes = [cluster.popen(to, [sys.executable, "-c", TAKES], stdout=subprocess.PIPE) for _, to in ways]
    for one in takes:
        assert one.stdout is not None
        assert one.stdout.readline() == "listens\n"
    gives = [cluster.popen(one, [sys.executable, "-c", GIVES, to, str(size)]) for one, to in ways]
    found = [float(one.communicate(timeout=60)[0]) for one in takes]
    assert [one.wait(60) for one in gives] == [0] * len(ways)
    return found


def test_each_way_has_the_rate() -> None:
    with Cluster(3, rate=RATE) as cluster:
        for rate in rates(cluster, ("head", "h001"), ("h001", "h002"), ("h002", "head")):
            assert RATE / 3 < rate < RATE * 1.2
        both = rates(cluster, ("h001", "h002"), ("h001", "h003"))
        assert sum(both) < RATE * 1.5  # they share h001's link


def test_a_host_that_sends_slowly_and_is_made_good_again() -> None:
    with Cluster(2) as cluster:
        cluster.fault("h001", "rate", 2)
        assert rates(cluster, ("h001", "h002"), size=1 << 18)[0] < 4
        assert rates(cluster, ("h002", "h001"))[0] > 8  # what comes to it is not slowed
        cluster.fault("h001", "none")
        assert rates(cluster, ("h001", "h002"))[0] > 8
