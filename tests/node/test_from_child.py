"""What a child says: checked, believed of what is in its care alone, told to the state and upward."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pytest

from mpboot.net import plain, wire
from mpboot.net.commands import Exit, Note
from mpboot.net.hello import Hello
from mpboot.net.messages import Failed, HostBack, Launched, LaunchSeen, Returned, UnderWay, Up, Want, Why
from mpboot.net.outlet import HEAD, WINDOW, pack_out
from mpboot.node.care import Care, Limits
from mpboot.node.dispatch import Dispatch
from mpboot.node.from_child import FromChild
from mpboot.node.keyring import Keyring
from mpboot.node.news import News
from mpboot.node.offspring import Offspring
from mpboot.node.supply import PsutilSupply
from mpboot.node.verdicts import Verdicts
from mpboot.tree import ledger
from mpboot.tree.orders import Done, Fail, Launch, Order, Share
from mpboot.tree.policy import Policy
from mpboot.tree.state import BootState
from mpboot.workers.lookout import Lookout
from tests.node import conftest
from tests.node.played import SECRET, WAY, Message, Rounds, line, settings

SAYS = {wire.PONG, wire.OUT, wire.EXIT, wire.WANT, wire.LOG, wire.TOLD, wire.NOTE, wire.LAUNCHED, wire.UP, wire.FAILED,
        wire.RETURN, wire.DONE, wire.TAKEN}  # fmt: skip


class Node:
    """A node that has handed 1, 2 and 3 to its child 0, and launches 4 and 5 itself."""

    def __init__(self, loop: Rounds, up: conftest.Up) -> None:
        self.loop = loop
        self.up = up
        self.state = BootState(Policy("flat"))
        self.state.add(range(6))
        self.state.connected(0)
        self.state.children.hand(0, [1, 2, 3], self.state)
        self.verdicts = Verdicts(9)
        self.done: list[Order] = []
        self.commands = {0, 1, 2, 3}  # the hosts on which the command has begun
        self.link, self.end = line(loop)
        hello = {"id": 1, "rank": 0, "pid": 77, "python": "3.8.1"}
        self.child = Offspring(Hello(plain.dumps(hello)), self.link, {})
        news = News(loop, up.uplink)
        psutil = PsutilSupply(cast(Lookout, None), up.uplink.send, lambda *_: None, True, [])
        psutil.missing()  # the root: there is none
        self.care = Care(self.state, lambda rank, _: rank in self.commands, up.uplink.has_exited)
        self.limits = Limits(settings(), 0)
        self.keys = Keyring(9)
        for rank in range(6):
            self.keys.take(rank, SECRET, WAY)
        self.number, _ = self.keys.share([1, 2, 3])
        self.own: list[Message] = []
        hosts: Any = {}
        dispatch = Dispatch(
            9, hosts, {0: self.child}, self.state, up.uplink, lambda kind, body: self.own.append((kind, body))
        )
        self.dispatch = dispatch
        talk = FromChild(
            self.state, news, up.uplink, psutil, self.verdicts, self.care, self.limits, self.keys,
            dispatch, self._do,
        )  # fmt: skip
        self.handlers = talk.handlers()

    def _do(self, orders: Iterable[Order]) -> None:
        self.done += orders

    def hears(self, kind: int, body: bytes) -> None:
        """The child says this."""
        self.handlers[kind](self.child, body)

    def told(self) -> list[Message]:
        """What was told upward since the last time."""
        self.up.uplink.send(wire.PONG)
        self.loop.until(lambda: wire.PONG in self.up.parent.kinds)
        told = [(kind, body) for kind, body in self.up.parent.heard if kind != wire.PONG]
        self.up.parent.heard.clear()
        return told


@pytest.fixture
def node(loop: Rounds, up: conftest.Up) -> Iterator[Node]:
    made = Node(loop, up)
    yield made
    made.link.close()
    made.end.close()


def is_up(rank: int) -> Up:
    return Up(rank, 0, 2, 0.1, 0.5, 100 + rank, 1, "3.8.1")


def failed(rank: int) -> Failed:
    return Failed(rank, "auth", "handshake", 2, 0, "denied", "Permission denied")


def test_what_a_child_may_say(node: Node) -> None:
    assert set(node.handlers) == SAYS


@pytest.mark.parametrize("kind", sorted(SAYS - {wire.PONG, wire.OUT, wire.LOG}))
@pytest.mark.parametrize("body", [b"", b"\xff", b"[", b"{}", b"null", b"[[1]]", b"[1,2,3,4]", b"-1", b"[" * 10_000])
def test_what_makes_no_sense_changes_nothing(node: Node, kind: int, body: bytes) -> None:
    before = dict(node.state.place)
    with pytest.raises(ValueError, match=r"."):
        node.hears(kind, body)
    assert (node.told(), node.done, node.state.place) == ([], [], before)


# -- passed on as it is ----------------------------------------------------------------------------


def test_a_pong_is_for_nobody_else(node: Node) -> None:
    node.hears(wire.PONG, b"")
    assert node.told() == []


SEEN = LaunchSeen(2, 0, 1, 2.5, None, None, [], [], "")


@pytest.mark.parametrize(
    ("kind", "body"),
    [(wire.LOG, b"a line"), (wire.EXIT, Exit.pack_all([Exit(1, 1, 3, 0, 0.1234, 0), Exit(2, 1, 0, 0, 0.1234, 0)])),
     (wire.TOLD, UnderWay([SEEN], 2).pack()), (wire.NOTE, Note(0, "leaf", "auth: denied").pack())],
)  # fmt: skip
def test_what_goes_upward_as_it_is(node: Node, kind: int, body: bytes) -> None:
    node.hears(kind, body)
    assert node.told() == [(kind, body)]
    assert node.done == []


def test_output_goes_upward_and_the_child_gets_credit_for_it(node: Node) -> None:
    body = pack_out(1, 1, 1, b"x" * (WINDOW - HEAD))
    node.hears(wire.OUT, body)
    assert node.told() == [(wire.OUT, body)]
    node.loop.until(lambda: node.end.heard)
    assert node.end.heard == [(wire.CREDIT, b"%d" % WINDOW)]
    node.hears(wire.EXIT, Exit.pack_all([Exit(1, 1, 0, 0, 0.5, 0)]))
    assert node.told() == [(wire.EXIT, b"[[1,1,0,0,0.5000,0]]")]


def test_who_wants_psutil_is_answered(node: Node) -> None:
    node.hears(wire.WANT, Want([]).pack())
    node.loop.until(lambda: node.end.heard)
    assert node.end.heard == [(wire.PSUTIL, b"")]


# -- hosts -----------------------------------------------------------------------------------------


def test_launches_below_are_counted_here_and_told(node: Node) -> None:
    node.hears(wire.LAUNCHED, Launched(2, 1).pack())
    node.hears(wire.LAUNCHED, Launched(1, 0).pack())
    assert node.told() == [(wire.LAUNCHED, b"[3,1]")]
    assert node.state.children[0].begun == 3
    assert node.state.policy.now > 0, "the state is told when that was"


def test_the_orders_that_follow_from_launches_below_are_done(loop: Rounds, up: conftest.Up) -> None:
    """A child that has begun all that it has can take more."""
    node = Node(loop, up)
    node.state = BootState(Policy("adaptive", 1))
    node.state.policy.pace = 1.0
    node.state.add(range(20))
    shares = node.state.connected(0)
    (share,) = [order for order in shares if isinstance(order, Share)]
    news = News(loop, up.uplink)
    care = Care(node.state, lambda *_: True, up.uplink.has_exited)
    psutil = cast(PsutilSupply, None)
    talk = FromChild(node.state, news, up.uplink, psutil, node.verdicts, care, node.limits, node.keys,
                     cast(Dispatch, None), node._do)  # fmt: skip
    talk.handlers()[wire.LAUNCHED](node.child, Launched(len(share.ranks), 0).pack())
    assert [type(order) for order in node.done] == [Share]


def test_hosts_up_below(node: Node) -> None:
    node.hears(wire.UP, Up.pack_all([is_up(1), is_up(2)]))
    assert json.loads(node.told()[0][1]) == [is_up(1).row(), is_up(2).row()]
    assert node.state.children[0].below == {1, 2}


@pytest.mark.parametrize("rank", [0, 4, 99])
@pytest.mark.parametrize("kind", [wire.UP, wire.FAILED, wire.RETURN])
def test_who_speaks_for_hosts_that_it_was_not_given_is_refused(node: Node, kind: int, rank: int) -> None:
    """…before anything has changed, even of the hosts that it has."""
    said = {
        wire.UP: Up.pack_all([is_up(1), is_up(rank)]),
        wire.FAILED: Failed.pack_all([failed(1), failed(rank)]),
        wire.RETURN: Returned([HostBack(1, 1, None), HostBack(rank, 1, None)], True, False).pack(),
    }
    before = dict(node.state.place)
    with pytest.raises(ValueError, match=r"^it speaks for a host that it was not given$"):
        node.hears(kind, said[kind])
    assert (node.told(), node.done, node.state.place) == ([], [], before)
    assert node.state.children[0].left == {1, 2, 3}
    assert [node.state.place[one] for one in (0, 4)] == [ledger.UP, ledger.LAUNCHING]


@pytest.mark.parametrize("other", [4, 99])
def test_who_names_others_nodes_as_parents_is_refused(node: Node, other: int) -> None:
    for kind, body in (
        (wire.UP, Up.pack_all([Up(1, other, 2, 0.1, 0.5, 101, 1, "3.8.1")])),
        (wire.FAILED, Failed.pack_all([Failed(1, "auth", "handshake", 2, other, "denied", "")])),
    ):
        with pytest.raises(ValueError, match=r"^it speaks for a host that it was not given$"):
            node.hears(kind, body)
    assert (node.told(), node.done, node.state.children[0].left) == ([], [], {1, 2, 3})


def test_a_child_s_word_on_hosts_that_it_does_not_have_any_more_is_not_believed(node: Node) -> None:
    node.hears(wire.RETURN, Returned([HostBack(3, 1, None)], True, False).pack())
    node.done.clear()
    node.hears(wire.UP, Up.pack_all([is_up(3), is_up(1)]))
    assert json.loads(node.told()[0][1]) == [is_up(1).row()]
    node.hears(wire.FAILED, Failed.pack_all([failed(3), failed(2)]))
    assert json.loads(node.told()[0][1]) == [failed(2).row()]
    assert node.state.children[0].below == {1}
    assert [node.state.place[rank] for rank in (0, 2, 3)] == [ledger.UP, ledger.FAILED, ledger.LAUNCHING]
    assert node.done == []


def test_hosts_that_failed_below(node: Node) -> None:
    node.hears(wire.FAILED, Failed.pack_all([failed(1), failed(2)]))
    assert json.loads(node.told()[0][1]) == [failed(1).row(), failed(2).row()]
    assert [node.state.place[rank] for rank in (1, 2, 3)] == [ledger.FAILED, ledger.FAILED, 0]


def test_of_a_host_that_has_failed_nothing_is_news(node: Node) -> None:
    node.hears(wire.FAILED, Failed.pack_all([failed(1)]))
    node.told()
    node.hears(wire.UP, Up.pack_all([is_up(1)]))
    node.hears(wire.FAILED, Failed.pack_all([failed(1)]))
    assert node.told() == []
    assert node.state.place[1] == ledger.FAILED


def test_hosts_that_are_given_back_wait_here_with_the_reason(node: Node) -> None:
    why = Why("auth", "handshake", "denied", "Permission denied")
    assert all(node.keys.find(rank, (node.number, 1)) for rank in (1, 2, 3))
    node.hears(wire.RETURN, Returned([HostBack(2, 3, why), HostBack(3, 1, None)], True, True).pack())
    assert node.state.own == {2, 3}
    assert not node.state.children[0].can_launch
    assert node.verdicts.failed(Fail(2, "auth"), 3).detail == "denied"
    assert node.verdicts.failed(Fail(3, "auth"), 0).detail == ""
    assert node.done == [Launch(2, 4), Launch(3, 2)]
    # Nobody that the child has told a key may speak for them any more.
    assert [rank for rank in (1, 2, 3) if node.keys.find(rank, (node.number, 1))] == [1]


def test_hosts_that_were_not_tried_may_go_to_others(node: Node) -> None:
    node.state.children[0].owes = 2
    node.hears(wire.RETURN, Returned([HostBack(3, 1, None)], False, False).pack())
    assert node.state.own == set()
    assert node.state.children[0].can_launch
    assert node.done == [Launch(3, 2)]
    assert node.state.children[0].owes == 1


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (Returned([HostBack(2, 1, None), HostBack(3, 1, None)], False, False), "it gives hosts back unasked"),
        (Returned([HostBack(2, 1, Why("no cause", "", "", ""))], True, False), "no such cause"),
    ],
)
def test_hosts_that_are_not_to_be_given_back_so(node: Node, said: Returned, wrong: str) -> None:
    node.state.children[0].owes = 1
    before = dict(node.state.place)
    with pytest.raises(ValueError, match=f"^{wrong}$"):
        node.hears(wire.RETURN, said.pack())
    assert (node.told(), node.done, node.state.place) == ([], [], before)
    assert node.state.children[0].owes == 1


def test_attempts_are_not_counted_backwards(node: Node) -> None:
    """An orphan may know of fewer than there were here since."""
    node.state.attempts.update({2: 5, 3: 2})
    node.hears(wire.RETURN, Returned([HostBack(2, 3, None), HostBack(3, 4, None)], True, True).pack())
    assert node.done == [Launch(2, 6), Launch(3, 5)]


def test_when_all_is_done_below(node: Node) -> None:
    node.hears(wire.UP, Up.pack_all([is_up(1), is_up(2), is_up(3)]))
    for rank in (4, 5):
        node.state.connected(rank)
        node.state.child_done(rank, 1)
    node.hears(wire.DONE, b"1")
    assert node.done == []  # the child has had two shares: one is on its way
    node.hears(wire.DONE, b"2")
    assert node.done == [Done(1)]
