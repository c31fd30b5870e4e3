"""The simulation: boots whose times arithmetic tells, what larger ones come to, and the same result each time."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mpboot.plan.machines import Machines, bound
from mpboot.plan.simulate import simulate
from mpboot.plan.simulated import SimulatedBoot
from mpboot.plan.study import ALL
from mpboot.tree import causes
from mpboot.tree.ledger import HEAD
from mpboot.tree.orders import Pause
from mpboot.tree.policy import ADAPTIVE, FLAT, LINEAR, RING, TREE, Policy
from mpboot.tree.state import BootState


@pytest.mark.parametrize(("topology", "children"), [*ALL, (ADAPTIVE, 4), (TREE, 1)])
@pytest.mark.parametrize("hosts", [1, 2, 17, 200])
def test_every_topology_boots_every_host_with_bad_ones_among_them(topology: str, children: int, hosts: int) -> None:
    result = simulate(Machines(hosts, slow=0.1, dead=0.05, timeout=5.0), topology, children)
    machines = result.machines
    assert (result.topology, result.children) == (topology, children)
    assert set(result.failed) == machines.dead
    assert set(result.up_at) == set(range(hosts)) - machines.dead
    assert sum(result.launches.values()) == hosts + len(machines.dead)  # each dead one twice
    assert result.seconds == max(when for rank, when in result.up_at.items() if rank not in machines.slow)
    assert result.living == max(result.up_at.values())
    assert result.finished >= max([result.living, *result.failed.values()])
    for rank, level in result.level.items():
        parent = result.parent[rank]
        assert level == (1 if parent == HEAD else result.level[parent] + 1)
        assert result.launches[parent] > 0
    assert all(result.launches.values())


# -- times that arithmetic tells -------------------------------------------------------------------


def test_a_single_host() -> None:
    """Its launch takes one and two seconds; it hears that it has no share, and tells that it is done."""
    result = simulate(Machines(1, 1.0, 2.0, lead=5.0, delay=0.25), FLAT)
    assert (result.seconds, result.living, result.finished) == (8.0, 8.0, 8.5)
    assert (result.up_at, result.level, result.parent, result.failed) == ({0: 8.0}, {0: 1}, {0: HEAD}, {})
    assert (result.launches, result.depth, result.parents) == ({HEAD: 1}, 1, 0)
    assert result.launches_per_node() == (1.0, 1)


def test_the_head_of_a_flat_boot_launches_one_after_another() -> None:
    result = simulate(Machines(4, 1.0, 2.0, delay=0.25), FLAT)
    assert result.up_at == {0: 3.0, 1: 4.0, 2: 5.0, 3: 6.0}
    assert (result.seconds, result.living, result.finished) == (6.0, 6.0, 6.5)
    assert (result.launches, result.depth) == ({HEAD: 4}, 1)


def test_flat_linear_and_ring_take_what_arithmetic_says() -> None:
    assert simulate(Machines(100, 0.012, 0.35), FLAT).seconds == pytest.approx(100 * 0.012 + 0.35)
    assert simulate(Machines(100, 0.012, 0.35), LINEAR).seconds == pytest.approx(100 * 0.362)
    machines = Machines(100, 0.012, 0.35, startup=0.02, delay=0.001)
    # A launch, a start as a parent, the share's way; who was the last starts as none.
    assert simulate(machines, RING).seconds == pytest.approx(100 * 0.362 + 99 * 0.021)


def test_a_ring_step_by_step() -> None:
    result = simulate(Machines(3, 1.0, 2.0, startup=4.0, delay=0.25), RING)
    assert result.up_at == {0: 3.0, 1: 10.25, 2: 17.5}
    assert result.finished == 17.5 + 2 * 0.25 + 2 * 0.25  # an empty share and its answer, and two levels up
    assert (result.parent, result.level) == ({0: HEAD, 1: 0, 2: 1}, {0: 1, 1: 2, 2: 3})
    assert (result.launches, result.depth, result.parents) == ({HEAD: 1, 0: 1, 1: 1}, 3, 2)
    assert result.launches_per_node() == (1.0, 1)


def test_a_slow_host_takes_longer_for_everything() -> None:
    result = simulate(Machines(2, 1.0, 2.0, startup=4.0, delay=0.25, slow=1.0, slowness=3.0), RING)
    # Its agent's way takes 6 seconds; it is a parent 12 later, and a launch costs it 3.
    assert result.up_at == {0: 7.0, 1: 7.0 + 0.25 + 12.0 + 3.0 + 6.0}
    assert result.living == 28.25


def test_a_tree_step_by_step() -> None:
    result = simulate(Machines(6, 1.0, 2.0, startup=4.0, delay=0.25), TREE, 2)
    # The first two come up at 3 and 4, are parents 4.25 later, and launch two each.
    assert result.up_at == {0: 3.0, 1: 4.0, 2: 10.25, 3: 11.25, 4: 11.25, 5: 12.25}
    assert result.parent == {0: HEAD, 1: HEAD, 2: 0, 3: 0, 4: 1, 5: 1}
    assert (result.launches, result.parents) == ({HEAD: 2, 0: 2, 1: 2}, 2)
    assert (result.seconds, result.finished) == (12.25, 12.25 + 3 * 0.25)


def pause_after(attempt: int, rank: int, retries: int) -> float:
    """Seconds that BootState lets go by after so many failed launches."""
    boot = BootState(Policy(FLAT), retries)
    boot.add([rank], {rank: attempt - 1})
    (pause,) = boot.launch_failed(rank, causes.CONNECT_TIMEOUT)
    assert isinstance(pause, Pause)
    return pause.delay


def test_a_dead_host_is_tried_again_and_given_up() -> None:
    result = simulate(Machines(1, 1.0, 2.0, dead=1.0, timeout=20.0, retries=2, delay=0.25), FLAT)
    gave_up = 3 * 21.0 + pause_after(1, 0, 2) + pause_after(2, 0, 2)
    assert result.failed == {0: pytest.approx(gave_up)}
    assert (result.up_at, result.launches, result.depth) == ({}, {HEAD: 3}, 0)
    assert (result.seconds, result.living, result.finished) == (0.0, 0.0, result.failed[0])
    assert simulate(Machines(1, 1.0, 2.0, dead=1.0, timeout=20.0, retries=0), FLAT).failed == {0: 21.0}


def test_a_dead_host_below_is_given_to_the_root_for_a_last_attempt() -> None:
    seed = next(seed for seed in range(99) if Machines(2, dead=0.5, seed=seed).dead == {1})
    result = simulate(Machines(2, 1.0, 2.0, startup=4.0, delay=0.25, dead=0.5, timeout=9.0, retries=0, seed=seed), RING)
    assert result.up_at == {0: 3.0}
    assert result.failed == {1: 3.0 + 4.25 + 10.0 + 0.25 + 10.0}
    assert result.finished == 27.5
    assert (result.seconds, result.living, result.launches) == (3.0, 3.0, {HEAD: 2, 0: 1})


def test_nothing_booted_is_nothing() -> None:
    none = SimulatedBoot(FLAT, 0, Machines(1))
    assert (none.depth, none.parents, none.launches_per_node()) == (0, 0, (0.0, 0))
    assert (none.seconds, none.living, none.finished) == (0.0, 0.0, 0.0)


# -- all that goes on at once ------------------------------------------------------------------------

# What the whole comes to where arithmetic is no longer of use. A change of tree/ may change it: see that no boot takes
# longer for it, then write down the new figures.
BOOTS: list[tuple[str, int, int, dict[str, Any], tuple[float, ...]]] = [
    ("adaptive", 0, 147, {}, (0.968, 0.968, 0.971, 2, 9, 46, 114.744)),
    ("adaptive", 0, 300, {"slow": 0.2, "dead": 0.1, "timeout": 3.0}, (1.124, 4.226, 6.890242, 2, 14, 91, 434.28)),
    ("adaptive", 0, 90, {"cost": 0.05, "latency": 0.1, "lead": 0.3, "delay": 0.02, "slow": 0.3, "dead": 0.1,
      "timeout": 2.0, "retries": 2}, (1.65, 2.385, 8.706367, 3, 7, 42, 118.625)),
    ("adaptive", 0, 200, {"cost": 0.02, "latency": (0.1, 0.3, 1.0, 2.0), "slow": 0.1, "slowness": 5.0},
      (2.676, 10.656, 10.659, 3, 12, 36, 334.396)),
    ("adaptive", 0, 400, {"cost": 0.001, "latency": 0.2, "lead": 0.1}, (0.561, 0.561, 0.563, 2, 14, 160, 194.645)),
    ("adaptive", 3, 120, {"slow": 0.1, "dead": 0.1, "timeout": 1.0}, (3.268, 5.788, 5.792, 4, 12, 28, 217.84)),
    ("tree", 2, 60, {"slow": 0.2, "dead": 0.1, "timeout": 2.0}, (7.545, 11.073, 11.083, 9, 33, 8, 247.958)),
    ("tree", 3, 100, {"latency": (0.1, 0.2, 0.3, 4.0)}, (7.44, 7.44, 7.448, 7, 38, 3, 289.01)),
    ("ring", 0, 25, {"slow": 0.1, "dead": 0.2, "timeout": 1.5, "retries": 3},
      (4.395, 7.437, 13.23668, 2, 2, 24, 84.496)),
    ("linear", 0, 25, {"slow": 0.1, "dead": 0.2, "timeout": 1.5, "retries": 0},
      (14.27, 14.27, 14.272, 1, 0, 25, 174.142)),
    ("flat", 0, 40, {"slow": 0.2, "dead": 0.2, "timeout": 1.5}, (0.83, 3.812, 4.018203, 1, 0, 48, 44.224)),
    ("adaptive", 2, 60, {"cost": 0.001, "latency": 0.02, "delay": 0.2, "startup": 0.3, "slow": 0.1, "dead": 0.1,
      "timeout": 5.0, "retries": 0, "lead": 0.1, "slowness": 10.0, "seed": 3},
      (2.208, 2.208, 12.588, 3, 6, 17, 45.688)),
    ("tree", 2, 100, {"cost": 0.001, "latency": 0.02, "delay": 0.2, "startup": 0.015, "slow": 0.3, "dead": 0.1,
      "timeout": 1.0, "retries": 1, "lead": 0.0, "slowness": 3.0, "seed": 1},
      (2.185, 2.185, 4.401, 7, 50, 12, 102.796)),
    ("adaptive", 0, 200, {"cost": 0.004, "latency": 1.0, "delay": 0.0, "startup": 0.0, "slow": 0.1, "dead": 0.1,
      "timeout": 1.0, "retries": 1, "lead": 0.1, "slowness": 50.0, "seed": 1},
      (2.196, 51.176, 51.176, 2, 7, 138, 1291.412)),
    ("adaptive", 0, 150, {"cost": 0.05, "latency": 0.02, "delay": 0.001, "startup": 0.3, "slow": 0.3, "dead": 0.1,
      "timeout": 1.0, "retries": 3, "lead": 0.1, "slowness": 50.0, "seed": 1},
      (18.695, 18.695, 18.698, 3, 18, 72, 224.28)),
    ("adaptive", 0, 200, {"cost": 0.05, "latency": 1.0, "delay": 0.02, "startup": 0.3, "slow": 0.3, "dead": 0,
      "timeout": 0.3, "retries": 0, "lead": 0.1, "slowness": 50.0, "seed": 2},
      (3.7, 52.6, 52.64, 2, 15, 51, 3525.86)),
]  # fmt: skip


@pytest.mark.parametrize(("topology", "children", "hosts", "given", "expected"), BOOTS)
def test_what_boots_come_to(
    topology: str, children: int, hosts: int, given: dict[str, Any], expected: tuple[float, ...]
) -> None:
    result = simulate(Machines(hosts, **given), topology, children)
    times = [round(time, 6) for time in (result.seconds, result.living, result.finished)]
    sizes = [result.depth, result.parents, result.launches_per_node()[1]]
    assert (*times, *sizes, round(sum(result.up_at.values()), 6)) == expected


class Growing(Machines):
    """One host more than were to be booted."""

    def latency(self, rank: int) -> float:
        self.hosts = 4
        return super().latency(rank)


def test_a_boot_that_stops_early_is_no_result() -> None:
    with pytest.raises(AssertionError, match=r"^the simulated boot stopped before it was finished$"):
        simulate(Growing(3))


def test_the_same_seed_gives_the_same_boot() -> None:
    def times(seed: int) -> dict[int, float]:
        machines = Machines(300, latency=lambda draw: draw.lognormvariate(-1, 0.5), slow=0.1, dead=0.1, seed=seed)
        return simulate(machines).up_at

    assert times(7) == times(7)
    assert times(7) != times(8)


def test_latencies_are_drawn_anew_for_each_launch() -> None:
    draw = random.Random(1)
    assert 0.1 < simulate(Machines(500, 0.001, lambda _: draw.uniform(0.1, 0.2))).seconds < 0.9


# -- help that does not help ---------------------------------------------------------------------------

# One machine for all, as emulated hosts have: a stand-in for rsh without and with a command, less latency, ssh.
SHARED: list[dict[str, Any]] = [
    {"cost": 0.003, "agent": 0.010, "startup": 0.03, "latency": 1.0},
    {"cost": 0.003, "agent": 0.020, "startup": 0.03, "latency": 1.0},
    {"cost": 0.012, "agent": 0.012, "startup": 0.03, "latency": 0.3},
    {"cost": 0.025, "agent": 0.030, "startup": 0.04, "latency": 0.05},
]


@pytest.mark.parametrize("given", SHARED)
@pytest.mark.parametrize("hosts", [16, 32, 147, 512, 1000])
def test_where_all_share_a_processor_adaptive_is_about_as_fast_as_the_best(hosts: int, given: dict[str, Any]) -> None:
    def shared() -> Machines:
        return Machines(hosts, shared=True, bears=1000, **given)

    others = [simulate(shared(), FLAT), *(simulate(shared(), TREE, children) for children in (2, 3, 4))]
    own = simulate(shared())
    assert own.seconds <= 1.15 * min(other.seconds for other in others)
    assert own.parents <= 8


def test_a_shared_processor_step_by_step() -> None:
    result = simulate(Machines(2, 1.0, 2.0, delay=0.25, agent=0.5, shared=True), FLAT)
    assert result.up_at == {0: 3.5, 1: 4.5}
    result = simulate(Machines(2, 1.0, 1.0, delay=0.25, agent=1.5, shared=True), FLAT)
    assert result.up_at == {0: 3.5, 1: 5.0}, "the second start waits for the first"


@pytest.mark.parametrize(("given", "most"), [
    ({}, 1.15), ({"bears": 1000}, 1.15), ({"cost": 0.03, "latency": 0.3}, 1.2), ({"cost": 0.003, "latency": 1.0}, 1.35),
    ({"cost": 0.003, "latency": 1.0, "bears": 1000}, 1.05), ({"latency": 5.0, "bears": 1000}, 1.05),
])  # fmt: skip
@pytest.mark.parametrize("hosts", [1000, 10000])
def test_where_each_has_its_own_adaptive_stays_near_the_bound(hosts: int, given: dict[str, Any], most: float) -> None:
    machines = Machines(hosts, **given)
    assert simulate(machines).seconds <= most * bound(hosts, machines.cost, machines.typical_latency())
