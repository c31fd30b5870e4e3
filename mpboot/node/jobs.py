"""The jobs that a parent passes on to its children: those that there are, and those that come."""

from __future__ import annotations

from mpboot.net.jobs import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List

    from mpboot.net.messages import HostOrder
    from mpboot.node.offspring import Offspring


class Jobs:
    """Which jobs have begun in a node's care; ``hosts`` and ``children`` are the node's own, by rank."""

    def __init__(self, hosts: Dict[int, HostOrder], children: Dict[int, Offspring]) -> None:
        self._hosts = hosts
        self._children = children
        self._orders: List[Run] = []

    def pass_on(self, order: Run) -> None:
        """A job has come: the children get it too, and those that are yet to come."""
        self._orders = [order]
        for child in self._children.values():
            self.tell(child)

    def tell(self, child: Offspring) -> None:
        """Have a child run what it is to run."""
        for order in self._orders:
            child.run(Run(order.job, order.argv, order.env, self._hosts[child.rank].here))

    def runs(self, rank: int, job: int) -> bool:
        """Has the job begun on this host?"""
        return self._hosts[rank].here and any(order.job == job for order in self._orders)
