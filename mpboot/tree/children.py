"""The children of a node that are up: what each has in its care, who gets a share next and who gives hosts back. Pure.

Why a child is up or lost, and what becomes of the hosts that it had, is decided in state.py.
"""

from __future__ import annotations

from _collections import OrderedDict  # type: ignore[import-not-found]  # see ledger.py

from mpboot.tree.help import Help
from mpboot.tree.ledger import PENDING
from mpboot.tree.orders import Reclaim, Share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Set

    from mpboot.tree.ledger import Ledger
    from mpboot.tree.orders import Order
    from mpboot.tree.policy import Policy

    _ByRank = Dict[int, "Child"]
else:
    _ByRank = dict

NONE_CAN = 3  # children that can't launch others, if none ever could: then no child is asked to


class Child:
    """What is known of a child that is up."""

    __slots__ = ("asked", "begun", "below", "can_launch", "ended", "ever", "left", "owes", "shares", "since", "slow")

    def __init__(self) -> None:
        self.left: Set[int] = set()  # handed to it, nothing heard of yet
        self.below: Set[int] = set()  # up somewhere below it
        self.ever: Set[int] = set()  # all that were in its care
        self.shares = 0
        self.since = 0.0  # when it got its first hosts, where the time is told
        self.slow = False
        self.can_launch = True
        self.begun = 0  # launches in its care so far, repeats included
        self.ended = 0  # hosts in its care that came up or failed
        self.asked = False  # to give hosts back; it has not answered yet
        self.owes = 0  # hosts that it was asked for, at most, and has not given back

    def waiting(self) -> int:
        """About how many hosts in its care are not even being launched."""
        return len(self.left) - max(0, self.begun - self.ended)


class Children(_ByRank):
    """The children by rank, and which of them are busy, idle, able to launch, or have hosts waiting."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy
        self.busy: Set[int] = set()  # that are not done
        self.helpers: OrderedDict[int, None] = OrderedDict()  # that can launch, next in turn first
        self._idle: OrderedDict[int, None] = OrderedDict()  # those of them with nothing to begin, longest so first
        self._loaded: Set[int] = set()  # that may have hosts waiting
        self._parents: Dict[int, Child] = {}  # that have got hosts
        self._help = Help(policy)
        self._disabled = 0  # that can't launch others
        self._some_can = False  # one has launched another

    # -- one child ---------------------------------------------------------------------------------

    def welcome(self, rank: int) -> Child:
        """A child that has just come up."""
        child = self[rank] = Child()
        self.helpers[rank] = None
        return child

    def lose(self, rank: int) -> Optional[Child]:
        """What was known of a child that is no more; None if there was none."""
        child = self.pop(rank, None)
        if child is not None:
            self.busy.discard(rank)
            self._loaded.discard(rank)
            self._parents.pop(rank, None)
            self.helpers.pop(rank, None)
            self._idle.pop(rank, None)
        return child

    def ever(self, rank: int, host: int) -> bool:
        """Was ``host`` ever in this child's care?"""
        return rank in self and host in self[rank].ever

    def given(self, rank: int) -> int:
        """How many hosts were ever in this child's care."""
        return len(self[rank].ever)

    def drop(self, rank: int, host: int) -> None:
        """``host`` is no longer in this child's care."""
        self[rank].left.discard(host)
        self[rank].below.discard(host)

    def is_up(self, rank: int, host: int) -> None:
        """``host`` came up below this child."""
        child = self[rank]
        child.left.discard(host)
        child.below.add(host)
        child.ended += 1
        self._some_can = True

    def begins(self, rank: int, count: int) -> bool:
        """``count`` more launches began below this child; is it idle with that, and was not before?"""
        child = self[rank]
        child.begun += count
        able = self.policy.adaptive and child.can_launch and not child.slow
        if not able or rank in self._idle or child.waiting() > 0:
            return False
        # All that it was given is under way, so it could launch more; until that is up would be a latency lost.
        self._idle[rank] = None
        return True

    def disable(self, rank: int) -> None:
        """This child can't launch others: it gets no more shares."""
        self._disabled += self[rank].can_launch
        self[rank].can_launch = False
        if self.policy.adaptive and self._disabled >= NONE_CAN and not self._some_can:
            self.policy.shares = False  # keys are on this machine only, it seems: nobody else need try
        self.helpers.pop(rank, None)
        self._idle.pop(rank, None)

    def spare(self, rank: int) -> None:
        """This child is slow: it gets no shares, and is not asked for hosts."""
        self[rank].slow = True
        self._loaded.discard(rank)
        self.helpers.pop(rank, None)
        self._idle.pop(rank, None)

    def employ(self, rank: int) -> None:
        """This child is slow no more."""
        child = self[rank]
        child.slow = False
        if child.can_launch:
            self.helpers[rank] = None
            if child.shares and rank not in self.busy:
                self._idle[rank] = None
        if child.left and self.policy.adaptive:
            self._loaded.add(rank)

    def has_answered(self, rank: int, some: bool) -> None:
        """This child was asked for hosts; if it gave not ``some`` it is not asked again until it gets more."""
        self[rank].asked = False
        if not some:
            self._loaded.discard(rank)

    def finish(self, rank: int, hosts: Ledger) -> None:
        """This child is done: hosts that it has not reported wait here again."""
        child = self[rank]
        self.busy.discard(rank)
        self._loaded.discard(rank)
        for host in child.left:
            hosts.wait(host)
        child.left.clear()
        if child.can_launch and not child.slow:
            self._idle[rank] = None

    # -- shares ------------------------------------------------------------------------------------

    def hand(self, rank: int, ranks: List[int], hosts: Ledger) -> List[Order]:
        """Give ``ranks`` to a child; none makes it a leaf."""
        child = self[rank]
        for one in ranks:
            hosts.put(one, rank)
        child.left.update(ranks)
        child.ever.update(ranks)
        child.shares += 1
        self.busy.add(rank)
        self._idle.pop(rank, None)
        if ranks and self.policy.adaptive:
            self._loaded.add(rank)
            if rank not in self._parents:
                self._parents[rank] = child
                child.since = self._help.begins(hosts.begun)
        return [Share(rank, ranks)]

    def share(self, hosts: Ledger) -> int:
        """How many of the pending hosts a child gets that has just come up, or is idle."""
        count = self.policy.share(hosts.counts[PENDING], hosts.fresh())
        if not self.policy.adaptive or not count or self._is_full(hosts):
            return count
        return count if self._help.more(self._parents.values(), hosts.begun) else 0

    def share_out(self, hosts: Ledger) -> List[Order]:
        """Hand what nobody here can launch to the children that can, in turn."""
        orders = self._take_back() if self._in_vain(hosts) else []
        while self.policy.adaptive and self._idle and hosts.counts[PENDING]:
            count = self.share(hosts)
            if not count:
                break
            rank, _ = self._idle.popitem(last=False)
            orders += self.hand(rank, hosts.take(count), hosts)
        if self.policy.shares and not hosts.fresh():
            for left in range(len(self.helpers), 0, -1):
                if not hosts.counts[PENDING]:
                    break
                rank = next(iter(self.helpers))
                self.helpers.move_to_end(rank)
                orders += self.hand(rank, hosts.take(-(-hosts.counts[PENDING] // left)), hosts)
        return orders

    def reclaim(self, hosts: Ledger) -> List[Order]:
        """Nothing is pending: if this node or a child is idle, it may begin what the child with most has not."""
        if self._in_vain(hosts):
            return self._take_back()
        takers = len(self._idle) + (not hosts.fresh())
        if not takers or not self._loaded:
            return []
        # Who is too busy to answer keeps nobody from asking others, one for each that is idle.
        unasked = [rank for rank in self._loaded if not self[rank].asked]
        if not unasked or len(self._loaded) - len(unasked) >= takers:
            return []
        most = max(unasked, key=lambda rank: self[rank].waiting())
        count = self.policy.reclaim(self[most].waiting())
        return [self._ask(most, count)] if count else []

    def _in_vain(self, hosts: Ledger) -> bool:
        if not self._loaded or self._is_full(hosts):
            return False
        return self._help.in_vain(self._parents.values(), hosts.begun)

    def _is_full(self, hosts: Ledger) -> bool:
        return self.policy.is_full(len(hosts.place), hosts.fresh(), len(self))

    def _take_back(self) -> List[Order]:
        """Children do not help: this node had better launch what they have not begun, with no further parents below."""
        some = [(rank, self[rank].waiting()) for rank in self._loaded if not self[rank].asked]
        return [self._ask(rank, count) for rank, count in some if count > 0]

    def _ask(self, rank: int, count: int) -> Order:
        self[rank].asked = True
        self[rank].owes += count
        return Reclaim(rank, count)
