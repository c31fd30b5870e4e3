"""One node and its children, for the tests of who gets a share: a ledger and a policy, and no state around them."""

from __future__ import annotations

from mpboot.tree.children import Children
from mpboot.tree.ledger import LAUNCHING, PENDING, UP, Ledger
from mpboot.tree.orders import Order, Share
from mpboot.tree.policy import TREE, Policy

HOST = 100  # the first rank of those that are no children


class Node:
    """What of a node its children need: a ledger with hosts that are pending or launching."""

    def __init__(
        self, topology: str, children: int = 0, pending: int = 0, launching: int = 0, pace: float = 1.0
    ) -> None:
        self.policy = Policy(topology, 4 if topology == TREE else 0)
        self.policy.pace = pace
        self.hosts = Ledger()
        self.children = Children(self.policy)
        for rank in range(children):
            self.children.welcome(rank)
            self.hosts.put(rank, UP)
        self.ranks = list(range(HOST, HOST + pending))
        for rank in self.ranks:
            self.hosts.put(rank, PENDING)
        for rank in range(HOST + pending, HOST + pending + launching):
            self.hosts.put(rank, LAUNCHING)

    def hand(self, child: int, count: int) -> list[int]:
        """Give a child the next hosts that are pending."""
        ranks = self.hosts.take(count)
        assert len(ranks) == count
        assert self.children.hand(child, ranks, self.hosts) == [Share(child, ranks)]
        return ranks

    def finish(self, *children: int) -> None:
        for child in children:
            self.children.finish(child, self.hosts)

    def come_up(self, child: int) -> None:
        """All that was given to a child comes up below it."""
        for rank in [*self.children[child].left]:
            self.children.is_up(child, rank)

    def shares(self) -> list[tuple[int, int]]:
        """(child, how many hosts) of each share that is handed out now."""
        orders = self.children.share_out(self.hosts)
        assert all(self.hosts.place[rank] == order.child for order in orders for rank in share(order).ranks)  # type: ignore[attr-defined]
        return [(share(order).child, len(share(order).ranks)) for order in orders]

    def reclaims(self) -> list[Order]:
        return self.children.reclaim(self.hosts)


def share(order: Order) -> Share:
    assert isinstance(order, Share)
    return order
