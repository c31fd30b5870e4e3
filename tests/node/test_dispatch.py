"""Messages for some hosts on their way through a parent, and what a child may say of jobs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mpboot.net import wire
from mpboot.net.jobs import STDIN_WINDOW, Run, pack_exits, pack_signal, pack_stdin, packed
from mpboot.net.outlet import STDOUT, pack_out
from mpboot.node.dispatch import pack_to, unpack_to
from tests.node import conftest
from tests.node.played import Message, Rounds
from tests.node.test_from_child import Node

SIGNAL = pack_signal(2, 15, False)


@pytest.fixture
def node(loop: Rounds, up: conftest.Up) -> Iterator[Node]:
    """Node 9, with its child 0, below which are 1, 2 and 3."""
    made = Node(loop, up)
    made.child._has.update(("agent", "parent"))
    yield made
    made.link.close()
    made.end.close()


def begin(node: Node, job: int, *ranks: int, stdin: bool = False, oldest: int = 1) -> bytes:
    order = Run(job, ["cat"], [], True, oldest, stdin=stdin).pack()
    node.dispatch.take(pack_to(ranks, wire.RUN, order))
    return order


def passed(node: Node) -> list[Message]:
    """What the child has heard since the last time."""
    node.link.send(wire.PING)
    node.loop.until(lambda: wire.PING in node.end.kinds)
    heard = [one for one in node.end.heard if one[0] != wire.PING]
    node.end.heard.clear()
    return heard


def test_a_message_goes_once_over_each_link(node: Node) -> None:
    order = begin(node, 2, 0, 1, 3, 9)
    ((kind, body),) = passed(node)
    assert (kind, unpack_to(body)) == (wire.TO, ([0, 1, 3], wire.RUN, order))
    assert node.own == [(wire.RUN, order)]
    node.dispatch.take(pack_to([0], wire.SIGNAL, SIGNAL))
    assert passed(node) == [(wire.SIGNAL, SIGNAL)]
    node.dispatch.take(pack_to([9], wire.SIGNAL, SIGNAL))
    assert (passed(node), node.own[1:]) == ([], [(wire.SIGNAL, SIGNAL)])
    node.dispatch.take(pack_to([4, 77], wire.SIGNAL, SIGNAL))  # no way leads there
    assert passed(node) == []


def test_who_leaves_tells_those_below_that_leave_too_before_it_goes(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they hear first that they are to turn to another ancestor."""
    node.state.add([12])
    node.state.children.hand(0, [12], node.state)
    heard: list[int] = []
    monkeypatch.setattr(node.link, "send", lambda kind, _: heard.append(kind))
    monkeypatch.setattr(node.dispatch, "_own", lambda kind, _: heard.append(kind))
    node.dispatch.take(pack_to([9, 12], wire.LEAVE, b""))
    assert heard == [wire.TO, wire.LEAVE]
    assert node.state.leaving == {9, 12}


def test_a_leaf_that_leaves_just_ends(node: Node) -> None:
    node.child._has.discard("parent")
    node.dispatch.take(pack_to([0], wire.LEAVE, b""))
    assert [kind for kind, _ in passed(node)] == [wire.STOP]
    assert node.state.leaving == {0}
    node.child._has.add("parent")
    node.dispatch.take(pack_to([0], wire.LEAVE, b""))
    assert [kind for kind, _ in passed(node)] == [wire.LEAVE]
    node.dispatch.take(pack_to([0], wire.SIGNAL, SIGNAL))
    assert node.state.leaving == {0}


def test_an_order_that_comes_again_is_for_its_hosts_too(node: Node) -> None:
    begin(node, 2, 1)
    assert [node.dispatch.runs(rank, 2) for rank in (1, 2)] == [True, False]
    begin(node, 2, 2)
    assert [node.dispatch.runs(rank, 2) for rank in (1, 2)] == [True, True]
    assert len(passed(node)) == 2


def test_with_each_job_a_child_may_say_as_much_again(node: Node) -> None:
    """A leaf that has said too much is given up: not one that has told a little of each of a thousand jobs."""
    node.child.words = 60_000
    begin(node, 2, 1, 0)
    assert node.child.words == 0
    node.child.words = 7
    begin(node, 2, 0)  # again
    assert node.child.words == 7


def test_what_is_forgotten_is_owed_no_more(node: Node) -> None:
    most = node.link.most
    begin(node, 2, 1, stdin=True)
    assert node.link.most > most
    begin(node, 3, 1, oldest=3)
    assert node.link.most == most
    assert [node.dispatch.runs(1, job) for job in (2, 3)] == [False, True]


def test_standard_input_goes_once_over_each_link_and_at_its_pace(node: Node) -> None:
    begin(node, 2, 1, 2, stdin=True)
    passed(node)
    piece = pack_stdin(2, 0, bytes(STDIN_WINDOW))
    node.dispatch.take(pack_to([1, 2], wire.STDIN, piece))
    ((kind, body),) = passed(node)
    assert (kind, unpack_to(body)) == (wire.TO, ([1, 2], wire.STDIN, piece))
    assert node.told() == [(wire.TAKEN, packed(2) + packed(STDIN_WINDOW))]
    assert not node.dispatch.taken_here(3, 1), "no such job"
    more = pack_stdin(2, STDIN_WINDOW, b"more")
    node.dispatch.take(pack_to([1, 2], wire.STDIN, more))
    assert passed(node) == []
    node.hears(wire.TAKEN, packed(2) + packed(4))
    assert len(passed(node)) == 1


@pytest.mark.parametrize("body", [b"", b"\0\0\0\1", packed(1) + b"1", packed(1) + b"1\x01", packed(99) + b"1\x18"])
def test_what_is_no_message_for_some_hosts(node: Node, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        node.dispatch.take(body)
    assert (passed(node), node.own) == ([], [])


def test_standard_input_for_this_host_too_is_taken_when_both_have_taken_it(node: Node) -> None:
    begin(node, 2, 1, 9, stdin=True)
    node.dispatch.take(pack_to([1, 9], wire.STDIN, pack_stdin(2, 0, bytes(STDIN_WINDOW))))
    node.told()
    node.dispatch.take(pack_to([1, 9], wire.STDIN, pack_stdin(2, STDIN_WINDOW, bytes(STDIN_WINDOW))))
    assert node.dispatch.taken_here(2, STDIN_WINDOW)
    assert node.told() == [], "the child has no credit for more"
    node.hears(wire.TAKEN, packed(2) + packed(STDIN_WINDOW))
    assert node.told() == [(wire.TAKEN, packed(2) + packed(STDIN_WINDOW))]
    begin(node, 3, 9)
    assert not node.dispatch.taken_here(3, 1), "it has no standard input"


# -- the hostile side ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [packed(2) + packed(5), packed(2) + packed(STDIN_WINDOW + 1), packed(2), packed(0) + packed(1), packed(2) + b"\0"],
)
def test_a_child_that_takes_more_than_it_was_sent_is_refused(node: Node, body: bytes) -> None:
    begin(node, 2, 1, stdin=True)
    node.dispatch.take(pack_to([1], wire.STDIN, pack_stdin(2, 0, b"four")))
    passed(node)
    with pytest.raises(ValueError, match=r"."):
        node.hears(wire.TAKEN, body)
    node.hears(wire.TAKEN, packed(2) + packed(4))
    assert (passed(node), node.told()) == ([], [])


def test_a_child_that_speaks_of_a_job_that_never_ran_there_is_refused(node: Node) -> None:
    node.care._runs = node.dispatch.runs
    begin(node, 2, 1)
    passed(node)
    for rank, job in ((2, 2), (1, 3), (0, 2)):
        with pytest.raises(ValueError, match="no such command"):
            node.hears(wire.OUT, pack_out(rank, job, STDOUT, b"x"))
        with pytest.raises(ValueError, match="no such command"):
            node.hears(wire.EXIT, pack_exits([(1, 2, 0, 0, 0.5, 0), (rank, job, 0, 0, 0.5, 0)]))
    assert node.told() == []
    node.hears(wire.EXIT, pack_exits([(1, 2, 0, 0, 0.5, 0)]))
    assert [kind for kind, _ in node.told()] == [wire.EXIT]
