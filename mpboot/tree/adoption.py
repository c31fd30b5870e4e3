"""An orphan turns to an ancestor: what it says of its family, and how hosts change hands. Pure."""

from __future__ import annotations

from mpboot.tree.ledger import FAILED, LAUNCHING, UNFINISHED
from mpboot.tree.orders import Kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Tuple

    from mpboot.tree.children import Children
    from mpboot.tree.ledger import Ledger
    from mpboot.tree.orders import Order


def whom_it_brings(hosts: Ledger, children: Children) -> Tuple[List[int], List[int], List[int]]:
    """Who is up below a node, who is not finished, and who failed."""
    below = [*children]
    left: List[int] = []
    failed: List[int] = []
    for child in children.values():
        below += child.below
        left += child.left
    for rank, place in hosts.place.items():
        if place == FAILED:
            failed.append(rank)
        elif place in UNFINISHED:
            left.append(rank)
    return below, left, failed


def take_over(hosts: Ledger, children: Children, rank: int, own: List[int]) -> List[Order]:
    """Put the family of ``rank`` into its care, whoever had it; launches of theirs that are under way end."""
    orders: List[Order] = []
    for one in own:
        if hosts.place[one] >= 0:
            children.drop(hosts.place[one], one)
        elif hosts.place[one] == LAUNCHING:
            orders.append(Kill(one))
        hosts.put(one, rank)
    return orders
