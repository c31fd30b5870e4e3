"""A child that is slow: it gets nothing new to do, and its part again when it is slow no more."""

from __future__ import annotations

from mpboot.tree.orders import Reclaim
from mpboot.tree.policy import ADAPTIVE
from tests.tree.one_node import Node


def test_who_is_slow_gets_no_share_and_is_not_asked_for_hosts() -> None:
    node = Node(ADAPTIVE, children=2, pending=40)
    node.hand(0, 20)
    node.children.spare(0)
    assert [*node.children.helpers] == [1]
    assert node.children.reclaim(node.hosts) == []
    assert not node.children.begins(0, 20)
    node.children.finish(0, node.hosts)
    assert [child for child, _ in node.shares()] == [1]


def test_who_is_slow_no_more_takes_its_part_again() -> None:
    node = Node(ADAPTIVE, children=2, pending=40)
    node.hand(0, 20)
    node.children.spare(0)
    node.children.employ(0)
    assert [*node.children.helpers] == [1, 0]
    assert not node.children[0].slow
    assert node.children.begins(0, 20)
    node.children.disable(1)
    node.children.spare(1)
    node.children.employ(1)
    assert [*node.children.helpers] == [0]


def test_for_who_is_idle_and_slow_no_other_is_asked() -> None:
    node = Node(ADAPTIVE, children=2, pending=22, launching=1)
    node.hand(0, 2)
    node.hand(1, 20)
    node.come_up(0)
    node.finish(0)
    assert [reclaim.child for reclaim in node.reclaims() if isinstance(reclaim, Reclaim)] == [1]
    node.children.has_answered(1, some=True)
    node.children.spare(0)
    assert node.reclaims() == []
    node.children.employ(0)
    assert [reclaim.child for reclaim in node.reclaims() if isinstance(reclaim, Reclaim)] == [1]


def test_who_is_slow_no_more_is_asked_for_hosts_again() -> None:
    node = Node(ADAPTIVE, children=2, pending=22, launching=1)
    node.hand(0, 20)
    node.hand(1, 2)
    node.come_up(1)
    node.finish(1)
    node.children.spare(0)
    assert node.reclaims() == []
    node.children.employ(0)
    assert [reclaim.child for reclaim in node.reclaims() if isinstance(reclaim, Reclaim)] == [0]
