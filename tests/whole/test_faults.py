"""Bad hosts among good ones, in numbers: the good ones are up as if the bad ones were not there, and none is lost."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Callable

import pytest
from clusterlib import faults

from tests.support.chaos import Boot, Held, agents, nothing_left
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(100)]

LATENCY = 1.0  # seconds
TIMEOUT = 10.0  # seconds
FEW = {"h004": "never", "h011": "hang", "h018": "refuse", "h025": "slow 5"}
CAUSES = {"h004": "connect-timeout", "h011": "shell-hang", "h018": "refused"}
MANY = {
    "never": "connect-timeout", "hang": "shell-hang", "refuse": "refused", "unreachable": "unreachable",
    "auth": "auth", "host-key": "host-key", "unresolved": "resolve",
}  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(32, latency=LATENCY) as made:
        yield made


@contextlib.contextmanager
def few_are_bad(cluster: Cluster) -> Iterator[None]:
    """Four hosts have their faults meanwhile."""
    try:
        for host, fault in FEW.items():
            faults.set_fault(cluster.state, host, *fault.split())
        yield
    finally:
        for host in FEW:
            faults.clear(cluster.state, host)


@pytest.mark.long
@pytest.mark.alone
def test_a_few_bad_hosts_cost_the_others_nothing(
    cluster: Cluster, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with Boot(cluster, "--timeout", TIMEOUT, "--retries", 0) as without:
        assert len(without.end().up()) == 32
    with few_are_bad(cluster), Boot(cluster, "--timeout", TIMEOUT, "--retries", 0) as boot:
        boot.end()
        assert boot.code == 1
    boot.check_numbers()
    assert boot.causes() == CAUSES
    assert boot.hosts["h011"]["phase"] == "shell"
    good = boot.up() - FEW.keys()
    later = max(boot.hosts[host]["up"] for host in good) - max(without.hosts[host]["up"] for host in good)
    slow = boot.hosts["h025"]["up"]
    record_property("seconds_later", later)
    with capsys.disabled():
        print(f" [good hosts {later:+.2f} s, slow one at {slow:.1f} s, end at {boot.report['seconds']:.1f} s] ", end="")
    assert later < 2.0  # 0.5 on a machine that does nothing else
    assert slow < TIMEOUT
    assert boot.report["seconds"] < TIMEOUT + 2.0
    assert boot.report["last_up"] == slow
    given_up = [boot.hosts[host]["failed_at"] for host in boot.causes()]
    assert max(given_up) == boot.report["last_failed"] <= boot.report["seconds"]
    assert min(given_up) < TIMEOUT / 2, "some are given up at once"
    nothing_left(cluster)


@pytest.mark.long
def test_a_quorum_is_enough(cluster: Cluster) -> None:
    with few_are_bad(cluster), Boot(cluster, "--timeout", 3, "--retries", 0, "--quorum", 28) as boot:
        assert boot.end().code == 0
        assert len(boot.up()) == 28  # the slow one is not


@pytest.fixture(scope="module")
def big() -> Iterator[Cluster]:
    with Cluster(64, latency=0.2) as made:
        yield made


@pytest.mark.long
@pytest.mark.parametrize(("seed", "topology", "retries"), [(1, "adaptive", 0), (2, "adaptive", 1), (3, "tree", 0)])
def test_a_quarter_is_bad(big: Cluster, seed: int, topology: str, retries: int) -> None:
    chosen = random.Random(seed)
    bad = {host: chosen.choice(list(MANY)) for host in [big.names[0], *chosen.sample(big.names[1:], 15)]}
    for host, kind in bad.items():
        faults.add_line(big.state, host, kind)
    try:
        words = ("--topology", topology, "--timeout", 5, "--retries", retries)
        held = Held(big)
        with Boot(big, *words, command=held.command) as boot:
            boot.until_said("the command has ended on 0", seconds=60)
            running = {host: len(pids) for host, pids in agents(big).items()}
            assert running == dict.fromkeys(set(big.names) - bad.keys(), 1)
            held.release()
            boot.end()
        boot.check_numbers()
        assert boot.causes() == {host: MANY[kind] for host, kind in bad.items()}
        nothing_left(big)
    finally:
        for host in bad:
            (big.state / "faults" / host).unlink()
