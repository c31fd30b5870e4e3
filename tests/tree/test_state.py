"""BootState, one node: what follows from each event, step by step. Whole trees are in test_interleavings.py."""

from __future__ import annotations

from mpboot.tree import causes, ledger
from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Return, Share
from mpboot.tree.policy import FLAT, LINEAR, OVERFLOW, RING, TREE, Policy
from mpboot.tree.state import BootState


def test_linear_launches_one_at_a_time() -> None:
    boot = BootState(Policy(LINEAR))
    orders = boot.add(range(3))
    for rank in range(3):
        assert [order for order in orders if isinstance(order, Launch)] == [Launch(rank, 1)]
        orders = boot.connected(rank)
    assert not boot.counts[ledger.PENDING]


# -- one node, step by step ------------------------------------------------------------------------


def below_root(shares: int = 0, retries: int = 1, children: int = 2) -> BootState:
    return BootState(Policy(TREE, children), retries, is_root=False, shares=shares)


def kinds(orders: list[Order]) -> list[str]:
    return [type(order).__name__ for order in orders]


def test_a_leaf_that_becomes_a_parent_goes_on_counting_its_shares() -> None:
    boot = below_root(shares=1)
    boot.add([7])
    orders = boot.connected(7)
    assert orders == [Share(7, [])]
    assert boot.child_done(7, 1) == [Done(2)]


def test_done_of_an_earlier_share_is_not_believed() -> None:
    boot = BootState(Policy(TREE, 1))
    boot.add([0, 1])
    boot.connected(0)  # and is handed 1
    boot.child_returned(0, {1: 1}, tried=False, disabled=False)  # and is handed 1 again
    assert boot.child_done(0, 1) == []
    assert not boot.finished
    boot.child_up(0, 1)
    assert boot.child_done(0, 2) == [Done(1)]


def test_a_node_that_can_launch_nothing_gives_all_back() -> None:
    boot = below_root(children=3)
    boot.add(range(6))
    boot.launch_failed(0, causes.REFUSED)  # is paused; 3 takes its place
    assert boot.launch_failed(1, causes.AUTH)[0] == Return([1], tried=True, disabled=False)
    orders = boot.launch_failed(2, causes.AUTH)
    assert orders == [Return([2], tried=True, disabled=True), Return([5], tried=False, disabled=True)]
    assert boot.resume([0]) == [Return([0], tried=False, disabled=True)]
    boot.connected(3)
    assert boot.launch_failed(4, causes.AUTH) == [Return([4], tried=True, disabled=True)]
    assert boot.child_done(3, 1) == [Done(1)]
    assert boot.add([9]) == [Return([9], tried=False, disabled=True), Done(2)]


def test_the_root_tries_itself_what_a_child_tried_in_vain() -> None:
    boot = BootState(Policy(TREE, 1))
    boot.add([0, 1])
    boot.connected(0)
    assert boot.child_returned(0, {1: 1}, tried=True, disabled=False) == [Launch(1, 2)]
    assert boot.launch_failed(1, causes.AUTH)[0] == Fail(1, causes.AUTH)
    assert boot.child_done(0, 1) == [Done(1)]


def test_retries_of_what_a_child_tried_in_vain_stay_here() -> None:
    boot = BootState(Policy(TREE, 1), retries=3)
    boot.add([0, 1])
    boot.connected(0)
    boot.child_returned(0, {1: 1}, tried=True, disabled=False)
    assert kinds(boot.launch_failed(1, causes.AUTH)) == ["Pause"]
    assert boot.resume([1]) == [Launch(1, 3)]


def test_what_children_tried_in_vain_does_not_start_all_at_once() -> None:
    boot = BootState(Policy(TREE, 1))
    boot.add(range(101))
    boot.connected(0)
    orders = boot.child_returned(0, dict.fromkeys(range(1, 101), 1), tried=True, disabled=True)
    assert kinds(orders) == ["Launch"] * OVERFLOW
    assert kinds(boot.launch_failed(1, causes.AUTH)) == ["Fail", "Launch"]


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


def test_a_late_launch_holds_nothing_back() -> None:
    boot = BootState(Policy(TREE, 2))
    boot.add(range(8))
    boot.connected(0)
    kept = boot.counts[ledger.PENDING]
    assert kept
    orders = boot.is_late(1)
    assert boot.is_late(1) == []
    assert Launch(2 + len(boot.children[0].left), 1) in orders or kinds(orders) == ["Share"]


def test_numbers_of_shares_begin_anew_with_a_new_parent() -> None:
    boot = below_root()
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
    assert boot.children[2].left == {3}


def test_an_orphan_that_comes_first_is_believed_of_its_parent() -> None:
    boot = BootState(Policy(RING))
    boot.add(range(3))
    boot.connected(0)
    boot.child_up(0, 1)
    assert kinds(boot.adopt(1, [], [2], lost=[0])) == ["Share"]
    assert kinds(boot.child_lost(0)) == ["Pause"]
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


def test_hello_said_twice_and_of_unknown_hosts_changes_nothing() -> None:
    boot = BootState(Policy(FLAT))
    boot.add([0])
    boot.connected(0)
    assert boot.connected(0) == [Dismiss(0)]
    assert boot.connected(5) == [Dismiss(5)]
    assert not boot.believes(5, 0, failed=True)
    assert boot.child_up(5, 0) == boot.child_failed(5, 0) == boot.child_done(5, 1) == boot.child_lost(5) == []
    assert boot.launch_failed(0, causes.LOST) == []


def test_orders_are_compared_by_what_they_say() -> None:
    assert Launch(1, 1) == Launch(1, 1) != Launch(1, 2)
    assert repr(Share(1, [2])) == "Share(child=1, ranks=[2])"
