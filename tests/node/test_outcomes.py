"""What comes of a node's launches: told to the state, with what a machine and a boot allow."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from time import monotonic
from typing import Any, Callable

import pytest

from mpboot.net import wire
from mpboot.net.work import Verdict
from mpboot.node import memory
from mpboot.node import outcomes as module
from mpboot.node.outcomes import KNOWN, LEAST_PACE, Outcomes
from mpboot.node.verdicts import Verdicts
from mpboot.tree import ledger, retries
from mpboot.tree.orders import Fail, Launch, Order, Pause, Return
from mpboot.tree.policy import ADAPTIVE, WIDEST, Policy
from mpboot.tree.state import BootState
from tests.node import conftest
from tests.node.played import Rounds, settings

BUSY = Verdict("rsh-failed", "connect", "closed", [], "Connection closed by 10.0.0.1 port 22")


class Node:
    """Outcomes, and what they are told to."""

    def __init__(self, up: conftest.Up, hosts: int = 3, topology: str = "flat", children: int = 0, **boot: Any) -> None:
        given = settings(topology=topology, children=children, **boot)
        self.up = up
        self.done: list[Order] = []
        self.missing: list[bool] = []
        self.calling = False  # is somebody at the door?
        self.waiting: list[Callable[[], None]] = []
        self.children: dict[int, object] = {}
        self.verdicts = Verdicts(5)
        self.state = BootState(Policy(topology, children), given.retries, is_root=boot.get("command", True))
        self.ordered = self.state.add(range(hosts))
        self.start = monotonic() - 100.0
        self.outcomes = Outcomes(
            self.state, given, self.start, up.uplink, self.verdicts, self.children, self._do,
            lambda: self.missing.append(True), self._waits,
        )  # fmt: skip

    def _do(self, orders: Iterable[Order]) -> None:
        self.done += orders

    def _waits(self, _: int, call: Callable[[], None]) -> bool:
        self.waiting.append(call)
        return self.calling


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "PAUSE", 0.0)


@pytest.fixture
def node(up: conftest.Up) -> Node:
    return Node(up)


def verdict(cause: str = "refused", stderr: str = "") -> Verdict:
    return Verdict(cause, "connect", "detail", [], stderr)


def test_a_launch_that_failed(node: Node) -> None:
    node.outcomes.launch_failed(1, verdict())
    assert node.done == [Fail(1, "refused")]
    assert node.verdicts.failed(Fail(1, "refused"), 1).detail == "detail"


def test_one_that_may_be_tried_again(up: conftest.Up) -> None:
    node = Node(up, retries=1)
    node.outcomes.launch_failed(1, verdict())
    assert [type(order) for order in node.done] == [Pause]
    assert node.state.place[1] == ledger.PAUSED


def test_an_agent_that_said_nothing_yet_is_waited_for_while_it_may_be_at_the_door(node: Node) -> None:
    node.state.put(1, ledger.LAUNCHING)
    node.calling = True
    node.outcomes.launch_failed(1, verdict("lost"))
    node.waiting.pop()()
    assert (node.done, len(node.waiting)) == ([], 1)
    node.calling = False
    node.waiting.pop()()
    assert node.done == [Fail(1, "lost")]


def test_an_agent_that_came_in_meanwhile_is_not_called_lost(node: Node) -> None:
    node.calling = True
    for rank in (1, 2):
        node.state.put(rank, ledger.LAUNCHING)
        node.outcomes.launch_failed(rank, verdict("lost"))
    node.state.put(1, ledger.UP)
    node.state.attempts[2] += 1  # another launch is under way by now
    node.calling = False
    for call in node.waiting[:]:
        call()
    assert node.done == []


def test_a_host_that_is_too_busy_gets_four_tries_more(node: Node) -> None:
    for attempt in range(1, 6):
        node.state.put(1, ledger.LAUNCHING)
        node.state.attempts[1] = attempt
        node.outcomes.launch_failed(1, BUSY)
    assert [type(order) for order in node.done] == [Pause] * 4 + [Fail]


def test_where_no_module_can_be_loaded_a_host_is_not_called_busy(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where no descriptor is left."""
    monkeypatch.setitem(sys.modules, "mpboot.workers.diagnosis", None)
    node.outcomes.launch_failed(1, BUSY)
    assert node.done == [Fail(1, BUSY.cause)]


@pytest.mark.parametrize(("cause", "passed", "again"), [
    ("refused", 100.0, True), ("refused", 300.0, False), ("auth", 100.0, True), ("password-prompt", 100.0, False),
])  # fmt: skip
def test_a_host_that_is_starting_is_tried_as_long_as_the_boot_waits_for_it(
    up: conftest.Up, cause: str, passed: float, again: bool
) -> None:
    node = Node(up, wait_for=200.0)
    node.outcomes._start = monotonic() - passed
    node.state.attempts[1] = 50
    node.outcomes.launch_failed(1, verdict(cause))
    assert [type(order) for order in node.done] == [Pause if again else Fail]


def test_where_the_fault_may_be_this_machines_an_ancestor_must_try(up: conftest.Up) -> None:
    node = Node(up, command=False)
    node.outcomes.launch_failed(1, verdict("auth"))
    (order,) = node.done
    assert isinstance(order, Return)
    assert (order.ranks, order.tried) == ([1], True)


def test_where_no_name_server_answers_this_machine_launches_no_more(up: conftest.Up) -> None:
    node = Node(up, command=False, children=1, topology="tree", wait_for=1000.0)
    node.outcomes.launch_failed(
        0, Verdict("resolve", "connect", "no answer from the name server 10.0.0.1:53 for 5 s", [], "")
    )
    assert node.done[:2] == [Return([0], tried=True, disabled=True), Return([1, 2], tried=False, disabled=True)]


def test_one_that_is_late_and_one_for_which_there_is_no_room(up: conftest.Up) -> None:
    node = Node(up, topology="ring")
    assert node.ordered == [Launch(0, 1)]
    node.outcomes.launch_late(0)
    assert node.state.late == {0}
    node.outcomes.no_room(0)
    assert node.state.place[0] == ledger.PENDING
    assert node.state.attempts[0] == 0
    node.outcomes.room_again()
    assert Launch(0, 1) not in node.done  # it waits behind those that waited before
    assert [type(order) for order in node.done] == [Launch]


def test_there_is_room_for_workers_beside_the_children(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def room(workers: int) -> int:
        asked.append(workers)
        return 2

    monkeypatch.setattr(module, "room_for_children", room)
    assert node.outcomes.has_room(7)
    node.children.update({1: None, 2: None})
    assert not node.outcomes.has_room(8)
    assert asked == [7, 8]


@pytest.fixture
def wide(up: conftest.Up) -> Node:
    """An adaptive node with more hosts than it launches at once."""
    return Node(up, 50, ADAPTIVE)


def test_a_node_that_keeps_up_widens(wide: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "room_for_children", lambda workers: 1000 - workers)
    assert wide.state.counts[ledger.LAUNCHING] == 8
    assert wide.outcomes.wants_more()
    wide.outcomes.keeps_up(4, 8, monotonic() - 0.8)
    assert wide.done == [Launch(rank, 1) for rank in range(8, 12)]
    assert wide.state.policy.fanout == 1000 - 8
    assert wide.state.policy.pace == pytest.approx(0.1, rel=0.2)


def test_no_pace_is_believed_that_is_too_fast(wide: Node) -> None:
    before = wide.state.policy.pace
    wide.outcomes.keeps_up(1, 0, 0.0)
    assert wide.state.policy.pace == before
    wide.outcomes.keeps_up(1, 8, monotonic())
    assert wide.state.policy.pace == LEAST_PACE == 0.002


def test_it_widens_to_what_its_memory_bears(up: conftest.Up, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []

    def of_launches(pids: Iterable[int]) -> tuple[int, int]:
        asked.append(list(pids))
        return 400 << 20, 5 << 20

    monkeypatch.setattr(memory, "of_launches", of_launches)
    node = Node(up, 1000, ADAPTIVE)
    for pid in range(1000, 1000 + 2 * KNOWN):
        node.outcomes.started("h1", pid)
    node.outcomes.keeps_up(7, 8, monotonic())
    assert not asked, "who launches few need not know"
    for _ in range(8):
        node.outcomes.keeps_up(8, 8, monotonic())
    # At 23 launches under way: a quarter of what is left and of what they hold.
    assert node.state.policy.bearable == (400 + 23 * 5) // 20 == 25
    assert node.state.counts[ledger.LAUNCHING] == 25
    assert asked == [list(range(1000, 1000 + KNOWN))]


@pytest.mark.parametrize("seen", [(0, 5 << 20), (400 << 20, 0), None])
def test_where_memory_can_not_be_told_it_is_as_wide_as_most(
    up: conftest.Up, monkeypatch: pytest.MonkeyPatch, seen: tuple[int, int] | None
) -> None:
    if seen is None:  # as where no descriptor is left to load it
        monkeypatch.setitem(sys.modules, "mpboot.node.memory", None)
    else:
        monkeypatch.setattr(memory, "of_launches", lambda _: seen)
    node = Node(up, 1000, ADAPTIVE)
    for _ in range(20):
        node.outcomes.keeps_up(8, 8, monotonic())
    assert node.state.policy.bearable == 0
    assert node.state.counts[ledger.LAUNCHING] == WIDEST


def test_the_time_is_told_with_the_pace(wide: Node) -> None:
    assert (wide.state.policy.now, wide.state.policy.measured) == (0.0, 0.0)
    begin = monotonic()
    wide.outcomes.keeps_up(4, 8, begin - 0.8)
    assert begin <= wide.state.policy.now <= monotonic()
    assert wide.state.policy.measured == wide.state.policy.pace >= 0.1


def test_a_width_that_was_asked_for_stays(up: conftest.Up) -> None:
    node = Node(up, 50, ADAPTIVE, children=3)
    node.outcomes.keeps_up(4, 3, monotonic() - 1.0)
    assert node.done == []
    assert node.state.policy.width == 3


def test_who_has_nothing_more_wants_nothing(node: Node, up: conftest.Up) -> None:
    assert not node.outcomes.wants_more()
    few = Node(up, 3, ADAPTIVE)
    assert not few.outcomes.wants_more()
    few.outcomes.keeps_up(4, 3, monotonic())
    assert few.done == []


def test_without_psutil_that_is_told(node: Node) -> None:
    node.outcomes.no_psutil()
    assert node.missing == [True]


@pytest.mark.parametrize("verbose", [True, False])
def test_lines_for_who_wants_to_see_them(up: conftest.Up, loop: Rounds, verbose: bool) -> None:
    node = Node(up, verbose=verbose)
    node.outcomes.log(node.start + 7.25, "h1", "up")
    up.uplink.send(wire.PONG)
    loop.until(lambda: up.parent.heard)
    assert up.parent.bodies(wire.LOG) == ([b"   7.250 h1 up"] if verbose else [])
