"""What an orphan says of its family, and how hosts change hands. The rules around it are in test_state_children.py."""

from __future__ import annotations

from mpboot.tree.adoption import take_over, whom_it_brings
from mpboot.tree.ledger import FAILED, LAUNCHING, ORPHANED, PAUSED, PENDING, UP, URGENT
from mpboot.tree.orders import Kill
from mpboot.tree.policy import TREE
from tests.tree.one_node import HOST, Node

OTHER = 1  # another child


def test_a_family_is_who_is_up_who_is_not_finished_and_who_failed() -> None:
    node = Node(TREE, children=2, pending=4, launching=1)
    up, left = node.hand(0, 2)
    node.children.is_up(0, up)
    for rank, place in enumerate((URGENT, PAUSED, ORPHANED, FAILED, FAILED), HOST + 10):
        node.hosts.put(rank, place)
    below, unfinished, failed = whom_it_brings(node.hosts, node.children)
    assert sorted(below) == [0, 1, up]
    assert sorted(unfinished) == [left, HOST + 2, HOST + 3, HOST + 4, HOST + 10, HOST + 11, HOST + 12]
    assert failed == [HOST + 13, HOST + 14]


def test_hosts_change_hands_whoever_had_them() -> None:
    node = Node(TREE, children=2, pending=3, launching=1)
    mine, theirs = node.hand(0, 1) + node.hand(OTHER, 1)
    pending, launching = HOST + 2, HOST + 3
    node.hosts.put(5, ORPHANED)
    orders = take_over(node.hosts, node.children, 5, [5, mine, theirs, pending, launching])
    assert orders == [Kill(launching)]
    assert [node.hosts.place[rank] for rank in (5, mine, theirs, pending, launching)] == [5, 5, 5, 5, 5]
    assert node.children[0].left == node.children[OTHER].left == set()
    assert node.hosts.counts[PENDING] == node.hosts.counts[LAUNCHING] == node.hosts.counts[ORPHANED] == 0
    assert node.hosts.counts[FAILED] == 0
    assert node.hosts.counts[UP] == 2
