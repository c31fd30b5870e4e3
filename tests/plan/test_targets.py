"""What is expected of an adaptive boot, by simulation: close to what is possible, whoever is slow or dead."""

from __future__ import annotations

import pytest

from mpboot.plan.machines import Machines, bound
from mpboot.plan.simulate import simulate
from mpboot.tree.policy import ADAPTIVE


@pytest.mark.parametrize("hosts", [1000, 10000])
def test_adaptive_is_close_to_the_bound(hosts: int) -> None:
    result = simulate(Machines(hosts, 0.012, 0.35))
    assert result.topology == ADAPTIVE
    assert result.seconds <= 1.15 * bound(hosts, 0.012, 0.35)


@pytest.mark.parametrize("hosts", [1000, 10000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_good_hosts_hardly_wait_for_slow_and_dead_ones(hosts: int, seed: int) -> None:
    machines = Machines(hosts, 0.012, 0.35, slow=0.10, dead=0.05, seed=seed)
    assert (len(machines.slow), len(machines.dead), machines.good) == (hosts // 10, hosts // 20, hosts * 85 // 100)
    assert simulate(machines).seconds <= 1.3 * bound(machines.good, 0.012, 0.35)


def test_where_latency_is_nearly_all_one_machine_does_it() -> None:
    result = simulate(Machines(147, 0.004, 1.0))
    assert result.depth == 1
    assert result.seconds < 1.7
