"""Which child leads to which hosts: a message for some of them goes down once for each link that leads there. Pure."""

from __future__ import annotations

from mpboot.tree.ledger import UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List, Mapping


def ways(ranks: Iterable[int], place: Mapping[int, int], own: int) -> Dict[int, List[int]]:
    """The hosts by the child that leads there, or ``own`` for the node itself.

    ``place``: see ledger.py. To a host that is in nobody's care now, no way leads: it is left out.
    """
    found: Dict[int, List[int]] = {}
    for rank in ranks:
        if rank == own:
            found[own] = [own]
            continue
        at = place.get(rank, UP - 1)
        child = rank if at == UP else at
        if child >= 0:
            found.setdefault(child, []).append(rank)
    return found
