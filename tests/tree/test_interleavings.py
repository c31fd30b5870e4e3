"""A whole tree of BootStates: whatever happens in whatever order, no host is lost or booted twice, and numbers add up.

One node's steps are in test_state.py; the tree that is played is support/tree_model.py.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpboot.tree import causes
from mpboot.tree.ledger import HEAD
from mpboot.tree.policy import FLAT, LINEAR, RING, TOPOLOGIES, TREE, Policy
from tests.support.tree_model import World

thorough = settings(
    max_examples=min(60, settings().max_examples * 2), deadline=None, suppress_health_check=list(HealthCheck)
)


def policy(topology: str, children: int, pace: float) -> Policy:
    made = Policy(topology, children)
    made.pace = pace
    return made


policies = st.builds(policy, st.sampled_from(TOPOLOGIES), st.integers(1, 5), st.sampled_from([1.0, 0.1, 0.01]))
sizes = st.integers(1, 30)
hosts = st.integers(0, 29)
seeds = st.integers(0, 1 << 32)
moments = st.integers(0, 1000)
BAD = st.sampled_from([cause for cause in causes.ALL if cause not in (causes.DEADLINE, causes.INTERRUPTED)])


def play(world: World, wild: int) -> None:
    """``wild`` steps in which anything may happen, then to the end."""
    world.run(wild)
    world.calm()
    assert world.run(60_000), "it goes on for ever"
    world.check_end()


@thorough
@given(
    chosen=policies, size=sizes, retries=st.integers(0, 2), relaunch=st.booleans(), kills=st.integers(0, 8),
    seed=seeds, wild=moments,
)  # fmt: skip
def test_any_interleaving(
    chosen: Policy, size: int, retries: int, *, relaunch: bool, kills: int, seed: int, wild: int
) -> None:
    choose = random.Random(seed).randrange
    play(World(size, chosen, choose, retries, relaunch, faults=True, kills=kills), wild)


@thorough
@given(chosen=policies, size=sizes, relaunch=st.booleans(), kills=st.integers(1, 12), seed=seeds, wild=moments)
def test_deaths_cost_the_dead_alone(
    chosen: Policy, size: int, *, relaunch: bool, kills: int, seed: int, wild: int
) -> None:
    world = World(size, chosen, random.Random(seed).randrange, retries=12, relaunch=relaunch, kills=kills, patient=True)
    play(world, wild)
    assert {rank for rank, (kind, _) in world.news.items() if kind == "failed"} <= world.killed


@thorough
@given(
    chosen=policies, size=sizes, retries=st.integers(0, 2), bad=st.dictionaries(hosts, BAD, max_size=10),
    keyless=st.frozensets(hosts), own=st.sampled_from(sorted(causes.PASSING)), seed=seeds, wild=moments,
)  # fmt: skip
def test_good_hosts_are_up_whatever_the_others_do(
    chosen: Policy,
    size: int,
    retries: int,
    *,
    bad: dict[int, str],
    keyless: frozenset[int],
    own: str,
    seed: int,
    wild: int,
) -> None:
    bad = {rank: cause for rank, cause in bad.items() if rank < size}
    world = World(size, chosen, random.Random(seed).randrange, retries, bad=bad, keyless=keyless, own_cause=own)
    play(world, wild)
    assert {rank: cause for rank, (kind, cause) in world.news.items() if kind == "failed"} == bad
    for rank in bad:
        assert world.attempts[rank] > retries, "it was given up before its retries"
    for rank in set(range(size)) - set(bad):
        assert world.attempts[rank] >= 1


@thorough
@given(
    chosen=policies, size=sizes, retries=st.integers(0, 2), bad=st.dictionaries(hosts, BAD, max_size=5),
    alone=st.frozensets(hosts), kills=st.integers(0, 8), seed=seeds, wild=moments,
)  # fmt: skip
def test_what_only_the_root_can_launch_no_child_ever_gets(
    chosen: Policy,
    size: int,
    retries: int,
    *,
    bad: dict[int, str],
    alone: frozenset[int],
    kills: int,
    seed: int,
    wild: int,
) -> None:
    choose = random.Random(seed).randrange
    play(World(size, chosen, choose, retries, bad=bad, alone=alone, faults=True, kills=kills), wild)


def test_a_tree_of_what_only_the_root_can_launch_is_flat() -> None:
    world = World(100, Policy(TREE, 2), random.Random(1).randrange, alone=frozenset(range(100)))
    assert world.run(60_000)
    world.check_end()
    assert sorted(world.root.launched) == list(range(100))


@thorough
@given(chosen=policies, size=sizes, after=moments, kills=st.integers(0, 3), seed=seeds)
def test_stop_at_any_time(chosen: Policy, size: int, *, after: int, kills: int, seed: int) -> None:
    world = World(size, chosen, random.Random(seed).randrange, faults=True, kills=kills)
    world.run(after)
    world.stop(causes.INTERRUPTED)
    world.check()
    world.calm()
    assert world.run(60_000)
    world.check()
    assert world.tree() == {HEAD: world.root}
    assert not any(node.alive for node in world.nodes if node is not world.root)
    assert world.root.boot is not None
    assert world.root.boot.finished


# -- the tree's shape where nothing goes wrong -----------------------------------------------------


def grow(topology: str, children: int, size: int, seed: int = 0) -> tuple[list[int], int]:
    """Boot a whole tree; the level of each host, and the most children that a node got."""
    world = World(size, Policy(topology, children), random.Random(seed).randrange)
    assert world.run(60_000)
    world.check_end()
    assert world.attempts == dict.fromkeys(range(size), 1)
    nodes = world.tree()
    return [len(nodes[rank].routes) for rank in range(size)], max(len(node.links) for node in nodes.values())


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("children", "size", "depth"), [(4, 32, 3), (2, 147, 7), (3, 147, 5), (4, 147, 4)])
def test_shape_of_a_tree(children: int, size: int, depth: int, seed: int) -> None:
    levels, most = grow(TREE, children, size, seed)
    assert min(levels) == 1
    assert max(levels) <= depth
    assert most <= children


def test_shape_of_a_ring() -> None:
    levels, most = grow(RING, 4, 32)
    assert sorted(levels) == list(range(1, 33))
    assert most == 1


@pytest.mark.parametrize("topology", [LINEAR, FLAT])
def test_shape_without_shares(topology: str) -> None:
    assert grow(topology, 4, 32) == ([1] * 32, 32)
