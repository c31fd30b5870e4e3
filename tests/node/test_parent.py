"""A parent at work: what comes of launches, and what its own parent says. Its children: test_parent_children."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic

import psutil
import pytest

from mpboot.net import commands, keys, messages, wire
from mpboot.node import lateness, outcomes, pace, parent
from mpboot.node.address import own_addresses
from mpboot.node.heartbeat import SILENT
from mpboot.node.outcomes import LEAST_PACE
from mpboot.tree import retries
from tests.node.parents import ABOVE, Node
from tests.node.played import SECRET, WAY, await_end, order, share

Nodes = Callable[..., Node]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the attempts."""
    monkeypatch.setattr(retries, "PAUSE", 0.001)


def returned(node: Node, count: int = 1) -> list[messages.Returned]:
    return [messages.Returned.unpack(body) for body in node.told(wire.RETURN, count)]


def test_the_numbers() -> None:
    assert (SILENT, LEAST_PACE) == ("silent", 0.002)


# -- launches --------------------------------------------------------------------------------------


def test_a_host_that_comes_up(nodes: Nodes) -> None:
    node = nodes(real=True)
    before = monotonic()
    node.begin("h8", level=2, clock=100.0)
    (up,) = node.ups()
    passed = monotonic() - before
    assert (up.rank, up.parent, up.level, up.attempts) == (8, 5, 3, 1)
    assert 100.0 - passed - 1 <= up.launched < up.up <= 100.0 + passed + 1
    assert up.launched == round(up.launched, 4)
    assert node.told(wire.DONE) == [b"1"]
    assert node.launched() == 1
    assert list(node.parent.children) == [8]
    node.stop()
    node.loop.until(lambda: node.gone)
    await_end(up.pid)


def test_the_root_tells_a_failure_after_its_attempts(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin("deny8", retries=1)
    (failed,) = node.failures()
    assert (failed.rank, failed.cause, failed.phase, failed.attempts) == (8, "auth", "handshake", 2)
    assert failed.launcher == 5
    assert failed.detail
    assert failed.stderr == "Permission denied (publickey).\n"
    assert node.told(wire.DONE) == [b"1"]
    assert node.launched() == 2


def test_who_can_not_launch_gives_its_hosts_back_and_says_why(nodes: Nodes) -> None:
    node = nodes()
    node.begin("deny8", "deny9", "h10", children=1, topology="ring")
    first, second, third = returned(node, 3)
    assert [host.rank for host in first.hosts + second.hosts] == [8, 9]
    assert (first.tried, first.disabled, second.tried, second.disabled) == (True, False, True, True)
    why = first.hosts[0].why
    assert why is not None
    assert (why.cause, why.phase, first.hosts[0].attempts) == ("auth", "handshake", 1)
    assert third == messages.Returned([messages.HostBack(10, 0, None)], False, True)
    (note,) = node.told(wire.NOTE)
    said = commands.Note.unpack(note)
    assert (said.rank, said.what) == (5, "leaf")
    assert said.text == f"auth: launching deny8,deny9: {why.detail}"
    assert node.told(wire.DONE) == [b"1"]
    kinds = [kind for kind in node.above.kinds if kind != wire.LAUNCHED]
    assert kinds == [wire.RETURN, wire.NOTE, wire.RETURN, wire.RETURN, wire.DONE]
    assert node.launched() == 2


def test_a_host_that_is_still_starting_is_tried_again(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin("refuse8", wait_for=3600.0)
    node.loop.until(lambda: node.launched() >= 4)
    assert node.above.bodies(wire.FAILED) == []


def test_a_host_that_was_to_be_there_by_now_has_failed(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin("refuse8", wait_for=3600.0, clock=3600.0)
    assert node.failures()[0].cause == "refused"
    assert node.launched() == 1


def test_a_host_that_is_busy_is_tried_a_few_times_more(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin("busy8", retries=1)
    (failed,) = node.failures()
    assert (failed.cause, failed.attempts) == ("rsh-failed", 6)


def test_what_a_child_is_told_at_its_launch(nodes: Nodes) -> None:
    node = nodes()
    node.begin("keep8", attach=True, transport="tcp", budget=2.5)
    kit, common, own = node.payload("keep8")
    routes, lineage, transport, attach, budget, patience, silence, trust_ssh, fd = common
    assert kit == node.config.kit[0]
    assert list(routes[0][1]) == own_addresses(node.parent._door.families, False)
    assert [(port, tuple(addresses)) for port, addresses in routes[1:]] == list(ABOVE)
    assert lineage == [[5, os.getpid()], [4, 44]]
    assert (transport, attach, budget, silence, trust_ssh, fd) == ("tcp", True, 2.5, 20.0, True, None)
    assert patience >= budget
    assert own[:3] == (1, 8, "keep8")
    assert own[4:] == (keys.of_launch(SECRET, 1), (*WAY, (5, 1)))


def test_above_the_root_there_is_no_way(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin("keep8")
    routes = node.payload("keep8")[1][0]
    assert len(routes) == 1


def test_no_more_than_so_many_at_once(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin(*(f"hang{rank}" for rank in range(6)), topology="adaptive", children=3)
    node.loop.until(lambda: node.launched() == 3)
    node.more()
    node.above.say(wire.TELL)
    told = [messages.UnderWay.unpack(body) for body in node.told(wire.TOLD, 2)]
    assert [one.rank for one in told[1].launches] == [0, 1, 2]


def test_an_adaptive_node_widens_as_it_keeps_up(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "runnable", lambda: 1)
    node = nodes(is_root=True)
    node.begin(*(f"hang{rank}" for rank in range(20)), topology="adaptive")
    node.loop.until(lambda: node.launched() == 20)


def test_an_adaptive_node_leaves_room_for_its_children(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (parent, outcomes):
        monkeypatch.setattr(module, "room_for_children", lambda _: 2)
    node = nodes(is_root=True)
    node.begin(*(f"hang{rank}" for rank in range(20)), topology="adaptive")
    node.loop.until(lambda: node.launched() == 2)
    node.loop.once()
    assert node.launched() == 2


def test_a_launch_that_is_late_keeps_nobody_waiting(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lateness, "LEAST", 0.01)
    node = nodes(is_root=True)
    node.begin("keep1", "hang2", "hang3", topology="tree", children=2)
    node.loop.until(lambda: node.launched() == 2)
    child = node.child("keep1")
    share = messages.Share.unpack(node.heard(child)[-1][1])
    assert [host.rank for host in share.hosts] == [3]


# -- what its parent says --------------------------------------------------------------------------


def test_more_hosts_and_no_more(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin("deny8")
    assert node.told(wire.DONE) == [b"1"]
    node.more()
    assert node.told(wire.DONE, 2)[1] == b"2"
    node.more("deny9")
    assert node.told(wire.DONE, 3)[2] == b"3"
    assert [one.rank for one in node.failures(2)] == [8, 9]
    assert node.above.kinds[-1] == wire.DONE  # after all that it counts


def test_hosts_that_were_tried_before(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin("hang1")
    node.above.say(wire.SHARE, share(order(8, "deny8", attempts=3), way=()).pack())
    assert node.failures()[0].attempts == 4


def test_its_parent_may_have_hosts_back(nodes: Nodes) -> None:
    node = nodes()
    node.begin("hang1", "hang2", "hang3", topology="adaptive", children=1)
    node.loop.until(lambda: node.launched() == 1)
    node.above.say(wire.RECLAIM, b"1")
    assert returned(node) == [messages.Returned([messages.HostBack(3, 0, None)], False, False)]
    node.above.say(wire.RECLAIM, b"5")
    assert returned(node, 2)[1].hosts == [messages.HostBack(2, 0, None)]


def test_which_launches_are_under_way(nodes: Nodes) -> None:
    node = nodes()
    node.begin("hang1")
    node.loop.until(lambda: node.launched() == 1)
    node.above.say(wire.TELL)
    first, second = (messages.UnderWay.unpack(body) for body in node.told(wire.TOLD, 2))
    assert first == messages.UnderWay([], 1)
    ((seen,), to_come) = second.launches, second.to_come
    assert (seen.rank, seen.launcher, seen.attempt, to_come) == (1, 5, 1, 0)


@pytest.mark.parametrize(("verbose", "told"), [(True, True), (False, False)])
def test_what_it_does_is_told_to_who_wants_to_see_it(nodes: Nodes, verbose: bool, told: bool) -> None:
    node = nodes(is_root=True)
    node.begin("deny8", verbose=verbose, clock=50.0)
    node.told(wire.DONE)
    lines = [line.decode() for line in node.above.bodies(wire.LOG)]
    assert bool(lines) == told
    if told:
        when, label, text = lines[0].split(maxsplit=2)
        assert 50.0 <= float(when) < 90.0
        assert (label, text) == ("deny8", "queued, attempt 1")
        assert lines[0] == f"{float(when):8.3f} deny8 queued, attempt 1"


def test_no_psutil_is_told_by_the_root(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin("hang8")
    node.parent._outcomes.no_psutil()
    note = commands.Note.unpack(node.told(wire.NOTE)[0])
    assert (note.rank, note.what) == (5, "watch")


def test_a_limit_of_this_machine_is_no_failure(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin("hang1", "hang2", topology="adaptive", children=2)
    node.loop.until(lambda: node.launched() == 2)
    node.parent._outcomes.no_room(2)
    node.parent._outcomes.room_again()
    node.loop.until(lambda: node.launched() >= 2)
    assert node.above.bodies(wire.FAILED) == []


def test_workers_have_room_beside_the_children(nodes: Nodes) -> None:
    node = nodes(is_root=True)
    node.begin("hang1")
    workers = (pace.descriptors() - pace.RESERVE) // pace.DESCRIPTORS
    assert node.parent._outcomes.has_room(1)
    assert not node.parent._outcomes.has_room(workers + 1)


# -- its end ---------------------------------------------------------------------------------------


def test_when_it_stops_nothing_is_left(nodes: Nodes) -> None:
    before = set(psutil.Process().children(recursive=True))
    node = nodes()
    node.begin("hang1", "keep2")
    port = node.payload("keep2")[1][0][0][0]
    node.loop.until(lambda: len(set(psutil.Process().children(recursive=True)) - before) == 5)
    node.stop()
    assert set(psutil.Process().children(recursive=True)) - before == set()
    assert port not in {one.laddr.port for one in psutil.Process().net_connections("tcp") if one.status == "LISTEN"}
    assert node.above.bodies(wire.FAILED) == []
