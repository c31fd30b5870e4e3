"""A BootState of one node, for the tests that play it event by event."""

from __future__ import annotations

from mpboot.tree.orders import Launch, Order
from mpboot.tree.policy import ADAPTIVE, TREE, Policy
from mpboot.tree.state import BootState


def below_root(shares: int = 0, retries: int = 1, children: int = 2) -> BootState:
    return BootState(Policy(TREE, children), retries, is_root=False, shares=shares)


def adaptive(hosts: int, pace: float = 1.0) -> BootState:
    """The root of an adaptive tree; it has begun its first 8 launches."""
    boot = BootState(Policy(ADAPTIVE))
    boot.policy.pace = pace
    boot.add(range(hosts))
    return boot


def kinds(orders: list[Order]) -> list[str]:
    return [type(order).__name__ for order in orders]


def launches(orders: list[Order]) -> list[int]:
    assert set(kinds(orders)) <= {"Launch"}
    return [order.rank for order in orders if isinstance(order, Launch)]
