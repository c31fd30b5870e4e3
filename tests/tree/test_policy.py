"""Policy: how many launches may begin, and how much a child gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.tree.policy import (
    ADAPTIVE,
    DEFAULT_TREE_CHILDREN,
    FLAT,
    LINEAR,
    OVERFLOW,
    RING,
    START,
    TOPOLOGIES,
    TREE,
    WIDEST,
    Policy,
    choose_topology,
)

numbers = st.integers(0, 200)


def test_no_such_topology() -> None:
    with pytest.raises(ValueError, match="no topology 'star': there are adaptive, tree"):
        Policy("star")


def test_no_negative_children() -> None:
    with pytest.raises(ValueError, match="at least 1, not -1"):
        Policy(TREE, -1)


@pytest.mark.parametrize(
    ("topology", "children", "meant"), [("", 0, ADAPTIVE), ("", 3, TREE), (RING, 3, RING), (ADAPTIVE, 3, ADAPTIVE)]
)
def test_what_is_meant(topology: str, children: int, meant: str) -> None:
    assert choose_topology(topology, children) == meant


def test_linear_has_one_under_way() -> None:
    policy = Policy(LINEAR)
    assert [policy.room(launching, 0, 7, 7) for launching in (0, 1, 2)] == [1, 0, 0]
    assert policy.share(100, 0) == 0


def test_flat_begins_all() -> None:
    policy = Policy(FLAT)
    assert policy.room(50, 0, 1000, 0) > 1_000_000
    assert policy.share(100, 0) == 0


def test_ring_has_one_child_that_gets_all() -> None:
    policy = Policy(RING)
    assert policy.room(0, 0, 0, 0) == 1
    assert policy.room(1, 0, 0, 0) == 0
    assert policy.room(0, 0, 1, 1) == 0
    assert policy.share(31, 0) == 31


def test_a_tree_fills_its_children_and_shares_the_rest() -> None:
    policy = Policy(TREE, 4)
    assert policy.room(0, 0, 0, 0) == 4
    assert policy.room(1, 0, 2, 2) == 1
    assert policy.room(0, 0, 4, 1) == 0
    assert policy.share(28, 3) == 7
    assert Policy(TREE).children == DEFAULT_TREE_CHILDREN


def test_a_tree_without_children_that_can_launch_does_it_all_itself() -> None:
    policy = Policy(TREE, 4)
    assert policy.room(0, 0, 4, 0) == OVERFLOW
    assert policy.room(OVERFLOW - 1, 0, 4, 0) == 1
    assert policy.room(4, 0, 0, 0) == 0, "the first may still become helpers"


def test_a_width_that_was_learned_holds_then_too() -> None:
    policy = Policy(TREE, 4)
    policy.width = 5
    assert policy.room(3, 0, 4, 0) == 2


def test_adaptive_widens_to_all_of_a_few_and_to_less_of_many() -> None:
    assert Policy(ADAPTIVE).widest(147) >= 147, "a second round would take another latency"
    assert Policy(ADAPTIVE).widest(1000) == WIDEST < 147


def test_a_launch_that_ended_leaves_no_room_until_the_machine_keeps_up() -> None:
    policy, fixed = Policy(ADAPTIVE), Policy(ADAPTIVE, 50)
    policy.width = START + 1
    for _ in range(3):
        policy.narrow()
        fixed.narrow()
    assert (policy.width, fixed.width) == (START, 50)


def test_adaptive_begins_small_and_keeps_a_part() -> None:
    policy = Policy(ADAPTIVE)
    assert policy.room(0, 0, 0, 0) == START
    assert 0 < policy.share(1000, 3) < 1000
    assert policy.share(2, 3) == 0, "two hosts are not worth a parent"
    assert policy.reclaim(1000) == 500
    assert policy.reclaim(2) == 0
    assert Policy(TREE).reclaim(1000) == 0


@given(st.sampled_from(TOPOLOGIES), st.integers(1, 9), st.tuples(numbers, numbers, numbers, numbers))
def test_in_bounds(topology: str, children: int, counts: tuple[int, int, int, int]) -> None:
    launching, late, up, pending = counts
    policy = Policy(topology, children)
    assert 0 <= policy.share(pending, launching) <= pending
    for helpers in {0, up}:
        room = policy.room(launching, late, up, helpers)
        assert room >= 0
        if policy.width and room:
            assert room + launching <= policy.width
        if policy.fanout and helpers and room:
            assert room + launching + up <= policy.fanout
    assert 0 <= policy.own_room(launching) <= OVERFLOW
