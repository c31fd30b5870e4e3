"""What a child says: checked, believed of what is in its care alone, told to the state and upward."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import pytest

from mpboot.net import plain, wire
from mpboot.net.messages import (
    Exit,
    Failed,
    Hello,
    HostBack,
    Launched,
    LaunchSeen,
    Note,
    Returned,
    UnderWay,
    Up,
    Want,
    Why,
)
from mpboot.net.outlet import SLACK, WINDOW, pack_out
from mpboot.node.care import WORDS, WORDS_A_HOST, Care, Limits
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
from tests.node.played import Message, Rounds, line, settings

SAYS = {wire.PONG, wire.OUT, wire.EXIT, wire.WANT, wire.LOG, wire.TOLD, wire.NOTE, wire.LAUNCHED, wire.UP, wire.FAILED,
        wire.RETURN, wire.DONE}  # fmt: skip


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
        self.link, self.end = line(loop)
        hello = {"id": 1, "rank": 0, "pid": 77, "python": "3.8.1"}
        self.child = Offspring(Hello(plain.dumps(hello)), self.link, {})
        news = News(loop, up.uplink)
        psutil = PsutilSupply(cast(Lookout, None), up.uplink.send, lambda *_: None, True, [])
        psutil.missing()  # the root: there is none
        self.keys = Keyring(9)
        for rank in range(6):
            self.keys.take(rank, b"%016d" % rank, ())
        self.keys.share([1, 2, 3])
        self.runs = True
        self.handlers = self.talk(news, psutil)

    def talk(self, news: News, psutil: PsutilSupply) -> dict[int, Callable[[Offspring, bytes], None]]:
        """What takes the messages of its children."""
        care = Care(self.state, lambda _: self.runs, self.up.uplink.has_exited)
        limits = Limits(settings(), 0)
        uplink = self.up.uplink
        return FromChild(
            self.state, news, uplink, psutil, self.verdicts, care, limits, self.keys, self._do
        ).handlers()

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
    [(wire.LOG, b"a line"), (wire.EXIT, Exit.pack_all([Exit(1, 3), Exit(2, 0)])),
     (wire.TOLD, UnderWay([SEEN], 2).pack()), (wire.NOTE, Note(0, "leaf", "auth: denied").pack())],
)  # fmt: skip
def test_what_goes_upward_as_it_is(node: Node, kind: int, body: bytes) -> None:
    node.hears(kind, body)
    assert node.told() == [(kind, body)]
    assert node.done == []


def test_output_goes_upward_and_the_child_gets_credit_for_it(node: Node) -> None:
    body = pack_out(1, 1, b"x" * (WINDOW - 5))
    node.hears(wire.OUT, body)
    assert node.told() == [(wire.OUT, body)]
    node.loop.until(lambda: node.end.heard)
    assert node.end.heard == [(wire.CREDIT, b"%d" % WINDOW)]
    node.hears(wire.EXIT, Exit.pack_all([Exit(1, 0)]))
    assert node.told() == [(wire.EXIT, b"[[1,0]]")]


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


def test_the_orders_that_follow_from_launches_below_are_done(loop: Rounds, up: conftest.Up) -> None:
    """A child that has begun all that it has can take more."""
    node = Node(loop, up)
    node.state = BootState(Policy("adaptive", 1))
    node.state.policy.pace = 1.0
    node.state.add(range(20))
    shares = node.state.connected(0)
    (share,) = [order for order in shares if isinstance(order, Share)]
    talk = node.talk(News(loop, up.uplink), cast(PsutilSupply, None))
    talk[wire.LAUNCHED](node.child, Launched(len(share.ranks), 0).pack())
    assert [type(order) for order in node.done] == [Share]


def test_hosts_up_below(node: Node) -> None:
    node.hears(wire.UP, Up.pack_all([is_up(1), is_up(2)]))
    assert json.loads(node.told()[0][1]) == [is_up(1).row(), is_up(2).row()]
    assert node.state.children[0].below == {1, 2}


def test_a_child_s_word_on_hosts_that_it_does_not_have_any_more_is_not_believed(node: Node) -> None:
    """It may not know of it yet."""
    node.state.children.drop(0, 3)
    node.state.put(3, ledger.LAUNCHING)
    node.hears(wire.UP, Up.pack_all([is_up(3), is_up(1)]))
    assert json.loads(node.told()[0][1]) == [is_up(1).row()]
    node.hears(wire.FAILED, Failed.pack_all([failed(3), failed(2)]))
    assert json.loads(node.told()[0][1]) == [failed(2).row()]
    node.hears(wire.RETURN, Returned([HostBack(3, 1, None)], True, False).pack())
    node.hears(wire.EXIT, Exit.pack_all([Exit(3, 1), Exit(1, 0)]))
    assert node.told() == [(wire.EXIT, b"[[1,0]]")]
    node.hears(wire.OUT, pack_out(3, 1, b"x" * (WINDOW - 5)))
    assert node.told() == []
    node.loop.until(lambda: node.end.heard)
    assert node.end.heard == [(wire.CREDIT, b"%d" % WINDOW)]  # nobody waits for it any more
    assert node.state.children[0].below == {1}
    assert [node.state.place[rank] for rank in (2, 3)] == [ledger.FAILED, ledger.LAUNCHING]
    assert node.done == []


def test_hosts_that_failed_below(node: Node) -> None:
    node.hears(wire.FAILED, Failed.pack_all([failed(1), failed(2)]))
    assert json.loads(node.told()[0][1]) == [failed(1).row(), failed(2).row()]
    assert [node.state.place[rank] for rank in (1, 2, 3)] == [ledger.FAILED, ledger.FAILED, 0]


def test_of_a_host_that_has_failed_nothing_is_news(node: Node) -> None:
    node.hears(wire.FAILED, Failed.pack_all([failed(1)]))
    node.told()
    node.hears(wire.UP, Up.pack_all([is_up(1)]))
    assert node.told() == []
    node.hears(wire.FAILED, Failed.pack_all([failed(1)]))
    assert node.told() == []


def test_hosts_that_are_given_back_wait_here_with_the_reason(node: Node) -> None:
    why = Why("auth", "handshake", "denied", "Permission denied")
    node.hears(wire.RETURN, Returned([HostBack(2, 3, why), HostBack(3, 1, None)], True, True).pack())
    assert node.state.own == {2, 3}
    assert not node.state.children[0].can_launch
    assert node.verdicts.failed(Fail(2, "auth"), 3).detail == "denied"
    assert node.verdicts.failed(Fail(3, "auth"), 0).detail == ""
    assert node.done == [Launch(2, 4), Launch(3, 2)]


def test_hosts_that_were_not_tried_may_go_to_others(node: Node) -> None:
    node.state.children[0].owes = 2
    node.hears(wire.RETURN, Returned([HostBack(3, 1, None)], False, False).pack())
    assert node.state.own == set()
    assert node.state.children[0].can_launch
    assert node.state.children[0].owes == 1
    assert node.done == [Launch(3, 2)]


def test_when_all_is_done_below(node: Node) -> None:
    node.hears(wire.UP, Up.pack_all([is_up(1), is_up(2), is_up(3)]))
    for rank in (4, 5):
        node.state.connected(rank)
        node.state.child_done(rank, 1)
    node.hears(wire.DONE, b"1")
    assert node.done == []  # the child has had two shares: one is on its way
    node.hears(wire.DONE, b"2")
    assert node.done == [Done(1)]


# -- who says what may not be ------------------------------------------------------------------------


def told(rank: int, launcher: int = 0) -> bytes:
    return UnderWay([LaunchSeen(rank, launcher, 1, 2.5, None, None, [], [], "")], 0).pack()


OF_A_HOST: list[tuple[int, Callable[[int], bytes]]] = [
    (wire.UP, lambda rank: Up.pack_all([is_up(1), is_up(rank)])),
    (wire.FAILED, lambda rank: Failed.pack_all([failed(1), failed(rank)])),
    (wire.RETURN, lambda rank: Returned([HostBack(1, 1, None), HostBack(rank, 1, None)], True, False).pack()),
    (wire.EXIT, lambda rank: Exit.pack_all([Exit(1, 0), Exit(rank, 0)])),
    (wire.OUT, lambda rank: pack_out(rank, 1, b"x")),
    (wire.NOTE, lambda rank: Note(rank, "leaf", "auth").pack()),
    (wire.TOLD, told),
    (wire.UP, lambda rank: Up.pack_all([Up(1, rank, 2, 0.1, 0.5, 1, 1, "")])),
    (wire.FAILED, lambda rank: Failed.pack_all([Failed(1, "auth", "", 1, rank, "", "")])),
    (wire.TOLD, lambda rank: told(1, rank)),
]


def refused(node: Node, kind: int, body: bytes, why: str) -> None:
    """The child is to be lost for this, and nothing has changed."""
    before, moved, words = dict(node.state.place), node.child.moved, node.child.words
    node.done.clear()
    with pytest.raises(ValueError, match=why):
        node.hears(kind, body)
    assert (node.told(), node.done, node.state.place) == ([], [], before)
    assert (node.child.moved, node.child.words) == (moved, words)


@pytest.mark.parametrize(("kind", "body"), OF_A_HOST)
@pytest.mark.parametrize("rank", [4, 77])
def test_words_for_hosts_that_it_never_had(node: Node, kind: int, body: Callable[[int], bytes], rank: int) -> None:
    refused(node, kind, body(rank), r"^it speaks for a host that it was not given$")


@pytest.mark.parametrize(("kind", "body"), [OF_A_HOST[at] for at in (0, 1, 2)])
def test_words_for_itself_that_are_its_parents_to_say(
    node: Node, kind: int, body: Callable[[int], bytes]
) -> None:
    refused(node, kind, body(0), "it speaks for a host that it was not given")


def test_where_no_command_runs_none_writes_or_ends(node: Node) -> None:
    node.runs = False
    for rank in (0, 1):
        refused(node, wire.OUT, pack_out(rank, 1, b"x"), r"^no command runs on the host that it speaks for$")
        refused(node, wire.EXIT, Exit.pack_all([Exit(rank, 0)]), "no command runs on the host")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_command_that_has_ended_writes_nothing(node: Node, rank: int) -> None:
    node.hears(wire.OUT, pack_out(rank, 2, b"last"))
    node.hears(wire.EXIT, Exit.pack_all([Exit(rank, 0)]))
    node.told()
    refused(node, wire.OUT, pack_out(rank, 1, b"more"), r"^output of a command that has ended$")


def test_a_command_ends_once(node: Node) -> None:
    """An exit code waits for the output before it: whoever tells it again and again must not fill the memory."""
    node.hears(wire.EXIT, Exit.pack_all([Exit(0, 3)]))
    assert node.told() == [(wire.EXIT, b"[[0,3]]")]
    for code in range(200):
        node.hears(wire.EXIT, Exit.pack_all([Exit(0, code)]))
    assert node.told() == []


@pytest.mark.parametrize("stream", [0, 3, 255])
def test_there_are_two_streams(node: Node, stream: int) -> None:
    refused(node, wire.OUT, pack_out(1, stream, b"x"), "no such stream")


def test_output_beyond_its_credit(node: Node) -> None:
    node.up.uplink.outlet.put(b"x" * WINDOW)  # so nothing of it is passed on
    node.told()
    for _ in range((WINDOW + SLACK) // 1024):
        node.hears(wire.OUT, pack_out(1, 1, b"x" * 1019))
    refused(node, wire.OUT, pack_out(1, 1, b"x"), "more output than it has credit for")


def test_who_wants_psutil_asks_once(node: Node) -> None:
    node.hears(wire.WANT, Want([]).pack())
    refused(node, wire.WANT, Want([]).pack(), "it asks again")


@pytest.mark.parametrize("cause", ["", "banana", "AUTH", "auth "])
def test_a_cause_is_one_of_the_list(node: Node, cause: str) -> None:
    refused(node, wire.FAILED, Failed.pack_all([Failed(1, cause, "", 1, 0, "", "")]), "no such cause")
    back = Returned([HostBack(1, 1, Why(cause, "", "", ""))], True, False)
    refused(node, wire.RETURN, back.pack(), "no such cause")


def test_hosts_are_given_back_that_were_asked_for(node: Node) -> None:
    both = Returned([HostBack(1, 0, None), HostBack(2, 0, None)], False, False).pack()
    refused(node, wire.RETURN, both, r"^it gives hosts back unasked$")
    node.state.children[0].owes = 1
    refused(node, wire.RETURN, both, "unasked")
    node.hears(wire.RETURN, Returned([HostBack(1, 0, None)], False, False).pack())
    refused(node, wire.RETURN, Returned([HostBack(2, 0, None)], False, False).pack(), "unasked")
    node.hears(wire.RETURN, Returned([HostBack(2, 0, None)], False, True).pack())  # who can't launch need not be asked
    assert node.state.children[0].left == {3}


def test_nobody_counts_attempts_backwards(node: Node) -> None:
    """An orphan may know of fewer than there were: it is not believed, and that is all."""
    node.state.attempts[1] = 4
    node.hears(wire.RETURN, Returned([HostBack(1, 2, None)], True, True).pack())
    assert node.state.attempts[1] == 5
    assert node.done == [Launch(1, 5)]


def test_more_shares_than_there_were_are_not_done(node: Node) -> None:
    refused(node, wire.DONE, b"3", r"^more shares are done than it was given$")


def test_who_is_done_with_what_it_said_nothing_of_gets_no_more(node: Node) -> None:
    """It would get the same hosts again, and again be done."""
    node.hears(wire.UP, Up.pack_all([is_up(1)]))
    node.hears(wire.DONE, b"2")
    assert not node.state.children[0].can_launch
    assert node.done == [Launch(2, 2), Launch(3, 2)]
    assert node.keys.find(2, (1, 1)) is None, "and nobody comes by a key that it has told"


# -- without end -------------------------------------------------------------------------------------


def test_of_a_parent_s_words_no_more_is_passed_on_than_fits(node: Node) -> None:
    """They may be those of others below it."""
    line, passed = b"x" * 8000, (WORDS + 3 * WORDS_A_HOST) // 8000
    for _ in range(passed + 50):
        node.hears(wire.LOG, line)
    assert node.told() == [(wire.LOG, line)] * passed


def test_a_leaf_that_talks_without_end_is_lost(node: Node) -> None:
    node.state.children[0].ever.clear()
    for _ in range(WORDS // 8000):
        node.hears(wire.LOG, b"x" * 8000)
    with pytest.raises(ValueError, match="it talks without end"):
        node.hears(wire.LOG, b"x" * 8000)


def test_what_is_said_again_is_passed_on_as_long_as_it_fits(node: Node) -> None:
    """A new parent is told all again, once; without end it is no news."""
    body, passed = Up.pack_all([is_up(1)]), 0
    for _ in range(3000):
        node.hears(wire.UP, body)
        passed += len(node.told())
    assert 1 < passed < 3000


def test_news_are_what_is_new(node: Node) -> None:
    """Who says nothing new of its hosts for long is given up."""
    node.child.moved = 0.0
    node.hears(wire.RETURN, Returned([], False, False).pack())
    node.hears(wire.LAUNCHED, Launched(0, 5).pack())
    node.hears(wire.NOTE, Note(0, "leaf", "auth").pack())
    node.hears(wire.DONE, b"1")
    assert node.child.moved == 0.0
    for kind, body in (
        (wire.LAUNCHED, Launched(1, 0).pack()), (wire.UP, Up.pack_all([is_up(1)])),
        (wire.FAILED, Failed.pack_all([failed(2)])),
        (wire.RETURN, Returned([HostBack(3, 1, None)], True, False).pack()),
    ):  # fmt: skip
        node.hears(kind, body)
        assert node.child.moved > 0.0
        node.child.moved = 0.0
    node.hears(wire.UP, Up.pack_all([is_up(1)]))
    node.hears(wire.FAILED, Failed.pack_all([failed(2)]))
    assert node.child.moved == 0.0


def test_launches_that_can_not_be_are_not_counted(node: Node) -> None:
    """…nor that many strangers, which would not fit into a message."""
    most = (1 << 31) - 1
    for _ in range(3):
        node.hears(wire.LAUNCHED, Launched(most, most).pack())
    (counted, strangers) = json.loads(node.told()[0][1])
    assert counted == 3 * 16  # of three hosts, by all that may try them
    assert strangers == most
    node.child.moved = 0.0
    node.hears(wire.LAUNCHED, Launched(1, 0).pack())
    assert node.child.moved == 0.0


def test_a_leaf_launches_nobody(node: Node) -> None:
    node.state.children[0].ever.clear()
    refused(node, wire.LAUNCHED, Launched(1, 0).pack(), "it launches nobody knows what")
    node.hears(wire.LAUNCHED, Launched(0, 7).pack())
