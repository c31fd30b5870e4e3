"""BootState, one node: launches that fail, who tries next, and when a host has failed."""

from __future__ import annotations

import pytest

from mpboot.tree import causes, ledger
from mpboot.tree.orders import Done, Fail, Launch, Order, Pause, Return
from mpboot.tree.policy import FLAT, OWN, TREE, Policy
from mpboot.tree.retries import pause_before
from mpboot.tree.state import BootState
from tests.tree.one_state import below_root, kinds


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


@pytest.mark.parametrize("waits", [False, True])
def test_what_is_a_nodes_own_fault_is_so_with_the_first_launch(waits: bool) -> None:
    """Whichever host it meant, also where the boot waits for what passes."""
    boot = below_root(children=2)
    boot.add(range(6))
    orders = boot.launch_failed(0, causes.RESOLVE, waits=waits, own=True)
    assert orders == [Return([0], tried=True, disabled=True), Return([2, 3, 4, 5], tried=False, disabled=True)]
    boot = below_root(children=2)
    boot.add(range(4))
    boot.connected(1)
    assert boot.launch_failed(0, causes.RESOLVE, own=True)[0] == Return([0], tried=True, disabled=False)


def test_what_is_waited_for_and_the_nodes_own_fault_is_for_its_ancestors() -> None:
    boot = below_root()
    boot.add([7], {7: 1})
    assert boot.launch_failed(7, causes.RESOLVE, waits=True, own=True)[0] == Return([7], tried=True, disabled=True)


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
    assert 1 not in boot.own_launches | boot.own


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
