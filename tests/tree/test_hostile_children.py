"""A boot ends (docs/failures.md, rule 6) whatever hosts say that have been taken over, and no other host pays for it.

The tree that is played is support/tree_model.py, what the hostile ones do is support/tree_liar.py: all that
node/care.py lets through, and some that it does not. What nodes take from their children is the real thing.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpboot.tree import causes
from mpboot.tree.ledger import HEAD
from mpboot.tree.policy import TOPOLOGIES, Policy
from tests.support.tree_model import World

thorough = settings(
    max_examples=min(100, settings().max_examples * 2), deadline=None, suppress_health_check=list(HealthCheck)
)
BOUND = 8000  # events, where hostile hosts lie as often as anything else happens


def policy(topology: str, children: int, pace: float) -> Policy:
    made = Policy(topology, children)
    made.pace = pace
    return made


policies = st.builds(policy, st.sampled_from(TOPOLOGIES), st.integers(1, 5), st.sampled_from([1.0, 0.1, 0.01]))
sizes = st.integers(2, 24)
hosts = st.frozensets(st.integers(0, 29), min_size=1, max_size=6)
seeds = st.integers(0, 1 << 32)
eagerness = st.sampled_from([1, 1, 3, 10])


def ends(world: World) -> None:
    """Play it to its end, which is to come within the bound; and see what came of whom. AssertionError."""
    while not world.done:
        assert world.steps < BOUND * world.eager, "it goes on for ever"
        assert world.step(), "nothing can happen any more"
    assert world.root.boot is not None
    assert world.root.boot.finished
    assert set(world.news) == set(range(world.size)), "a host was forgotten"
    for rank in range(world.size):
        most = world.root.launched.count(rank) + world.retries + 2
        assert world.accepted.get((HEAD, rank), 0) <= most, f"{rank} comes and goes"


@thorough
@given(chosen=policies, size=sizes, hostile=hosts, retries=st.integers(0, 2), eager=eagerness, seed=seeds)
def test_hosts_outside_their_care_are_up(
    chosen: Policy, size: int, *, hostile: frozenset[int], retries: int, eager: int, seed: int
) -> None:
    hostile = frozenset(rank for rank in hostile if rank < size)
    world = World(size, chosen, random.Random(seed).randrange, retries, hostile=hostile, eager=eager)
    ends(world)
    attached = world.tree()
    for rank in set(range(size)) - world.touched:
        assert world.news[rank] == ("up", "")
        assert attached[rank].alive


@thorough
@given(
    chosen=policies, size=sizes, hostile=hosts, retries=st.integers(0, 2), relaunch=st.booleans(), eager=eagerness,
    kills=st.integers(0, 6), seed=seeds,
)  # fmt: skip
def test_it_ends_where_others_die_and_fail_as_well(
    chosen: Policy,
    size: int,
    *,
    hostile: frozenset[int],
    retries: int,
    relaunch: bool,
    eager: int,
    kills: int,
    seed: int,
) -> None:
    choose = random.Random(seed).randrange
    ends(World(size, chosen, choose, retries, relaunch, faults=True, kills=kills, hostile=hostile, eager=eager))


@thorough
@given(chosen=policies, size=sizes, hostile=hosts, after=st.integers(0, 500), seed=seeds)
def test_it_ends_when_it_is_stopped(
    chosen: Policy, size: int, *, hostile: frozenset[int], after: int, seed: int
) -> None:
    world = World(size, chosen, random.Random(seed).randrange, hostile=hostile)
    world.run(after)
    world.stop(causes.INTERRUPTED)
    for _ in range(BOUND):
        world.step()
        if all(node is world.root or node.hostile for node in world.nodes if node.alive):
            break
    assert world.root.boot is not None
    unheard = set(range(size)) - set(world.news)
    assert all(world.root.boot.place[rank] >= 0 for rank in unheard), "it is in nobody's care, and has not failed"
    assert all(node is world.root or node.hostile for node in world.nodes if node.alive), "somebody runs on"


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_it_ends_where_nobody_is_honest(topology: str) -> None:
    for seed in range(5):
        ends(World(8, Policy(topology, 2), random.Random(seed).randrange, hostile=frozenset(range(8)), eager=3))
