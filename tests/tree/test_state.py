"""BootState, one node: what follows from each event, step by step. Whole trees are in test_interleavings.py."""

from __future__ import annotations

import pytest

from mpboot.tree import causes, ledger
from mpboot.tree.orders import Dismiss, Done, Fail, Launch, Return, Share
from mpboot.tree.policy import FLAT, LINEAR, TREE, Policy
from mpboot.tree.state import BootState
from tests.tree.one_state import adaptive, below_root, kinds, launches


def test_linear_launches_one_at_a_time() -> None:
    boot = BootState(Policy(LINEAR))
    orders = boot.add(range(3))
    for rank in range(3):
        assert [order for order in orders if isinstance(order, Launch)] == [Launch(rank, 1)]
        orders = boot.connected(rank)
    assert not boot.counts[ledger.PENDING]


def test_a_leaf_that_becomes_a_parent_goes_on_counting_its_shares() -> None:
    boot = below_root(shares=1)
    boot.add([7])
    orders = boot.connected(7)
    assert orders == [Share(7, [])]
    assert boot.child_done(7, 1) == [Done(2)]


def test_a_late_launch_holds_nothing_back() -> None:
    boot = BootState(Policy(TREE, 2))
    boot.add(range(8))
    boot.connected(0)
    kept = boot.counts[ledger.PENDING]
    assert kept
    orders = boot.is_late(1)
    assert boot.is_late(1) == []
    assert Launch(2 + len(boot.children[0].left), 1) in orders or kinds(orders) == ["Share"]


def test_hello_said_twice_and_of_unknown_hosts_changes_nothing() -> None:
    boot = BootState(Policy(FLAT))
    boot.add([0])
    boot.connected(0)
    assert boot.connected(0) == [Dismiss(0)]
    assert boot.connected(5) == [Dismiss(5)]
    assert not boot.believes(5, 0)
    assert boot.child_up(5, 0) == boot.child_failed(5, 0) == boot.child_done(5, 1) == boot.child_lost(5) == []
    assert boot.launch_failed(0, causes.LOST) == []


# -- what the parent or the user wants -------------------------------------------------------------


def test_a_share_comes_with_the_attempts_that_its_hosts_have_behind_them() -> None:
    boot = below_root(children=3)
    assert boot.add([5, 6], {5: 2}) == [Launch(5, 3), Launch(6, 1)]
    assert boot.add([7]) == [Launch(7, 1)]
    assert boot.shares == 2


def test_only_a_host_that_failed_here_is_taken_once_more() -> None:
    boot = below_root(retries=0)
    boot.add([1, 2])
    boot.launch_failed(1, causes.REFUSED)
    assert boot.add([1, 2], {1: 4, 2: 4}) == [Launch(1, 5)]
    assert boot.attempts == {1: 5, 2: 1}


# Where each host is when the end comes, and what is told of it.
ENDS: list[tuple[int, list[str]]] = [
    (ledger.UP, []),
    (ledger.PENDING, ["Fail"]),
    (ledger.URGENT, ["Fail"]),
    (ledger.PAUSED, ["Fail"]),
    (ledger.LAUNCHING, ["Kill", "Fail"]),
    (ledger.FAILED, []),
    (ledger.ORPHANED, ["Fail"]),
    (0, []),  # in the care of 0, which may still say that it came up
    (0, []),  # up below 0
]


def everywhere() -> BootState:
    """A boot with a host in each place, as ENDS has them."""
    boot = BootState(Policy(TREE, 1), retries=9)
    for rank, (place, _) in enumerate(ENDS):
        boot.attempts[rank] = 1
        boot.put(rank, place)
    boot.children.welcome(0)
    boot.children.hand(0, [7], boot)
    boot.children[0].below.add(8)
    return boot


def test_the_end_fails_whatever_is_not_up() -> None:
    boot = everywhere()
    orders = boot.stop(causes.DEADLINE)
    assert [(order.rank, type(order).__name__) for order in orders] == [  # type: ignore[attr-defined]
        (rank, kind) for rank, (_, told) in enumerate(ENDS) for kind in told
    ]
    assert all(order == Fail(order.rank, causes.DEADLINE) for order in orders if isinstance(order, Fail))
    assert boot.stopped == causes.DEADLINE
    assert [boot.place[rank] for rank in range(9)] == [ledger.UP, *[ledger.FAILED] * 6, 0, 0]
    assert boot.believes(0, 7)
    assert boot.stop(causes.DEADLINE) == []


def test_after_the_end_nothing_begins_and_nobody_is_let_in() -> None:
    boot = everywhere()
    boot.stop(causes.DEADLINE)
    assert boot.launch_failed(4, causes.AUTH) == []
    assert boot.resume([3, 6]) == []
    assert boot.connected(1) == [Dismiss(1)]
    assert boot.adopt(1, [], []) == [Dismiss(1)]
    assert boot.add([9, 10]) == [Fail(9, causes.DEADLINE), Fail(10, causes.DEADLINE)]
    assert boot.reclaim(3) == [Return([], tried=False, disabled=False)]
    assert boot.child_returned(0, {7: 2}, tried=True, disabled=False) == [Fail(7, causes.DEADLINE)]
    assert boot.child_lost(0) == [Fail(0, causes.DEADLINE), Fail(8, causes.DEADLINE)]
    assert boot.finished


def test_what_waits_is_given_back_the_last_first() -> None:
    boot = below_root(children=2)
    boot.add(range(6))
    assert boot.reclaim(0) == [Return([], tried=False, disabled=False)]
    assert boot.reclaim(2) == [Return([5, 4], tried=False, disabled=False)]
    assert {*boot.place} == {0, 1, 2, 3}
    assert boot.counts[ledger.PENDING] == 2
    assert boot.reclaim(9) == [Return([3, 2], tried=False, disabled=False)]
    boot.connected(0)
    boot.connected(1)
    boot.child_done(0, 1)
    assert boot.child_done(1, 1) == [Done(1)], "what was given back is nothing of this node's any more"


def test_after_the_end_nothing_is_given_back() -> None:
    boot = below_root()
    boot.add([1])
    boot.put(2, ledger.PENDING)
    boot.stopped = causes.DEADLINE
    assert boot.reclaim(1) == [Return([], tried=False, disabled=False), Fail(2, causes.DEADLINE)]


# -- launches --------------------------------------------------------------------------------------


def test_an_adaptive_node_widens_as_its_machine_keeps_up_and_is_narrower_by_each_that_ended() -> None:
    boot = adaptive(20)
    assert boot.counts[ledger.LAUNCHING] == 8
    assert launches(boot.widen(10)) == [8, 9]
    assert launches(boot.widen(5)) == []
    boot.narrow(1.0)
    assert boot.policy.width == 9
    assert launches(boot.widen(1000)) == list(range(10, 20))
    assert boot.policy.width == 160


def test_with_many_hosts_it_widens_to_less() -> None:
    boot = adaptive(161)
    assert len(launches(boot.widen(1000))) == 92
    assert boot.policy.width == 100


def test_a_tree_has_no_width() -> None:
    boot = BootState(Policy(TREE, 2))
    boot.add(range(5))
    assert boot.widen(4) == []
    assert boot.policy.width == 0


def test_a_machine_at_its_limit_counts_no_attempt_and_is_narrower() -> None:
    boot = adaptive(9)
    assert boot.not_launched(7) == []
    assert (boot.attempts[7], boot.place[7], boot.policy.width) == (0, ledger.PENDING, 7)
    assert boot.not_launched(7) == []
    assert boot.policy.width == 7
    for rank in range(7):
        boot.not_launched(rank)
    assert boot.policy.width == 1, "one is always tried"


def test_what_a_machine_at_its_limit_can_never_launch_is_given_back() -> None:
    boot = BootState(Policy(TREE, 3), is_root=False)
    boot.add(range(3))
    for rank in (0, 1):
        boot.launch_failed(rank, causes.AUTH)
    assert boot.not_launched(2) == [Return([2], False, True), Done(1)]
    assert boot.place == {}


def test_what_a_child_tried_in_vain_and_could_not_be_launched_stays_here() -> None:
    boot = BootState(Policy(TREE, 1))
    boot.add([0, 1])
    boot.connected(0)
    boot.child_returned(0, {1: 1}, tried=True, disabled=False)
    assert boot.late == boot.own_launches == {1}
    boot.not_launched(1)
    assert boot.place[1] == ledger.URGENT


@pytest.mark.parametrize("is_root", [False, True])
def test_what_there_was_no_room_for_waits_until_there_is(is_root: bool) -> None:
    boot = BootState(Policy(TREE, 2), is_root=is_root)
    assert launches(boot.add([5])) == [5]
    assert boot.not_launched(5) == [], "not at once: there is no room"
    assert boot.place[5] == ledger.PENDING
    assert launches(boot.widen(1)) == [5]


@pytest.mark.parametrize("is_root", [False, True])
def test_who_has_nothing_but_late_launches_leaves_the_rest_to_others(is_root: bool) -> None:
    """…but not the root: there is nobody else."""
    boot = BootState(Policy(TREE, 2), is_root=is_root)
    assert launches(boot.add(range(10, 17))) == [10, 11]
    assert launches(boot.is_late(10)) == [12]
    orders = boot.is_late(11)
    assert orders == ([Launch(13, 1)] if is_root else [Return([13, 14, 15, 16], False, True)])
    assert boot.finished is False


def test_who_has_launched_one_keeps_the_rest() -> None:
    boot = BootState(Policy(TREE, 2), is_root=False)
    boot.add(range(10, 17))
    boot.connected(10)
    for rank in range(11, 16):
        boot.is_late(rank)
    assert boot.can_launch


def test_of_a_host_that_is_not_launching_no_launch_is_late() -> None:
    boot = adaptive(9)
    assert boot.is_late(8) == []
    assert boot.is_late(99) == []
    assert launches(boot.is_late(0)) == [8]
    assert boot.late == {0}


def test_a_node_that_has_launched_once_is_not_disabled_by_its_own_faults() -> None:
    boot = below_root(children=3)
    boot.add(range(3))
    boot.connected(0)
    for rank in (1, 2):
        assert boot.launch_failed(rank, causes.HOST_KEY)[0] == Return([rank], tried=True, disabled=False)
    assert boot.can_launch
    assert boot.resume([77]) == [], "nobody knows it"


def test_where_nobody_else_is_asked_to_launch_a_node_goes_on_itself() -> None:
    boot = adaptive(30)
    boot.policy.fanout = 2
    for rank in (0, 1):
        boot.connected(rank)
    boot.policy.shares = False
    assert launches(boot.widen(10)) == [19, 20, 21, 22]
