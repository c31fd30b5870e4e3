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
    OWN,
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
        policy.narrow(1.0)
        fixed.narrow(1.0)
    assert (policy.width, fixed.width) == (START, 50)


def test_adaptive_begins_small_and_keeps_a_part() -> None:
    policy = Policy(ADAPTIVE)
    assert policy.room(0, 0, 0, 0) == START
    assert 0 < policy.share(1000, 3) < 1000
    assert policy.share(2, 3) == 0, "two hosts are not worth a parent"
    assert policy.reclaim(1000) == 500
    assert policy.reclaim(2) == 0
    assert Policy(TREE).reclaim(1000) == 0


def test_the_numbers_that_the_manual_names() -> None:
    """docs/architecture.md, under "Shares", and docs/mpboot.md."""
    assert TOPOLOGIES == ("adaptive", "tree", "ring", "linear", "flat")
    assert Policy(TREE).fanout == 4
    assert Policy(ADAPTIVE).width == 8, "it begins with 8 launches at once"
    assert [Policy(ADAPTIVE).widest(hosts) for hosts in (1, 160, 161, 5000)] == [160, 160, 100, 100]
    assert Policy(TREE, 4).room(0, 0, 4, 0) == 32, "a node whose children can't launch does so itself"


@pytest.mark.parametrize(
    ("topology", "children", "width", "fanout", "shares"),
    [
        (ADAPTIVE, 0, 8, 0, True), (ADAPTIVE, 5, 5, 0, True), (TREE, 0, 0, 4, True), (TREE, 1, 0, 1, True),
        (TREE, 7, 0, 7, True), (RING, 0, 0, 1, True), (RING, 9, 0, 1, True), (LINEAR, 0, 1, 0, False),
        (LINEAR, 9, 1, 0, False), (FLAT, 0, 0, 0, False), (FLAT, 9, 0, 0, False),
    ],
)  # fmt: skip
def test_what_a_topology_allows(topology: str, children: int, width: int, fanout: int, shares: bool) -> None:
    policy = Policy(topology, children)
    assert (policy.topology, policy.width, policy.fanout, policy.shares) == (topology, width, fanout, shares)
    assert policy.adaptive is (topology == ADAPTIVE)
    assert policy.pace == 0.01


def adaptive(width: int, fanout: int) -> Policy:
    """A node that has learned how much it bears."""
    policy = Policy(ADAPTIVE)
    policy.width, policy.fanout = width, fanout
    return policy


ENDLESS = 1 << 30
ROOMS = [  # a policy; launching, late, children, helpers; how many more may begin
    (Policy(FLAT), (5, 5, 5, 5), ENDLESS),
    (adaptive(8, 0), (3, 9, 99, 99), 5),
    (adaptive(8, 0), (8, 0, 0, 0), 0),
    (adaptive(8, 0), (9, 0, 0, 0), 0),
    (adaptive(8, 6), (3, 0, 2, 0), 1),  # the open files allow no more
    (adaptive(8, 6), (3, 0, 2, 2), 1),
    (adaptive(8, 20), (3, 0, 2, 0), 5),
    (Policy(TREE, 4), (0, 0, 3, 0), 1),
    (Policy(TREE, 4), (0, 1, 2, 1), 1),  # a late launch takes a child's place
    (Policy(TREE, 4), (0, 1, 2, 0), 2),  # but not where no child can launch in its stead
    (Policy(TREE, 4), (0, 2, 2, 1), 0),
    (Policy(TREE, 4), (2, 0, 2, 2), 0),
    (Policy(TREE, 4), (1, 2, 4, 4), 0),
    (Policy(TREE, 4), (1, 2, 4, 0), 31),
    (Policy(TREE, 4), (3, 0, 1, 0), 29),
    (Policy(TREE, 4), (32, 0, 4, 0), 0),
    (Policy(TREE, 4), (33, 0, 4, 0), 0),
    (Policy(TREE, 4), (4, 0, 0, 0), 0),
]


@pytest.mark.parametrize(("policy", "counts", "room"), ROOMS)
def test_how_many_may_begin(policy: Policy, counts: tuple[int, int, int, int], room: int) -> None:
    assert policy.room(*counts) == room


@pytest.mark.parametrize(("launching", "room"), [(0, 256), (255, 1), (256, 0), (300, 0)])
def test_how_many_of_those_that_children_tried_in_vain_may_begin(launching: int, room: int) -> None:
    assert Policy(TREE).own_room(launching) == room


@pytest.mark.parametrize(("width", "narrower"), [(50, 49), (9, 8), (8, 8)])
def test_narrower_by_one_but_never_narrower_than_at_the_start(width: int, narrower: int) -> None:
    policy = adaptive(width, 0)
    policy.narrow(1.0)
    assert policy.width == narrower


def test_only_an_adaptive_node_narrows() -> None:
    policy = Policy(TREE)
    policy.width = 50
    policy.narrow(1.0)
    assert policy.width == 50


SHARES = [  # topology, children, seconds of a launch; pending, launching; what the child gets
    (TREE, 4, 0.01, (0, 0), 0),
    (TREE, 4, 0.01, (3, 0), 3),
    (TREE, 4, 0.01, (4, 0), 4),
    (TREE, 4, 0.01, (5, 0), 5),  # alone it gets all
    (TREE, 4, 0.01, (6, 1), 4),  # one level more holds all: the first children get their fill
    (TREE, 4, 0.01, (6, 2), 4),
    (TREE, 4, 0.01, (8, 1), 4),
    (TREE, 4, 0.01, (9, 1), 5),  # one level more does not hold them: an equal part, the larger one
    (TREE, 4, 0.01, (12, 2), 4),
    (TREE, 4, 0.01, (13, 2), 5),
    (RING, 0, 0.01, (1, 0), 1),
    (RING, 0, 0.01, (9, 1), 5),
    (LINEAR, 0, 0.01, (9, 0), 0),
    (FLAT, 0, 0.01, (9, 0), 0),
    (ADAPTIVE, 0, 0.01, (10, 3), 0),  # 0.1 s of this node's time: not worth a parent
    (ADAPTIVE, 0, 0.01, (11, 3), 4),  # sqrt(2 * 11)
    (ADAPTIVE, 0, 1.0, (1, 3), 0),
    (ADAPTIVE, 0, 1.0, (2, 3), 1),  # at most half
    (ADAPTIVE, 0, 1.0, (3, 3), 1),
    (ADAPTIVE, 0, 1.0, (100, 0), 50),  # 100 / 2
    (ADAPTIVE, 0, 1.0, (100, 2), 50),
    (ADAPTIVE, 0, 1.0, (100, 3), 33),  # 100 / 3
    (ADAPTIVE, 0, 1.0, (100, 5), 33),
    (ADAPTIVE, 0, 1.0, (100, 6), 25),
    (ADAPTIVE, 0, 1.0, (200, 99), 20),  # sqrt(2 * 200), more than 200 / 35
]


@pytest.mark.parametrize(("topology", "children", "pace", "counts", "share"), SHARES)
def test_what_a_child_gets(topology: str, children: int, pace: float, counts: tuple[int, int], share: int) -> None:
    policy = Policy(topology, children)
    policy.pace = pace
    assert policy.share(*counts) == share


def test_nobody_gets_a_share_where_none_is_given() -> None:
    policy = Policy(TREE)
    policy.shares = False
    assert policy.share(100, 0) == 0


@pytest.mark.parametrize(
    ("pace", "waiting", "back"), [(1.0, 1, 1), (1.0, 2, 1), (1.0, 3, 2), (0.01, 10, 0), (0.01, 11, 6), (0.01, 0, 0)]
)
def test_what_an_idle_node_asks_back(pace: float, waiting: int, back: int) -> None:
    policy = Policy(ADAPTIVE)
    policy.pace = pace
    assert policy.reclaim(waiting) == back


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
    assert 0 <= policy.own_room(launching) <= OWN


def test_what_memory_bears_is_how_wide_a_node_becomes() -> None:
    policy = Policy(ADAPTIVE)
    policy.bears(4000, 10, 0)
    assert policy.bearable == policy.widest(5000) == policy.widest(10) == 100
    policy.bears(4000 - 60 * 10, 10, 60)
    assert policy.bearable == 100, "what its launches hold already was part of it"
    policy.bears(50, 10, 0)
    assert policy.bearable == START


@given(st.integers(0, 1 << 44), st.integers(1, 1 << 34), st.integers(0, 5000))
def test_launches_hold_a_quarter_of_memory_at_most(available: int, each: int, launching: int) -> None:
    policy = Policy(ADAPTIVE)
    policy.bears(available, each, launching)
    most = policy.widest(5000)
    assert most >= START
    assert most == START or 4 * most * each <= available + launching * each
    assert 4 * (most + 1) * each > available + launching * each, "and no less"


@pytest.mark.parametrize(("hosts", "launching", "children", "full"), [
    (1000, 87, 0, False), (1000, 88, 0, True), (100, 139, 0, False), (100, 140, 0, True), (1000, 5, 294, False),
    (1000, 5, 295, True),
])  # fmt: skip
def test_a_node_that_has_hardly_room_is_full(hosts: int, launching: int, children: int, full: bool) -> None:
    policy = adaptive(8, 300)
    assert policy.is_full(hosts, launching, children) is full
    policy.fanout = 0
    assert policy.is_full(hosts, launching, children) is (full and launching > 5)
