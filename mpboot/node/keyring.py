"""The keys of a node's hosts: which agent may speak for which host, and which family is its own. Pure.

How keys are derived is in net/keys.py. A way is the list of (rank, number) of the nodes that handed a host on, the root
first; its last is the node that launches.
"""

from __future__ import annotations

from mpboot.net import keys
from mpboot.net.wire import mac, same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List, Optional, Sequence, Set, Tuple

    Way = Tuple[Tuple[int, int], ...]  # rank and number of each node that handed a host on


MOST_REFUSED = 1 << 10  # agents that were sent away, and are remembered


def numbers_from(way: Sequence[Sequence[int]], rank: int) -> Optional[Tuple[int, ...]]:
    """The numbers on the way down from the node ``rank``, its own first; None if it is not on the way."""
    for at in range(len(way) - 1, -1, -1):
        if way[at][0] == rank:
            return tuple(number for _, number in way[at:])
    return None


class Keyring:
    """The hosts that one node was given; ``rank``: the node's own."""

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._number = 0  # the last that was used
        self._keys: Dict[int, bytes] = {}
        self._ways: Dict[int, Way] = {}
        self._launches: Dict[int, Set[int]] = {}  # the numbers of this node's own, by host
        self._refused: Dict[
            Tuple[int, Tuple[int, ...]], None
        ] = {}  # rank and numbers of who was sent away, oldest first
        self._handed: Dict[int, int] = {}  # under which number a host is in a child's care

    def take(self, rank: int, key: bytes, way: Way) -> None:
        """A host was given to this node."""
        self._keys[rank] = key
        self._ways[rank] = way
        self._launches[rank] = set()
        self._handed.pop(rank, None)

    def launch(self, rank: int) -> Tuple[bytes, Way]:
        """A new launch of a host: its key, and its way."""
        self._number += 1
        self._launches[rank].add(self._number)
        self._handed.pop(rank, None)  # it is in this node's own hands: nobody comes by what a child was told
        return keys.of_launch(self._keys[rank], self._number), (*self._ways[rank], (self._rank, self._number))

    def share(self, ranks: Iterable[int]) -> Tuple[int, Dict[int, bytes]]:
        """Hosts are handed to a child: the number of that, and each host's key there."""
        self._number += 1
        given = {}
        for rank in ranks:
            self._handed[rank] = self._number
            self._launches[rank].clear()
            given[rank] = keys.of_share(self._keys[rank], self._number)
        return self._number, given

    def by_way(self, ranks: Iterable[int]) -> Dict[Way, List[int]]:
        """The ways on which hosts came to this node, and which came on each: later ones may have come on others."""
        ways: Dict[Way, List[int]] = {}
        for rank in ranks:
            ways.setdefault(self._ways[rank], []).append(rank)
        return ways

    def returned(self, ranks: Iterable[int]) -> None:
        """Hosts came back from a child: agents with keys from this child may not speak for them any more."""
        for rank in ranks:
            self._handed.pop(rank, None)

    def arrived(self, rank: int, numbers: Tuple[int, ...]) -> None:
        """An agent that these numbers lead to is a child now: nobody comes by the key of the same launch again."""
        if len(numbers) == 1:
            self._launches[rank].discard(numbers[0])

    def refused(self, rank: int, numbers: Tuple[int, ...]) -> None:
        """An agent that these numbers lead to was sent away: nobody comes by that key again."""
        self.arrived(rank, numbers)
        self._refused[rank, numbers] = None
        if len(self._refused) > MOST_REFUSED:
            del self._refused[next(iter(self._refused))]

    def find(self, rank: int, numbers: Tuple[int, ...]) -> Optional[bytes]:
        """The key of a host's agent that was launched along these numbers; None if it has no business here."""
        key = self._at(rank, numbers[:-1]) if numbers and (rank, numbers) not in self._refused else None
        if key is None or (len(numbers) == 1 and numbers[0] not in self._launches[rank]):
            return None
        return keys.of_launch(key, numbers[-1])

    def _at(self, rank: int, numbers: Tuple[int, ...]) -> Optional[bytes]:
        """The key of a host at a node below that it was handed to along these numbers."""
        if rank not in self._keys or (numbers and self._handed.get(rank) != numbers[0]):
            return None
        return keys.along(self._keys[rank], numbers)

    # -- an orphan's family ------------------------------------------------------------------------

    def prove(self, key: bytes, ancestor: int, ranks: Sequence[int]) -> Tuple[List[Tuple[List[int], List[int]]], bytes]:
        """What shows an ancestor that these hosts were given to this node.

        For each way on which they came from there its numbers, and its hosts; and a proof under this agent's ``key``.
        """
        ways = [(list(numbers_from(way, ancestor) or ()), whose) for way, whose in self.by_way(ranks).items()]
        return ways, mac(key, *(self._keys[rank] for rank in sorted(ranks)))

    def proves(
        self, key: bytes, ranks: Sequence[int], ways: Iterable[Tuple[Sequence[int], Sequence[int]]], proof: bytes
    ) -> bool:
        """Were these hosts given to the orphan that says so, and are they still in the care of that child of ours?"""
        if not ranks:
            return True  # a leaf speaks for nobody
        came = {rank: tuple(numbers) for numbers, whose in ways for rank in whose}
        theirs = [self._at(rank, came[rank]) if came.get(rank) else None for rank in sorted(ranks)]
        return all(theirs) and same(proof, mac(key, *(one for one in theirs if one is not None)))
