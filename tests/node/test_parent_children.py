"""A parent and its children, which the test plays: what each is told, whom it believes, who is lost, and orphans."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from mpboot.net import wire
from mpboot.net.commands import PACES, Note
from mpboot.net.hello import Hello
from mpboot.net.jobs import Run
from mpboot.net.messages import Failed, HostBack, Launched, Returned, Share, UnderWay, Up
from mpboot.net.work import Verdict
from mpboot.node import door
from mpboot.tree import policy, retries, state
from tests.node.parents import Bundles, Node
from tests.node.played import SECRET, Ancestor, Far
from tests.node.played import child as keyed

Nodes = Callable[..., Node]
RING: dict[str, Any] = {"topology": "ring"}
RUN = Run(1, ["true"], [("MPBOOT_SIZE", "3")], True)
AGENT, PARENT = (wire.CODE, Bundles.bundles["agent"]), (wire.CODE, Bundles.bundles["parent"])


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the attempts, and for orphans to turn to us."""
    monkeypatch.setattr(retries, "PAUSE", 0.001)


def is_up(rank: int, parent: int = 1) -> bytes:
    return Up.pack_all([Up(rank, parent, 3, 0.1, 0.5, 100 + rank, 1, "3.8.1")])


def failed(rank: int, launcher: int = 1) -> Failed:
    return Failed(rank, "auth", "handshake", 2, launcher, "denied", "")


def shared(nodes: Nodes, is_root: bool = False, **boot: Any) -> tuple[Node, Far]:
    """A node that has handed 2 and 3 to its child keep1."""
    node = nodes(is_root=is_root)
    node.begin("keep1", "hang2", "hang3", **RING, **boot)
    child = node.child("keep1")
    assert [host.rank for host in Share.unpack(node.heard(child)[-1][1]).hosts] == [2, 3]
    node.ups()
    node.above.heard.clear()
    child.heard.clear()
    return node, child


# -- what a child is told --------------------------------------------------------------------------


def test_a_child_without_hosts_is_a_leaf(nodes: Nodes) -> None:
    node = nodes()
    node.begin("keep1", "keep2", verbose=True)
    child = node.child("keep1")
    assert node.heard(child) == [(wire.SHARE, b"")]
    (up,) = node.ups()
    assert (up.rank, up.parent, up.level, up.pid, up.attempts, up.python) == (1, 5, 2, 101, 1, "3.8.1")
    assert 0 < up.launched < up.up
    assert any(line.endswith(b"keep1 up") for line in node.above.bodies(wire.LOG))


def test_a_child_with_hosts_gets_the_code_for_them(nodes: Nodes) -> None:
    node = nodes()
    node.begin("keep1", "hang2", "hang3", level=4, clock=50.0, **RING)
    child = node.child("keep1")
    agent, parent, (kind, body) = node.heard(child)
    assert (agent, parent, kind) == (AGENT, PARENT, wire.SHARE)
    share = Share.unpack(body)
    assert [(host.rank, host.name, host.attempts) for host in share.hosts] == [(2, "hang2", 0), (3, "hang3", 0)]
    assert share.level == 5
    assert 50.0 < share.clock < 90.0
    assert share.boot.topology == "ring"


@pytest.mark.parametrize("late", [True, False])
def test_the_command_is_passed_on_to_each(nodes: Nodes, late: bool) -> None:
    node = nodes()
    node.begin("keep1", "keep2")
    if not late:
        node.parent.dispatch.pass_on(RUN)
    child = node.child("keep1")
    node.heard(child)
    if late:
        node.parent.dispatch.pass_on(RUN)
    node.heard(child, wire.RUN)
    rest = [AGENT, (wire.RUN, RUN.pack())]
    assert child.heard == ([(wire.SHARE, b""), *rest] if late else [*rest, (wire.SHARE, b"")])


def test_the_whole_tree_is_booted(nodes: Nodes) -> None:
    node, child = shared(nodes)
    node.above.say(wire.GO)
    assert node.heard(child, wire.GO) == [(wire.GO, b"")]


def test_hosts_are_asked_back_of_a_child(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "WORTH", 0.0)  # it is worth it, however fast this machine is
    node = nodes()
    node.begin("keep1", *(f"hang{rank}" for rank in range(2, 62)), topology="adaptive", children=1)
    node.loop.until(lambda: node.launched() == 1)
    child = node.child("keep1")
    share = Share.unpack(node.heard(child)[-1][1])
    for rank in range(2, 62):
        if rank not in {host.rank for host in share.hosts}:
            node.parent._outcomes.launch_failed(rank, _refused())
    node.heard(child, wire.RECLAIM)
    (count,) = child.bodies(wire.RECLAIM)
    assert 0 < int(count) <= len(share.hosts)


def _refused() -> Verdict:
    return Verdict("refused", "connect", "refused", [], "")


# -- whom it takes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["keep1", "hang99", "hang2"])  # it is up, unknown, or in another's care
def test_who_comes_by_a_key_that_is_not_valid_is_a_stranger(nodes: Nodes, name: str) -> None:
    node, child = shared(nodes)
    other = node.child(name)
    node.loop.until(lambda: other.lost)
    node.loop.until(lambda: strangers(node))
    assert (other.heard, strangers(node)) == ([], 1)
    assert not child.lost
    assert node.above.bodies(wire.UP) == []


def test_who_has_no_place_is_sent_away(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent of another launch has come before it."""
    monkeypatch.setattr(door, "VISIT", 0.05)
    node = nodes(is_root=True)
    node.begin("keep1", retries=1, verbose=True)
    first = node.payload("keep1")[2]
    node.loop.until(lambda: started(node))
    Path(f"{node.rsh}.keep1").unlink()
    os.kill(started(node)[0], signal.SIGKILL)
    node.loop.until(lambda: node.launched() == 2)
    child = node.child("keep1", keyed(first[4], 1, [first[5][-1][1]]))
    assert node.heard(child) == [(wire.SHARE, b"")]
    other = node.child("keep1")
    assert node.heard(other, wire.STOP) == [(wire.STOP, b"")]
    node.loop.until(lambda: other.lost)
    assert not child.lost
    assert len(node.ups()) == 1
    assert strangers(node) == 0


def started(node: Node) -> list[int]:
    """The processes that carry its launches, by what it has told."""
    return [int(line.rpartition(b" ")[2]) for line in node.above.bodies(wire.LOG) if b" started, pid " in line]


def strangers(node: Node) -> int:
    return sum(Launched.unpack(body).strangers for body in node.above.bodies(wire.LAUNCHED))


def test_strangers_are_counted(nodes: Nodes) -> None:
    node = nodes()
    node.begin("keep1")
    port = node.payload("keep1")[1][0][0][0]
    socket.create_connection(("127.0.0.1", port)).close()
    node.loop.until(lambda: strangers(node))


# -- what a child says -----------------------------------------------------------------------------


def test_news_from_below_go_upward(nodes: Nodes) -> None:
    node, child = shared(nodes)
    child.say(wire.LAUNCHED, Launched(2, 0).pack())
    child.say(wire.UP, is_up(2))
    child.say(wire.FAILED, Failed.pack_all([failed(3)]))
    child.say(wire.NOTE, Note(1, "watch", "none").pack())
    child.say(wire.DONE, b"1")
    assert node.told(wire.DONE) == [b"1"]
    assert node.ups()[0].rank == 2
    assert node.failures() == [failed(3)]
    assert node.above.bodies(wire.NOTE) == [Note(1, "watch", "none").pack()]
    assert node.above.kinds[-1] == wire.DONE


def test_hosts_that_a_child_tried_in_vain_are_launched_here(nodes: Nodes) -> None:
    node, child = shared(nodes, is_root=True)
    before = node.launched()
    child.say(wire.RETURN, Returned([HostBack(2, 1, None)], True, True).pack())
    node.loop.until(lambda: node.launched() == before + 1)


@pytest.mark.parametrize("said", [(wire.UP, b"nonsense"), (wire.SHARE, b""), (99, b"")])
def test_a_child_that_makes_no_sense_is_lost(nodes: Nodes, said: tuple[int, bytes]) -> None:
    node, child = shared(nodes, is_root=True)
    child.say(*said)
    (lost, *_) = node.failures()
    assert (lost.rank, lost.cause, lost.phase, lost.launcher) == (1, "lost", "up", 5)
    assert lost.detail.startswith("the agent was up, then gone: sent nonsense (")
    assert 1 not in node.parent.children


def test_the_question_for_launches_is_passed_on_to_parents_below(nodes: Nodes) -> None:
    node, child = shared(nodes)
    node.above.say(wire.TELL)
    node.heard(child, wire.TELL)
    assert UnderWay.unpack(node.told(wire.TOLD)[0]) == UnderWay([], 2)


# -- who is lost -----------------------------------------------------------------------------------


def test_children_are_asked_whether_they_live(nodes: Nodes) -> None:
    node, child = shared(nodes, is_root=True)
    node.parent.beat(node.config.silence)
    assert node.heard(child, wire.PING) == [(wire.PING, b"")]
    child.say(wire.PONG)
    node.config.silence = -1.0
    node.parent.beat(node.config.silence)
    lost = node.failures()[0]
    assert lost.detail.startswith("the agent was up, then gone: silent for ")


def test_who_is_slow_is_named_and_gets_nothing_new_until_it_is_heard(nodes: Nodes) -> None:
    node, child = shared(nodes, is_root=True)
    link = node.parent.children[1].link
    link.heard -= 20.0
    node.parent.beat(10.0)
    node.parent.beat(10.0)  # it is told once
    known = node.parent._state.children
    slow = [known[1].slow, 1 in known.helpers]
    child.say(wire.PONG)
    node.loop.until(lambda: link.heard > monotonic() - 10.0)
    node.parent.beat(10.0)
    notes = [Note.unpack(body) for body in node.told(wire.NOTE, 2)]
    assert [(one.rank, one.what, one.text) for one in notes] == [(1, "slow", PACES[True]), (1, "slow", PACES[False])]
    assert slow == [True, False]
    assert [known[1].slow, 1 in known.helpers] == [False, True]
    assert node.above.bodies(wire.FAILED) == []


@pytest.mark.parametrize(("silent", "missed", "lost"), [(61.0, 0.0, True), (61.0, 30.0, False), (59.0, 0.0, False)])
def test_patience_has_an_end_and_what_we_missed_ourselves_does_not_count(
    nodes: Nodes, silent: float, missed: float, lost: bool
) -> None:
    node, _ = shared(nodes, is_root=True)
    node.parent.children[1].link.heard -= silent
    node.parent.beat(10.0, missed)
    assert (1 in node.parent.children) != lost


def test_while_all_ends_nobody_has_patience(nodes: Nodes) -> None:
    node, _ = shared(nodes, is_root=True)
    node.parent.stop(0)
    link = node.parent.children[1].link
    link.heard = node.parent._stopped = monotonic() - 3.0
    node.parent.beat(2.5)
    assert node.parent.children == {}
    assert node.gone == [True]


@pytest.mark.parametrize("command", [True, False])
def test_a_host_on_which_a_command_has_begun_is_not_launched_again(nodes: Nodes, command: bool) -> None:
    node, child = shared(nodes, is_root=True, command=command, retries=1)
    before = node.launched()
    child.close()
    if command:
        assert [(one.rank, one.cause) for one in node.failures()] == [(1, "lost")]
        assert node.launched() == before
    else:
        node.loop.until(lambda: node.launched() > before)
        assert node.above.bodies(wire.FAILED) == []


@pytest.mark.parametrize("silent", [True, False])
def test_those_below_a_lost_child_have_time_to_turn_to_us(
    nodes: Nodes, silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of it where the child fell silent; then they are launched again."""
    monkeypatch.setattr(state, "ORPHAN_GRACE", 1000.0 if silent else 0.05)
    monkeypatch.setattr(state, "SILENT_GRACE", 0.05 if silent else 1000.0)
    node, child = shared(nodes, is_root=True)
    before = node.launched()
    if silent:
        node.config.silence = -1.0
        node.parent.beat(node.config.silence)
    else:
        child.close()
    assert [one.rank for one in node.failures()] == [1]
    assert node.launched() == before
    node.loop.until(lambda: node.launched() > before)


def test_a_parent_without_its_own_brings_its_family(nodes: Nodes) -> None:
    with ThreadPoolExecutor(1) as threads:
        grandparent = Ancestor(threads)
        answer = grandparent.take_in()
        node = nodes(routes=((1, ("127.0.0.1",)), grandparent.route))
        node.begin("keep1", "hang2", "hang3", **RING)
        child = node.child("keep1")
        node.heard(child)
        child.say(wire.UP, is_up(2))
        child.say(wire.FAILED, Failed.pack_all([failed(3)]))
        node.ups(2)
        node.failures()
        node.above.close()
        node.loop.until(lambda: node.config.lost)
        end, session = answer.result()
        far = Far(node.loop, end, session=session)
        node.loop.until(lambda: wire.FAILED in far.kinds and wire.UP in far.kinds)
        said = Hello(far.bodies(wire.HELLO)[0])
        assert (said.lost, sorted(said.below), said.left, said.failed) == ([(4, 44)], [1, 2], [], [3])
        assert [(list(numbers), sorted(whose)) for numbers, whose in said.ways] == [([1, 1], [1, 2, 3])]
        assert said.proof == wire.mac(SECRET, SECRET, SECRET, SECRET)  # its own key, then those of its hosts
        assert sorted(row[0] for row in json.loads(far.bodies(wire.UP)[0])) == [1, 2]
        assert Failed.unpack_all(far.bodies(wire.FAILED)[0]) == [failed(3)]
        far.close()
        grandparent.gone()


# -- its end ---------------------------------------------------------------------------------------


def test_children_hear_of_the_end_first(nodes: Nodes) -> None:
    node, child = shared(nodes)
    node.parent.stop(9)
    assert node.heard(child, wire.PING)[-2:] == [(wire.STOP, b"9"), (wire.PING, b"")]
    child.close()
    node.loop.until(lambda: node.gone)
    assert node.gone == [True]
    assert node.parent.children == {}
    assert node.above.bodies(wire.FAILED) == []
