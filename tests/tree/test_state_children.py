"""BootState, news from children: who is believed, what a lost child leaves behind, and who takes over orphans."""

from __future__ import annotations

import pytest

from mpboot.tree import causes, ledger
from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Pause, Reclaim, Return, Share
from mpboot.tree.policy import ADAPTIVE, FLAT, RING, TREE, Policy
from mpboot.tree.retries import pause_before
from mpboot.tree.state import BootState


def kinds(orders: list[Order]) -> list[str]:
    return [type(order).__name__ for order in orders]


def parent(pending: int = 0) -> BootState:
    """An adaptive node with the children 0 and 1; 0 has 10 to 17 in its care, one launch is under way."""
    boot = BootState(Policy(ADAPTIVE, 1))
    boot.policy.pace = 1.0
    for rank in (0, 1):
        boot.attempts[rank] = 1
        boot.put(rank, ledger.UP)
        boot.children.welcome(rank)
    boot.attempts.update(dict.fromkeys(range(10, 18), 0))
    boot.children.hand(0, [*range(10, 18)], boot)
    boot.put(2, ledger.LAUNCHING)
    for rank in range(20, 20 + pending):
        boot.attempts[rank] = 0
        boot.put(rank, ledger.PENDING)
    return boot


@pytest.mark.parametrize(
    ("place", "counts"),
    [(0, True), (1, False), *((place, False) for place in ledger.PLACES if place != ledger.TAKEN)],
)  # fmt: skip
def test_whose_word_counts(place: int, counts: bool) -> None:
    """…of that host, up or failed; not of what others have now, or nobody."""
    boot = parent()
    boot.put(50, place)
    assert boot.believes(0, 50) is counts
    assert not boot.believes(5, 50), "it is no child"
    assert not boot.believes(0, 99), "nobody knows it"
    assert boot.child_up(0, 50) == boot.child_failed(0, 50) == []
    assert boot.place[50] == (ledger.FAILED if counts else place)


def test_hosts_that_came_up_or_failed_below_a_child_are_out_of_what_it_has_left() -> None:
    boot = parent()
    child = boot.children[0]
    assert boot.child_up(0, 10) == boot.child_failed(0, 11) == []
    assert (child.left, child.below, child.ended) == ({*range(12, 18)}, {10}, 2)
    assert (boot.place[10], boot.place[11]) == (0, ledger.FAILED)
    assert boot.child_failed(0, 10) == []
    assert child.below == set(), "it was up, and is lost"
    assert boot.child_up(1, 12) == boot.child_failed(1, 12) == []
    assert boot.place[12] == 0, "it is none of 1's"
    boot.put(50, ledger.ORPHANED)
    assert boot.child_up(0, 50) == []
    assert (boot.place[50], child.below) == (ledger.ORPHANED, set()), "it may still turn to us"
    assert boot.child_failed(0, 50) == []
    assert boot.place[50] == ledger.ORPHANED, "it is none of 0's"


def test_a_child_that_has_begun_all_gets_more() -> None:
    boot = parent(pending=12)
    assert boot.child_launched(0, 7) == []
    assert boot.child_launched(5, 8) == [], "it is no child"
    assert boot.child_launched(0, 1) == [Share(0, [*range(20, 26)])]


def test_with_nothing_pending_who_has_begun_all_has_the_others_asked() -> None:
    boot = parent(pending=8)
    boot.children.hand(1, boot.take(8), boot)
    assert boot.child_launched(0, 8) == [Reclaim(1, 4)]
    assert boot.child_launched(0, 1) == []
    assert boot.child_returned(1, {20: 0, 21: 0}, tried=False, disabled=False) == [Share(0, [20])]


def test_what_a_child_gives_back_it_has_no_more_and_its_attempts_count() -> None:
    boot = parent()
    boot.children[0].asked = True
    assert boot.child_returned(0, {10: 1, 11: 2, 2: 7, 99: 7}, tried=False, disabled=False) == []
    child = boot.children[0]
    assert (child.asked, child.left, child.ended) == (False, {*range(12, 18)}, 0)
    assert [boot.attempts[rank] for rank in (10, 11)] == [1, 2]
    assert 2 not in boot.attempts, "it was none of the child's"
    assert boot.own == set()


def test_what_a_child_tried_in_vain_ended_there_and_is_launched_here() -> None:
    boot = parent()
    assert boot.child_returned(0, {10: 1, 11: 2}, tried=True, disabled=False) == [Launch(10, 2), Launch(11, 3)]
    assert boot.children[0].ended == 2
    assert boot.children[0].can_launch
    assert boot.own == {10, 11}


def test_who_can_launch_nothing_passes_on_what_its_children_tried_in_vain() -> None:
    boot = parent()
    boot.is_root = boot.can_launch = False
    assert boot.child_returned(0, {10: 1}, tried=True, disabled=False) == [Return([10], tried=True, disabled=True)]
    assert boot.child_returned(0, {11: 1}, tried=False, disabled=False) == [Return([11], tried=False, disabled=True)]
    assert not {10, 11} & boot.place.keys()


def test_a_child_that_is_disabled_gets_no_more() -> None:
    boot = parent(pending=12)
    boot.child_returned(0, {}, tried=False, disabled=True)
    assert not boot.children[0].can_launch
    assert boot.child_done(0, 1) == []
    assert boot.child_returned(5, {10: 1}, tried=True, disabled=True) == [], "it is no child"


def test_done_is_told_once_and_again_when_more_has_come() -> None:
    boot = BootState(Policy(FLAT))
    boot.add([0])
    boot.connected(0)
    before = boot.finished
    assert boot.child_done(0, 1) == [Done(1)]
    assert boot.child_done(0, 1) == []
    assert (before, boot.finished) == (False, True)
    boot.add([1])
    boot.connected(1)
    assert boot.child_done(1, 1) == [Done(2)]


def test_done_of_an_earlier_share_is_not_believed() -> None:
    boot = BootState(Policy(TREE, 1))
    boot.add([0, 1])
    boot.connected(0)  # and is handed 1
    boot.child_returned(0, {1: 1}, tried=False, disabled=False)  # and is handed 1 again
    assert boot.child_done(0, 1) == []
    assert not boot.finished
    boot.child_up(0, 1)
    assert boot.child_done(0, 2) == [Done(1)]


def test_a_child_without_room_shares_among_those_who_can_in_turn() -> None:
    boot = BootState(Policy(TREE, 2), retries=2)
    boot.add([0, 1, 2, 3])
    boot.connected(0)
    boot.connected(1)
    assert boot.children[0].left == {2, 3}
    assert boot.child_returned(0, {2: 1}, tried=False, disabled=False) == [Share(0, [2])]
    assert boot.child_returned(0, {2: 1}, tried=False, disabled=False) == [Share(1, [2])]
    assert boot.child_returned(1, {2: 1}, tried=False, disabled=False) == [Share(0, [2])]
    boot.child_returned(1, {}, tried=False, disabled=True)
    assert boot.child_returned(0, {2: 1, 3: 1}, tried=False, disabled=False) == [Share(0, [2, 3])]


# -- children that are lost, and orphans -----------------------------------------------------------


@pytest.mark.parametrize(("silent", "grace"), [(False, 2.0), (True, 8.0)])
def test_what_a_lost_child_had_may_turn_to_us_for_a_while(silent: bool, grace: float) -> None:
    boot = parent()
    boot.child_up(0, 10)
    orders = boot.child_lost(0, silent)
    assert orders[0] == Pause([0], pause_before(0, 1))
    assert isinstance(orders[1], Pause)
    assert (sorted(orders[1].ranks), orders[1].delay) == ([*range(10, 18)], grace)
    assert {boot.place[rank] for rank in range(10, 18)} == {ledger.ORPHANED}
    assert orders[2:] == []
    assert boot.child_lost(0) == []


def test_without_a_word_a_lost_child_is_not_called_silent() -> None:
    boot = parent()
    assert [order.delay for order in boot.child_lost(0) if isinstance(order, Pause)][1] == 2.0


def test_a_lost_leaf_leaves_no_orphans() -> None:
    assert kinds(parent().child_lost(1)) == ["Pause"]


def test_what_is_lost_is_not_booted_more_often_than_it_may() -> None:
    boot = parent()
    boot.attempts.update({1: 2, 10: 2})
    assert boot.child_lost(1) == [Fail(1, causes.LOST)]
    boot.child_lost(0)
    assert boot.resume([10]) == [Fail(10, causes.LOST)]


def test_an_orphan_that_nobody_spoke_for_is_launched_at_once() -> None:
    boot = parent()
    boot.child_lost(0)
    assert boot.resume([10, 11]) == [Pause([10], 0.0), Pause([11], 0.0)]
    assert boot.resume([10]) == [], "it waits: there is no room"
    assert boot.place[10] == ledger.PENDING


def test_numbers_of_shares_begin_anew_with_a_new_parent() -> None:
    boot = BootState(Policy(TREE, 2), is_root=False)
    boot.add([1, 2])
    boot.connected(1)
    assert boot.new_parent() == ([1], [2], [])
    assert boot.add([]) == []  # the adopter's first
    boot.connected(2)
    boot.child_done(1, 1)
    assert boot.child_done(2, 1) == [Done(1)]


def test_an_adopted_child_keeps_what_it_has_done() -> None:
    boot = BootState(Policy(TREE, 2))
    boot.add(range(5))
    boot.connected(0)
    boot.child_up(0, 2)
    boot.child_lost(0)
    assert boot.adopt(2, [1], [3]) == [Kill(1), Share(2, [])]
    assert boot.place[1] == boot.place[3] == 2
    assert boot.children[2].left == {1, 3}, "it says again who is up"
    assert boot.child_up(2, 1) == []
    assert (boot.children[2].left, boot.children[2].below) == ({3}, {1})


def test_who_is_up_below_an_orphan_that_dies_is_not_booted_anew_where_a_command_has_begun() -> None:
    boot = BootState(Policy(TREE, 2), relaunch=False)
    boot.add(range(5))
    boot.connected(0)
    boot.child_lost(0)
    boot.adopt(2, [1], [3])
    boot.child_lost(2)
    assert Fail(1, causes.LOST) in boot.resume([1, 3])
    assert boot.place[3] == ledger.PAUSED


def test_an_orphan_may_come_before_its_parent_is_lost_here_and_is_not_believed() -> None:
    boot = BootState(Policy(RING))
    boot.add(range(3))
    boot.connected(0)
    boot.child_up(0, 1)
    assert boot.holders([1, 2]) == {0}
    assert boot.adopt(1, [], [2]) == [Dismiss(1)]
    boot.child_lost(0)
    assert boot.holders([0, 1, 2, 77]) == set()
    assert kinds(boot.adopt(1, [], [2])) == ["Share"]
    assert boot.place[2] == 1


def test_an_orphan_that_others_have_in_care_is_sent_away() -> None:
    boot = BootState(Policy(RING))
    boot.add(range(3))
    boot.connected(0)
    assert boot.adopt(1, [], [2]) == [Dismiss(1)]
    assert boot.adopt(77, [], []) == [Dismiss(77)]


def test_what_was_never_up_is_booted_again_though_a_command_has_begun() -> None:
    boot = BootState(Policy(TREE, 1), relaunch=False)
    boot.add(range(3))
    boot.connected(0)
    boot.child_up(0, 1)
    assert boot.child_lost(0)[0] == Fail(0, causes.LOST)
    orders = boot.resume([1, 2])
    assert Fail(1, causes.LOST) in orders
    assert boot.place[2] == ledger.PAUSED


def test_an_orphan_brings_its_family_whoever_had_them() -> None:
    """…as iterators, which can be read once only."""
    boot = parent()
    boot.child_up(0, 10)
    boot.child_lost(0)
    boot.put(30, ledger.LAUNCHING)
    boot.put(31, ledger.PENDING)
    boot.put(32, ledger.PAUSED)
    boot.put(33, ledger.UP)
    boot.put(34, 1)
    orders = boot.adopt(10, iter([11]), iter([12, 30, 31]), failed=iter([13, 32, 33, 34]))
    assert orders == [Kill(30), Share(10, [])]
    assert boot.attempts[10] == 1, "somebody has launched it"
    child = boot.children[10]
    assert (child.below, child.left) == (set(), {11, 12, 30, 31, 13, 32})
    assert {rank for rank, place in boot.place.items() if place == 10} == {11, 12, 30, 31, 13, 32}
    assert child.ever == {11, 12, 30, 31, 13, 32, 33, 34}, "it will tell again of all that failed"
    assert (boot.place[33], boot.place[34]) == (ledger.UP, 1), "not of those that it had is what others have"
    assert boot.child_failed(10, 13) == boot.child_failed(10, 33) == []
    assert {rank for rank, place in boot.place.items() if place == ledger.FAILED} == {13}
    boot.child_lost(10)
    assert boot.place[32] == ledger.ORPHANED, "of which it has not told: others must"


def test_who_has_left_and_comes_again_is_booted_again_where_it_is_lost() -> None:
    boot = BootState(Policy(TREE, 2))
    boot.add([0, 1])
    boot.connected(0)
    boot.leaving.add(0)
    assert boot.child_lost(0) == [Fail(0, causes.LOST)]
    boot.add([0, 2])
    boot.connected(0)
    assert kinds(boot.child_lost(0))[0] == "Pause"


@pytest.mark.parametrize("relaunch", [True, False])
def test_who_was_up_and_is_lost_is_nobody_s_any_more(relaunch: bool) -> None:
    """It may have come back elsewhere, and who speaks for it then is not believed. Not so where others are below it."""
    boot = BootState(Policy(TREE, 2), is_root=False, relaunch=relaunch)
    boot.add(range(6))
    boot.connected(0)
    boot.connected(1)
    boot.child_up(0, 2)
    boot.child_done(0, 1)
    boot.child_done(1, 1)
    boot.leaving.update((1, 2))
    assert boot.child_failed(0, 2) == []
    boot.child_lost(1)
    failed = {rank for rank, place in boot.place.items() if place == ledger.FAILED}
    assert failed >= {1}
    known = boot.new_parent()[2]
    assert set(known) == (set() if relaunch else failed)
    assert 1 in boot.new_parent({1})[2]
