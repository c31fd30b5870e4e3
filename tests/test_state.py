"""BootState: whatever happens in whatever order, no host is lost or booted twice, and numbers add up."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree_model import HEAD, World

from mpboot.tree import causes
from mpboot.tree.policy import TOPOLOGIES, Policy

thorough = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

policies = st.builds(Policy, st.sampled_from(TOPOLOGIES), st.integers(1, 5))
sizes = st.integers(1, 40)
hosts = st.integers(0, 39)
seeds = st.integers(0, 1 << 32)
moments = st.integers(0, 1500)
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
@given(chosen=policies, size=sizes, kills=st.integers(1, 12), seed=seeds, wild=moments)
def test_deaths_alone(chosen: Policy, size: int, *, kills: int, seed: int, wild: int) -> None:
    play(World(size, chosen, random.Random(seed).randrange, retries=12, kills=kills), wild)


@thorough
@given(
    chosen=policies, size=sizes, retries=st.integers(0, 2), bad=st.dictionaries(hosts, BAD, max_size=10),
    keyless=st.frozensets(hosts), own=st.sampled_from(sorted(causes.LAUNCHERS)), seed=seeds, wild=moments,
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
@given(chosen=policies, size=sizes, after=moments, kills=st.integers(0, 3), seed=seeds)
def test_stop_at_any_time(chosen: Policy, size: int, *, after: int, kills: int, seed: int) -> None:
    world = World(size, chosen, random.Random(seed).randrange, faults=True, kills=kills)
    world.run(after)
    world.stop(causes.INTERRUPTED)
    world.check()
    world.calm()
    assert world.run(60_000)
    world.check()
    assert world.attached() == {HEAD: world.root}
    assert not any(node.alive for node in world.nodes if node is not world.root)
    assert world.root.boot is not None
    assert world.root.boot.finished
