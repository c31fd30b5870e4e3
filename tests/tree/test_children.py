"""Who gets a share, and when it is asked back: one node's children, step by step."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from mpboot.tree.children import NONE_CAN, Children
from mpboot.tree.ledger import PENDING
from mpboot.tree.orders import Order, Reclaim
from mpboot.tree.policy import ADAPTIVE, FLAT, LINEAR, RING, TREE, Policy
from tests.tree.one_node import HOST, Node

# -- one child -------------------------------------------------------------------------------------


def test_a_child_that_comes_up_is_a_helper_that_has_nothing() -> None:
    node = Node(TREE)
    child = node.children.welcome(7)
    assert node.children == {7: child}
    assert [*node.children.helpers] == [7]
    assert (child.left, child.below, child.shares, child.begun, child.ended) == (set(), set(), 0, 0, 0)
    assert child.can_launch
    assert not child.asked
    assert not node.children.busy


def test_a_share_is_in_the_childs_care_and_makes_it_busy() -> None:
    node = Node(TREE, children=1, pending=3)
    ranks = node.hand(0, 2)
    assert node.children[0].left == set(ranks)
    assert node.children[0].shares == 1
    assert node.children.busy == {0}
    assert [node.hosts.place[rank] for rank in ranks] == [0, 0]
    node.hand(0, 1)
    assert node.children[0].left == {*node.ranks}
    assert node.children[0].shares == 2


def test_a_host_that_came_up_below_is_known_there_until_it_is_dropped() -> None:
    node = Node(TREE, children=1, pending=2)
    first, second = node.hand(0, 2)
    node.children.is_up(0, first)
    assert (node.children[0].left, node.children[0].below, node.children[0].ended) == ({second}, {first}, 1)
    node.children.drop(0, first)
    node.children.drop(0, second)
    node.children.drop(0, second)
    assert (node.children[0].left, node.children[0].below) == (set(), set())


def test_a_child_that_is_done_is_not_busy_and_what_it_kept_silent_about_waits_here() -> None:
    node = Node(TREE, children=1, pending=3)
    first, second, third = node.hand(0, 3)
    node.children.is_up(0, first)
    node.hosts.own.add(third)
    node.finish(0)
    assert not node.children.busy
    assert node.children[0].left == set()
    assert node.children[0].below == {first}
    assert node.hosts.take(9) == [second]
    assert [*node.hosts.urgent] == [third]


def test_a_child_that_is_lost_is_in_no_list() -> None:
    node = Node(ADAPTIVE, children=2, pending=8)
    left = node.hand(0, 4)
    lost = node.children.lose(0)
    assert lost is not None
    assert lost.left == set(left)
    assert node.children.lose(0) is None
    assert (list(node.children), list(node.children.helpers), node.children.busy) == ([1], [1], set())
    assert node.shares() == [(1, 4)]
    node.come_up(1)
    assert node.reclaims() == [], "nobody has hosts waiting"


def test_a_child_that_was_idle_when_it_was_lost_gets_nothing() -> None:
    node = Node(ADAPTIVE, children=2, pending=8, launching=1)
    node.finish(0, 1)
    node.children.lose(0)
    assert node.shares() == [(1, 4)]


@pytest.mark.parametrize(
    ("left", "begun", "ended", "waiting"),
    [(5, 0, 0, 5), (5, 2, 0, 3), (5, 5, 0, 0), (5, 4, 3, 4), (5, 2, 2, 5), (5, 2, 3, 5), (0, 0, 0, 0), (1, 2, 0, -1)],
)
def test_how_many_wait_at_a_child(left: int, begun: int, ended: int, waiting: int) -> None:
    child = Children(Policy(ADAPTIVE)).welcome(0)
    child.left.update(range(left))
    child.begun, child.ended = begun, ended
    assert child.waiting() == waiting


# -- who can't launch ------------------------------------------------------------------------------


def test_who_can_not_launch_gets_no_more() -> None:
    node = Node(ADAPTIVE, children=2, pending=6, launching=1)
    node.finish(0, 1)
    node.children.disable(0)
    assert not node.children[0].can_launch
    assert [*node.children.helpers] == [1]
    assert node.shares() == [(1, 3)]
    node.finish(0)
    assert node.shares() == []
    assert not node.children.begins(0, 1)


@pytest.mark.parametrize(("topology", "count", "shares"), [(ADAPTIVE, 2, True), (ADAPTIVE, 3, False), (TREE, 3, True)])
def test_after_three_that_can_not_no_other_is_asked_to(topology: str, count: int, shares: bool) -> None:
    node = Node(topology, children=5)
    assert NONE_CAN == 3
    for rank in range(count):
        node.children.disable(rank)
        node.children.disable(rank)  # said twice, it is one all the same
    assert node.policy.shares is shares


def test_where_one_has_launched_another_the_rest_is_asked() -> None:
    node = Node(ADAPTIVE, children=5, pending=1)
    (host,) = node.hand(4, 1)
    node.children.is_up(4, host)
    for rank in range(4):
        node.children.disable(rank)
    assert node.policy.shares


# -- shares ----------------------------------------------------------------------------------------


class Given(NamedTuple):
    """A node with hosts and children, of which some are idle, and what it hands out: (to whom, how many)."""

    topology: str
    children: int
    pending: int
    shares: list[tuple[int, int]]
    launching: int = 0
    late: int = 0
    idle: tuple[int, ...] = ()
    pace: float = 1.0


SHARED = {
    "the longest idle first, and who is not idle gets nothing": Given(
        ADAPTIVE, 3, 16, [(2, 8), (0, 4)], launching=1, idle=(2, 0)
    ),
    "who was idle twice has one turn": Given(ADAPTIVE, 2, 16, [(0, 8), (1, 4)], launching=1, idle=(0, 1, 0)),
    "what is not worth a parent is kept": Given(ADAPTIVE, 2, 13, [(0, 6)], launching=1, idle=(0, 1), pace=0.01),
    "beside six launches that are not late": Given(ADAPTIVE, 1, 100, [(0, 25)], launching=12, late=6, idle=(0,)),
    "a tree launches itself": Given(TREE, 2, 16, [], launching=1, idle=(0, 1)),
    "a ring too": Given(RING, 2, 16, [], launching=1, idle=(0, 1)),
    "nothing can be launched here: equal parts": Given(TREE, 3, 8, [(0, 3), (1, 3), (2, 2)]),
    "the same of a ring": Given(RING, 3, 8, [(0, 3), (1, 3), (2, 2)]),
    "the same of an adaptive tree": Given(ADAPTIVE, 3, 8, [(0, 3), (1, 3), (2, 2)]),
    "as many as there are": Given(TREE, 3, 2, [(0, 1), (1, 1)]),
    "late launches alone hold nothing back": Given(TREE, 1, 8, [(0, 8)], launching=1, late=1),
    "idle ones first, then equal parts": Given(ADAPTIVE, 2, 8, [(1, 4), (0, 2), (1, 2)], idle=(1,)),
    "no shares": Given(LINEAR, 3, 8, []),
    "none of a flat tree either": Given(FLAT, 3, 8, [], idle=(0, 1)),
    "no children": Given(TREE, 0, 8, []),
    "no children of an adaptive tree": Given(ADAPTIVE, 0, 8, []),
}


@pytest.mark.parametrize("given", SHARED.values(), ids=SHARED.keys())
def test_who_gets_a_share(given: Given) -> None:
    node = Node(given.topology, given.children, given.pending, given.launching, given.pace)
    node.hosts.late.update(range(HOST + given.pending, HOST + given.pending + given.late))
    node.finish(*given.idle)
    assert node.shares() == given.shares
    assert node.children.busy == {child for child, _ in given.shares}
    assert node.hosts.counts[PENDING] == given.pending - sum(count for _, count in given.shares)


def test_who_was_handed_something_meanwhile_is_not_idle() -> None:
    node = Node(ADAPTIVE, children=1, pending=16, launching=1)
    node.finish(0)
    node.hand(0, 1)
    assert node.shares() == []


def test_helpers_have_their_turn_and_the_next_time_goes_on_from_there() -> None:
    node = Node(TREE, children=3, pending=2)
    assert node.shares() == [(0, 1), (1, 1)]
    for child in (2, 0):
        node.hosts.put(HOST, PENDING)
        assert node.shares() == [(child, 1)]


# -- a child whose hosts are all under way ---------------------------------------------------------


def test_a_child_that_has_begun_all_is_idle_from_then_on_and_said_once() -> None:
    node = Node(ADAPTIVE, children=1, pending=24, launching=1)
    node.hand(0, 8)
    assert not node.children.begins(0, 7), "one waits"
    assert node.children[0].begun == 7
    assert node.shares() == []
    assert node.children.begins(0, 1)
    assert not node.children.begins(0, 1), "it was idle before"
    assert node.children[0].begun == 9
    assert node.shares() == [(0, 8)]


def test_retries_count_as_launches_that_ended() -> None:
    node = Node(ADAPTIVE, children=1, pending=4)
    first, *_ = node.hand(0, 4)
    assert not node.children.begins(0, 3)
    node.children.is_up(0, first)
    assert not node.children.begins(0, 0), "three are left, two of them under way"
    assert node.children.begins(0, 1)


@pytest.mark.parametrize("topology", [TREE, RING, FLAT])
def test_only_an_adaptive_tree_s_children_are_idle_before_they_are_done(topology: str) -> None:
    node = Node(topology, children=1, pending=4)
    node.hand(0, 4)
    assert node.children.begins(0, 4) is False


# -- asking back -----------------------------------------------------------------------------------


def loaded(*counts: int, launching: int = 0, pace: float = 1.0) -> Node:
    """An adaptive node with nothing pending; its children have so many hosts each."""
    node = Node(ADAPTIVE, children=len(counts), pending=sum(counts), launching=launching, pace=pace)
    for child, count in enumerate(counts):
        node.hand(child, count)
    return node


@pytest.mark.parametrize(
    ("counts", "begun", "launching", "late", "asked"),
    [
        ((4, 10, 6), 0, 0, 0, [Reclaim(1, 5)]),  # an idle node asks the child with most for half
        ((4, 10, 6), 7, 0, 0, [Reclaim(2, 3)]),  # what is under way there is not asked for
        ((4, 10), 0, 1, 0, []),  # a node that launches asks for nothing
        ((4, 10), 0, 1, 1, [Reclaim(1, 5)]),  # its launch is late
    ],
)
def test_who_is_asked(counts: tuple[int, ...], begun: int, launching: int, late: int, asked: list[Order]) -> None:
    node = loaded(*counts, launching=launching)
    node.hosts.late.update(range(HOST + sum(counts), HOST + sum(counts) + late))
    node.children.begins(1, begun)
    assert node.reclaims() == asked
    assert [child for child in node.children if node.children[child].asked] == [order.child for order in asked]  # type: ignore[attr-defined]


def test_an_idle_child_is_asked_for() -> None:
    node = loaded(1, 10, launching=1)
    node.come_up(0)
    node.finish(0)
    assert node.reclaims() == [Reclaim(1, 5)]
    assert node.reclaims() == [], "it has not answered, and one alone is idle"


def test_who_does_not_answer_keeps_nobody_from_asking_others_one_for_each_that_is_idle() -> None:
    node = loaded(1, 10, 8, 6, launching=1)
    node.finish(0)
    node.children.begins(0, 0)
    assert node.reclaims() == [Reclaim(1, 5)]
    assert node.reclaims() == []
    idle = loaded(1, 10, 8, 6)
    idle.come_up(0)
    idle.finish(0)
    assert [idle.reclaims() for _ in range(3)] == [[Reclaim(1, 5)], [Reclaim(2, 4)], []]


def test_who_is_done_need_not_answer_any_more() -> None:
    node = loaded(10, 8)
    node.children.disable(0)
    assert node.reclaims() == [Reclaim(0, 5)]
    node.come_up(0)
    node.finish(0)
    assert node.reclaims() == [Reclaim(1, 4)]


def test_who_has_answered_may_be_asked_again() -> None:
    node = loaded(10)
    assert node.reclaims() == [Reclaim(0, 5)]
    node.children[0].asked = False
    assert node.reclaims() == [Reclaim(0, 5)]


def test_what_is_not_worth_the_way_is_left_where_it_is() -> None:
    node = loaded(10, pace=0.01)
    assert node.reclaims() == []
    assert not node.children[0].asked
    assert loaded(11, pace=0.01).reclaims() == [Reclaim(0, 6)]


def test_a_child_that_is_done_or_has_got_nothing_is_not_asked() -> None:
    node = loaded(4)
    node.come_up(0)
    node.finish(0)
    assert node.reclaims() == []
    node.children.hand(0, [], node.hosts)
    assert node.reclaims() == []


def test_a_tree_asks_nobody() -> None:
    node = Node(TREE, children=1, pending=8)
    node.hand(0, 8)
    assert node.reclaims() == []


def test_what_was_ever_in_a_childs_care() -> None:
    node = Node(TREE, children=2, pending=2)
    first, second = node.hand(0, 2)
    node.children.drop(0, first)
    assert node.children.ever(0, first)
    assert not node.children.ever(1, second), "it is the other child's"
    assert not node.children.ever(99, second), "nobody knows it"


def test_a_child_owes_what_it_was_asked_for_each_time() -> None:
    node = Node(ADAPTIVE, children=1, pending=200)
    node.hand(0, 100)
    owed = 0
    for _ in range(2):
        node.hosts.take_all()
        node.children[0].asked = False
        (order,) = node.children.reclaim(node.hosts)
        assert isinstance(order, Reclaim)
        owed += order.count
        assert node.children[0].owes == owed


def test_a_child_that_had_nothing_to_give_is_asked_again_when_it_has_got_more() -> None:
    node = Node(ADAPTIVE, children=1, pending=200)
    node.hand(0, 100)
    node.hosts.take_all()
    assert len(node.reclaims()) == 1
    node.children.has_answered(0, False)
    assert not node.children[0].asked
    assert node.reclaims() == []
    node.hand(0, 0)
    assert node.reclaims() == []
