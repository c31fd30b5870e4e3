"""Orphans that turn to a parent: who is taken in, who waits, and who is sent away."""

from __future__ import annotations

from typing import Any

import pytest

from mpboot.net import wire
from mpboot.net.messages import Failed, Share, Up
from mpboot.node import orphanage
from mpboot.tree import state
from tests.node.orphans import Orphan
from tests.node.parents import Node
from tests.node.played import Far
from tests.node.test_parent_children import RING, Nodes, failed, is_up, strangers


def with_family(node: Node, last: int = 5) -> tuple[Far, Orphan]:
    """A child of rank 1 that has 2 to ``last`` in its care, and an orphan of its own, to be."""
    node.begin("keep1", *(f"hang{rank}" for rank in range(2, last + 1)), **RING)
    child = node.child("keep1")
    return child, Orphan(Share.unpack(node.heard(child)[-1][1]), child.link.session._key)


def test_an_orphan_is_taken_in_with_its_family(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "ORPHAN_GRACE", 1000.0)
    node = nodes(is_root=True)
    child, orphan_of = with_family(node)
    child.say(wire.UP, is_up(2))
    node.ups(2)
    node.above.heard.clear()
    about = orphan_of.about()
    orphan = node.child("hang2", orphan_of.session(), lost=[[1, 999]], **about)
    assert node.heard(orphan, wire.STOP) == [(wire.STOP, b"")]  # another child of that rank, before this one
    orphan = node.child("hang2", orphan_of.session(), lost=[[1, 101]], **about)
    node.loop.until(lambda: orphan.lost)
    assert orphan.heard == []  # it was sent away, and by the same key it is a stranger
    orphan_of.again()
    about = orphan_of.about()
    # It has lost the child, by its pid, and we have not: it waits for that.
    orphan = node.child("hang2", orphan_of.session(), lost=[[1, 101]], **about)
    orphan.say(wire.FAILED, Failed.pack_all([failed(5, 2)]))
    node.loop.until(lambda: node.parent._orphans._waiting)
    node.parent.beat(node.config.silence)
    assert node.heard(orphan, wire.PING) == [(wire.PING, b"")]
    child.close()
    assert node.heard(orphan)[-1] == (wire.SHARE, b"")  # it is a parent, and has all code
    (up,) = node.ups()
    assert (up.rank, up.parent, up.pid) == (2, 5, 102)
    assert failed(5, 2) in node.failures(2)  # what it said while it waited
    orphan.say(wire.UP, is_up(4, 2))
    assert [one.rank for one in node.ups(2)] == [2, 4]


@pytest.mark.parametrize("family", [False, True])
def test_an_orphan_of_a_child_that_lives_is_sent_away(
    nodes: Nodes, family: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever had these hosts before, and has given them back, has keys for them, and knows our child's pid."""
    monkeypatch.setattr(orphanage, "LIVES", 0.0)
    node = nodes(is_root=True)
    child, orphan_of = with_family(node)
    about = orphan_of.about() if family else {"orphan": True}
    orphan = node.child("hang2", orphan_of.session(), lost=[[1, 101]], **about)
    node.loop.until(lambda: node.parent._orphans._waiting)
    heard = node.parent.children[1].link.heard
    child.say(wire.PONG)
    node.loop.until(lambda: node.parent.children[1].link.heard > heard)
    node.parent.beat(node.config.silence)
    assert node.heard(orphan, wire.STOP) == [(wire.STOP, b"")]
    assert node.parent._orphans._waiting == {}
    assert list(node.parent.children) == [1]
    assert [node.parent._state.place[rank] for rank in range(2, 6)] == [1, 1, 1, 1]
    assert (strangers(node), child.lost) == (0, "")


@pytest.mark.parametrize("up", [Up(2, 1, 3, 0.1, 0.5, 999, 1, "3.8.1"), Up(3, 1, 3, 0.1, 0.5, 103, 1, "3.8.1")])
def test_an_orphan_that_others_have_told_otherwise_of_is_sent_away(
    nodes: Nodes, up: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parent is dead, and had told that another agent is up there, or that one of the family was its own."""
    monkeypatch.setattr(state, "ORPHAN_GRACE", 1000.0)
    node = nodes(is_root=True)
    child, orphan_of = with_family(node)
    child.say(wire.UP, Up.pack_all([up]))
    node.ups(2)
    child.close()
    node.loop.until(lambda: not node.parent.children)
    orphan = node.child("hang2", orphan_of.session(), lost=[[1, 101]], **orphan_of.about())
    assert node.heard(orphan, wire.STOP) == [(wire.STOP, b"")]
    assert node.parent.children == {}


@pytest.mark.parametrize("wrong", [{"left": "4,6"}, {"proof": "00" * 16}, {"ways": []}])
def test_an_orphan_that_can_not_prove_its_family_is_a_stranger(nodes: Nodes, wrong: dict[str, Any]) -> None:
    node = nodes(is_root=True)
    child, orphan_of = with_family(node, 6)
    orphan = node.child("hang2", orphan_of.session(), lost=[[1, 101]], **{**orphan_of.about(), **wrong})
    node.loop.until(lambda: orphan.lost)
    node.loop.until(lambda: strangers(node))
    assert (orphan.heard, strangers(node)) == ([], 1)
    assert list(node.parent.children) == [1]
    assert not child.lost
