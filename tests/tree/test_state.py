"""BootState, one node: what follows from each event, step by step. Whole trees are in test_interleavings.py."""

from __future__ import annotations

import pytest

from mpboot.tree import causes, ledger
from mpboot.tree.orders import Dismiss, Done, Fail, Launch, Order, Pause, Return, Share
from mpboot.tree.policy import ADAPTIVE, FLAT, LINEAR, OWN, TREE, Policy
from mpboot.tree.retries import pause_before
from mpboot.tree.state import BootState


def below_root(shares: int = 0, retries: int = 1, children: int = 2) -> BootState:
    return BootState(Policy(TREE, children), retries, is_root=False, shares=shares)


def adaptive(hosts: int, pace: float = 1.0) -> BootState:
    """The root of an adaptive tree; it has begun its first 8 launches."""
    boot = BootState(Policy(ADAPTIVE))
    boot.policy.pace = pace
    boot.add(range(hosts))
    return boot


def kinds(orders: list[Order]) -> list[str]:
    return [type(order).__name__ for order in orders]


def launches(orders: list[Order]) -> list[int]:
    assert set(kinds(orders)) <= {"Launch"}
    return [order.rank for order in orders if isinstance(order, Launch)]


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


@pytest.mark.parametrize("cause", [causes.REFUSED, causes.CONNECT_TIMEOUT, causes.AUTH, causes.SHELL_HANG])
def test_what_a_node_launches_in_vain_is_for_its_ancestors(cause: str) -> None:
    """Whatever the cause: it may be that only others reach the host."""
    boot = below_root(children=3)
    boot.add(range(6))
    boot.connected(0)
    assert boot.launch_failed(1, cause)[0] == Return([1], tried=True, disabled=False)
    assert 1 not in boot.place


def test_a_node_that_can_launch_nothing_gives_all_back() -> None:
    boot = below_root(children=3)
    boot.add(range(6))
    boot.launch_failed(0, causes.REFUSED, busy=True)  # is paused; 3 takes its place
    assert boot.launch_failed(1, causes.AUTH)[0] == Return([1], tried=True, disabled=False)
    orders = boot.launch_failed(2, causes.AUTH)
    assert orders == [Return([2], tried=True, disabled=True), Return([5], tried=False, disabled=True)]
    assert boot.resume([0]) == [Return([0], tried=False, disabled=True)]
    boot.connected(3)
    assert boot.launch_failed(4, causes.AUTH) == [Return([4], tried=True, disabled=True)]
    assert boot.child_done(3, 1) == [Done(1)]
    assert boot.add([9]) == [Return([9], tried=False, disabled=True), Done(2)]


def test_a_few_failures_among_many_launches_disable_nobody() -> None:
    """Who is refused is known at once, and who comes up only later."""
    boot = BootState(Policy(TREE, 20), is_root=False)
    boot.add(range(20))
    for rank in range(9):
        boot.launch_failed(rank, causes.REFUSED)
        assert boot.can_launch
    boot.launch_failed(9, causes.REFUSED)
    assert not boot.can_launch


def test_the_last_attempt_is_the_roots() -> None:
    """A node between the two does not use it up."""
    boot = BootState(Policy(TREE, 1), retries=2, is_root=False)
    boot.add([0, 1, 2])
    boot.connected(0)
    assert boot.child_returned(0, {1: 1}, tried=True, disabled=False) == [Launch(1, 2)]
    assert boot.launch_failed(1, causes.REFUSED)[0] == Return([1], tried=True, disabled=False)
    assert boot.child_returned(0, {2: 2}, tried=True, disabled=False)[0] == Return([2], tried=True, disabled=False)


def test_what_is_waited_for_is_tried_here_and_by_ancestors_in_turn() -> None:
    boot = below_root()
    for attempts in range(8):
        boot.add([7], {7: attempts})
        orders = boot.launch_failed(7, causes.RESOLVE, waits=True)
        assert kinds(orders)[0] == ("Return" if attempts in (0, 4) else "Pause")
        if kinds(orders)[0] == "Pause":
            boot.put(7, ledger.FAILED)
    assert boot.can_launch, "it is no fault of the machine's"


def test_what_the_root_has_waited_for_may_be_launched_by_anybody() -> None:
    boot = BootState(Policy(TREE, 2), retries=0)
    boot.add([0, 1])
    boot.connected(0)
    boot.child_returned(0, {1: 1}, tried=True, disabled=False)
    assert kinds(boot.launch_failed(1, causes.RESOLVE, waits=True)) == ["Pause"]
    boot.resume([1])
    assert boot.place[1] in (ledger.PENDING, ledger.LAUNCHING, 0)
    assert 1 not in boot.own_launches


def test_the_root_tries_itself_what_a_child_tried_in_vain() -> None:
    boot = BootState(Policy(TREE, 1))
    boot.add([0, 1])
    boot.connected(0)
    assert boot.child_returned(0, {1: 1}, tried=True, disabled=False) == [Launch(1, 2)]
    assert boot.launch_failed(1, causes.AUTH)[0] == Fail(1, causes.AUTH)
    assert boot.child_done(0, 1) == [Done(1)]


def test_what_children_tried_in_vain_does_not_start_all_at_once() -> None:
    boot = BootState(Policy(TREE, 1))
    boot.add(range(OWN + 10))
    boot.connected(0)
    orders = boot.child_returned(0, dict.fromkeys(range(1, OWN + 10), 1), tried=True, disabled=True)
    assert kinds(orders) == ["Launch"] * OWN
    assert kinds(boot.launch_failed(1, causes.AUTH)) == ["Fail", "Launch"]


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
    boot.narrow()
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


# -- retries ---------------------------------------------------------------------------------------


def failed_after(attempts: int, cause: str, retries: int = 2, busy: bool = False) -> list[Order]:
    """What follows where a launch fails that was the host's so-manieth."""
    boot = BootState(Policy(FLAT), retries)
    boot.add([7], {7: attempts - 1})
    orders = boot.launch_failed(7, cause, busy)
    assert boot.place[7] == (ledger.PAUSED if kinds(orders) == ["Pause"] else ledger.FAILED)
    return orders


@pytest.mark.parametrize("cause", [causes.REFUSED, causes.AUTH, causes.LOST])
def test_a_launch_is_tried_again_as_often_as_that_and_then_the_host_has_failed(cause: str) -> None:
    for attempts in (1, 2):
        assert failed_after(attempts, cause) == [Pause([7], pause_before(7, attempts))]
    assert failed_after(3, cause) == [Fail(7, cause), Done(1)]
    assert failed_after(1, cause, retries=0) == [Fail(7, cause), Done(1)]


def test_again_means_again() -> None:
    assert failed_after(3, causes.REFUSED, busy=True) == [Pause([7], pause_before(7, 3))]
    boot = below_root(retries=0)
    boot.add([7])
    assert kinds(boot.launch_failed(7, causes.AUTH, busy=True)) == ["Pause"], "nor is it given back"


def test_what_was_up_and_is_lost_is_booted_again_while_the_tree_is_not_done() -> None:
    boot = BootState(Policy(FLAT), retries=9)
    boot.add([0, 1])
    boot.connected(0)
    assert boot.child_lost(0) == [Pause([0], pause_before(0, 1))]
    assert boot.resume([0]) == [Launch(0, 2)]
    for rank in (0, 1):
        boot.connected(rank)
    assert boot.child_done(0, 1) == []
    assert boot.child_done(1, 1) == [Done(1)]
    assert boot.child_lost(0) == [Fail(0, causes.LOST)]
    boot.add([2])
    assert kinds(boot.child_lost(1)) == ["Pause"], "now it is not done any more"


def test_where_a_command_has_begun_what_was_up_is_not_booted_again() -> None:
    boot = BootState(Policy(FLAT), retries=9, relaunch=False)
    boot.add([0, 1])
    boot.connected(0)
    assert boot.child_lost(0) == [Fail(0, causes.LOST)]
    assert kinds(boot.launch_failed(1, causes.LOST)) == ["Pause"], "it was never up"


def test_retries_of_what_a_child_tried_in_vain_stay_here() -> None:
    boot = BootState(Policy(TREE, 1), retries=3)
    boot.add([0, 1])
    boot.connected(0)
    boot.child_returned(0, {1: 1}, tried=True, disabled=False)
    assert kinds(boot.launch_failed(1, causes.AUTH)) == ["Pause"]
    assert boot.resume([1]) == [Launch(1, 3)]
