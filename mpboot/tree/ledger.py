"""Where each host is: every rank in one place at any time, and how many there are in each. Pure."""

from __future__ import annotations

from _collections import deque  # type: ignore[import-not-found]  # collections itself takes 2 ms to load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Deque, Dict, Iterable, List, Set

HEAD = -1  # the head's rank

PENDING = -1  # to be launched by this node or a child
PAUSED = -2  # before a retry
LAUNCHING = -3  # by this node
UP = -4  # and a child of this node
FAILED = -5  # for good
ORPHANED = -6  # its parent died; it may yet turn to us
TAKEN = -7  # out of pending, on its way to a launch or a child; never seen between events
URGENT = -8  # for this node itself to launch: no child can, or one has tried in vain
# Any place from 0 on is the rank of the child that the host was handed to.

PLACES = {
    PENDING: "pending", PAUSED: "paused", LAUNCHING: "launching", UP: "up", FAILED: "failed", ORPHANED: "orphaned",
    TAKEN: "taken", URGENT: "urgent",
}  # fmt: skip
UNFINISHED = (PENDING, URGENT, PAUSED, LAUNCHING, ORPHANED)


class Ledger:
    """The places of the hosts in one node's care, and the queues of those that wait."""

    def __init__(self) -> None:
        self.place: Dict[int, int] = {}
        self.attempts: Dict[int, int] = {}
        self.pending: Deque[int] = deque()  # may hold ranks that have left; their place tells
        self.urgent: Deque[int] = deque()  # likewise
        self.counts = dict.fromkeys(PLACES, 0)
        self.late: Set[int] = set()
        self.own: Set[int] = set()  # no child can launch them, or one has tried in vain: no child gets them
        self.kept: Set[int] = set()  # those of them that no child may try at all
        self.begun = 0  # launches, but for those of hosts that others have tried in vain
        self.own_launches: Set[int] = set()  # those of them that are launching

    def put(self, rank: int, place: int) -> None:
        """``rank`` is here from now on, and behind those that wait there."""
        before = self.place.get(rank)
        if before is not None and before < 0:
            self.forget(rank, before)
        self.place[rank] = place
        if place < 0:
            self.counts[place] += 1
        if place == PENDING:
            self.pending.append(rank)
        elif place == URGENT:
            self.urgent.append(rank)

    def forget(self, rank: int, place: int) -> None:
        """``rank`` leaves ``place``, for another or for good."""
        self.counts[place] -= 1
        if place == LAUNCHING:
            self.late.discard(rank)
            self.own_launches.discard(rank)

    def wait(self, rank: int) -> None:
        """``rank`` is to be launched: by this node alone where no child can, or one has tried in vain."""
        self.put(rank, URGENT if rank in self.own else PENDING)

    def keep(self, ranks: Iterable[int]) -> None:
        """These hosts, which are yet to come, are for this node alone to launch: no child ever gets them."""
        self.kept.update(ranks)
        self.own |= self.kept

    def take(self, count: int, place: int = PENDING) -> List[int]:
        """Up to ``count`` of those that wait, the first first."""
        queue = self.urgent if place == URGENT else self.pending
        taken: List[int] = []
        while queue and len(taken) < count:
            rank = queue.popleft()
            if self.place.get(rank) == place:
                self.put(rank, TAKEN)
                taken.append(rank)
        return taken

    def fresh(self) -> int:
        """How many launches are under way that are not late."""
        return self.counts[LAUNCHING] - len(self.late)

    def begin(self, room: int, own_room: int) -> List[int]:
        """Launch up to ``room`` of those that are pending, and ``own_room`` of those that a child has tried in vain."""
        doubtful = self.take(own_room, URGENT)
        self.own_launches.update(doubtful)
        self.late.update(doubtful)  # nothing is kept back for them
        ranks = self.take(room)
        self.begun += len(ranks)
        ranks += doubtful
        for rank in ranks:
            self.attempts[rank] += 1
            self.put(rank, LAUNCHING)
        return ranks

    def take_all(self) -> List[int]:
        """All that wait."""
        return [*self.take(self.counts[PENDING]), *self.take(self.counts[URGENT], URGENT)]

    def last_pending(self, count: int) -> List[int]:
        """Up to ``count`` of those that are pending, the last first; they remain where they are."""
        ranks: List[int] = []
        while self.pending and len(ranks) < count:
            rank = self.pending.pop()
            if self.place.get(rank) == PENDING:
                ranks.append(rank)
        return ranks

    def handed(self) -> int:
        """How many hosts are in children's care."""
        return len(self.place) - sum(self.counts.values())
