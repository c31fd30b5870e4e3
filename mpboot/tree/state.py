"""BootState: the one truth about every host in a node's care. Events in, orders out; pure.

A host is named by its rank. At any time it is in one place: pending, urgent (pending, and no child may have
it), paused (before a retry), launching, up, failed, handed to a child, orphaned (its parent died; it may yet
turn to us), or no longer ours. The events are this class's methods; each returns the orders that follow from
it, to be carried out in order.
"""

from __future__ import annotations

from collections import OrderedDict

from mpboot.tree import causes
from mpboot.tree.ledger import FAILED, LAUNCHING, ORPHANED, PAUSED, PENDING, UNFINISHED, UP, URGENT, Ledger
from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Pause, Reclaim, Return, Share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List, Optional, Set, Tuple

    from mpboot.tree.policy import Policy

PAUSE = 0.5  # seconds before the first retry; doubles with each
LONGEST = 4.0  # seconds at most, give or take the jitter
ORPHAN_GRACE = 2.0  # seconds in which the children of a dead agent may turn to us
SILENT_GRACE = 8.0  # the same where it did not end but fell silent
NONE_CAN = 3  # children that can't launch others, if none ever could: then no child is asked to
GIVE_UP_AFTER = 2  # launches in a row that failed by this machine's own fault, none ever having succeeded


class Child:
    """What is known of a child that is up."""

    __slots__ = ("asked", "begun", "below", "can_launch", "ended", "left", "shares")

    def __init__(self) -> None:
        self.left: Set[int] = set()  # handed to it, nothing heard of yet
        self.below: Set[int] = set()  # up somewhere below it
        self.shares = 0
        self.can_launch = True
        self.begun = 0  # launches in its care so far, repeats included
        self.ended = 0  # hosts in its care that came up or failed
        self.asked = False  # to give hosts back; it has not answered yet

    def waiting(self) -> int:
        """About how many hosts in its care are not even being launched."""
        return len(self.left) - max(0, self.begun - self.ended)


class BootState(Ledger):
    """The hosts in one node's care.

    ``is_root``: there is no ancestor that could try instead. ``relaunch``: a host that was up and is lost
    may be booted again (not so where a command has begun on it). ``shares``: how many (empty) shares the
    node has answered as a leaf before.
    """

    def __init__(
        self, policy: Policy, retries: int = 1, is_root: bool = True, relaunch: bool = True, shares: int = 0
    ) -> None:
        super().__init__()
        self.policy = policy
        self.retries = retries
        self.is_root = is_root
        self.relaunch = relaunch
        self.children: Dict[int, Child] = {}
        self.shares = shares
        self.can_launch = True
        self.stopped = ""
        self._busy: Set[int] = set()  # children that are not done
        self._helpers: OrderedDict[int, None] = OrderedDict()  # children that can launch, next in turn first
        self._idle: OrderedDict[int, None] = OrderedDict()  # those of them with nothing to begin, longest so first
        self._loaded: Set[int] = set()  # children that may have hosts waiting
        self._were_up: Set[int] = set()  # and are lost
        self._own_faults = 0
        self._disabled = 0  # children that can't launch others
        self._some_can = False  # a child has launched another
        self._succeeded = False
        self._done = False  # and told so, for all shares so far

    # -- what the parent or the user wants ---------------------------------------------------------

    def add(self, ranks: Iterable[int], attempts: Optional[Dict[int, int]] = None) -> List[Order]:
        """A share arrived, with the attempts that its hosts have behind them."""
        self.shares += 1
        self._done = False
        for rank in ranks:
            # One that failed here comes again only if the parent that was told so is dead.
            if self.place.get(rank, FAILED) == FAILED:
                self.attempts[rank] = (attempts or {}).get(rank, 0)
                self._put(rank, PENDING)
        return self._go_on()

    def new_parent(self) -> Tuple[List[int], List[int], List[int]]:
        """The parent is lost, an ancestor takes its place: what it needs for ``adopt``. Shares count anew."""
        self.shares = 0
        below = [*self.children]
        left: List[int] = []
        failed: List[int] = []
        for child in self.children.values():
            below += child.below
            left += child.left
        for rank, place in self.place.items():
            if place == FAILED:
                failed.append(rank)
            elif place in UNFINISHED:
                left.append(rank)
        return below, left, failed

    def stop(self, cause: str) -> List[Order]:
        """The boot ends now: whatever is not up has failed by ``cause`` (deadline, interrupted)."""
        self.stopped = cause
        orders: List[Order] = []
        for rank, place in list(self.place.items()):
            if place == LAUNCHING:
                orders.append(Kill(rank))
            elif place >= 0 and rank in self.children[place].left:
                self.children[place].left.discard(rank)
            elif place not in UNFINISHED:
                continue
            orders.append(self._fail(rank, cause))
        return orders

    def reclaim(self, count: int) -> List[Order]:
        """The parent has nothing left to do: give back up to ``count`` hosts that are pending, the last first."""
        ranks: List[int] = []
        while self.pending and len(ranks) < count and not self.stopped:
            rank = self.pending.pop()
            if self.place.get(rank) == PENDING:
                ranks.append(rank)
        self._give_back(ranks, False)
        return [Return(ranks, False, not self.can_launch), *self._go_on()]

    # -- launches ----------------------------------------------------------------------------------

    def widen(self, width: int) -> List[Order]:
        """This machine can keep ``width`` launches under way, or as many as it is known to."""
        self.policy.width = max(self.policy.width, width) if self.policy.width else 0
        return self._go_on()

    def not_launched(self, rank: int) -> List[Order]:
        """``rank`` was to be launched, but this machine can't carry more launches than it does now."""
        if self.place.get(rank) != LAUNCHING:
            return []
        self.attempts[rank] -= 1
        self._wait(rank)
        self.policy.width = max(1, self.counts[LAUNCHING])
        return []

    def is_late(self, rank: int) -> List[Order]:
        """The launch of ``rank`` takes much longer than its siblings': nothing is kept back for it."""
        if self.place.get(rank) != LAUNCHING or rank in self.late:
            return []
        self.late.add(rank)
        return self._go_on()

    def connected(self, rank: int) -> List[Order]:
        """An agent for ``rank`` has connected, from whichever attempt."""
        if self.stopped or self.place.get(rank) not in UNFINISHED:
            return [Dismiss(rank)]
        self._succeeded = True
        child = self._welcome(rank)
        ranks = self._take(self.policy.share(self.counts[PENDING], self._fresh()))
        return [*self._hand(child, rank, ranks), *self._go_on()]

    def launch_failed(self, rank: int, cause: str, again: bool = False) -> List[Order]:
        """The launch of ``rank`` under way has failed by ``cause``; ``again``: to be tried again in any case."""
        if self.place.get(rank) != LAUNCHING:
            return []
        if again or cause not in causes.LAUNCHERS or self.is_root:
            return [*self._retry(rank, cause, again=again), *self._go_on()]
        self._own_faults += 1
        if self._own_faults >= GIVE_UP_AFTER and not self._succeeded:
            self.can_launch = False
        return [*self._give_back([rank], True), *self._go_on()]

    def resume(self, ranks: Iterable[int]) -> List[Order]:
        """The pause of ``ranks`` is over."""
        orders: List[Order] = []
        for rank in ranks:
            if self.place.get(rank) == PAUSED:
                self._wait(rank)
            elif self.place.get(rank) == ORPHANED:
                # Nobody spoke for it: whatever was there is gone with its parent.
                orders += self._retry(rank, causes.LOST, 0.0)
        return [*orders, *self._go_on()]

    # -- news from a child -------------------------------------------------------------------------

    def believes(self, child: int, rank: int, failed: bool) -> bool:
        """Does a child's word that ``rank`` is up, or failed, count (and go upward)? Not so of what others have now."""
        known = (child, ORPHANED, FAILED) if failed else (child,)
        return child in self.children and self.place.get(rank) in known

    def child_up(self, child: int, rank: int) -> List[Order]:
        """``rank`` came up somewhere below ``child``."""
        if self.believes(child, rank, False):
            self.children[child].left.discard(rank)
            self.children[child].below.add(rank)
            self.children[child].ended += 1
            self._some_can = True
        return []

    def child_launched(self, child: int, count: int) -> List[Order]:
        """``count`` more launches began below ``child``."""
        known = self.children.get(child)
        if known is None:
            return []
        known.begun += count
        if not self.policy.adaptive or not known.can_launch or child in self._idle or known.waiting() > 0:
            return []
        # All that it was given is under way, so it could launch more; until that is up would be a latency lost.
        self._idle[child] = None
        return self._go_on()

    def child_failed(self, child: int, rank: int) -> List[Order]:
        """``rank`` failed for good below ``child``; the child has said so with the cause."""
        if self.believes(child, rank, True):
            self._drop(child, rank)
            self._put(rank, FAILED)
            self.children[child].ended += 1
        return []  # the child is still busy, or the orphans' grace runs: either leads on

    def child_returned(self, child: int, attempts: Dict[int, int], tried: bool, disabled: bool) -> List[Order]:
        """``child`` gives hosts back, with their attempts so far; see Return for the rest."""
        if child not in self.children:
            return []
        if disabled:
            self._disabled += self.children[child].can_launch
            self.children[child].can_launch = False
            if self.policy.adaptive and self._disabled >= NONE_CAN and not self._some_can:
                self.policy.shares = False  # keys are on this machine only, it seems: nobody else need try
            self._helpers.pop(child, None)
            self._idle.pop(child, None)
        self.children[child].asked = False
        self.children[child].ended += len(attempts) if tried else 0
        back = [rank for rank in attempts if self.place.get(rank) == child]
        if tried:
            self._own.update(back)
        for rank in back:
            self._drop(child, rank)
            self.attempts[rank] = attempts[rank]
            self._wait(rank)
        return self._go_on()

    def child_done(self, child: int, shares: int) -> List[Order]:
        """``child`` has finished its first ``shares`` shares."""
        known = self.children.get(child)
        if known is None or shares < known.shares:
            return []
        self._busy.discard(child)
        self._loaded.discard(child)
        for rank in known.left:
            self._wait(rank)
        known.left.clear()
        if known.can_launch:
            self._idle[child] = None
        return self._go_on()

    def child_lost(self, child: int, silent: bool = False) -> List[Order]:
        """The connection to ``child`` broke, or fell ``silent``: then its children notice less soon."""
        known = self.children.pop(child, None)
        if known is None:
            return []
        self._busy.discard(child)
        self._loaded.discard(child)
        self._helpers.pop(child, None)
        self._idle.pop(child, None)
        self._were_up.update(known.below, (child,))
        orphans = [*known.left, *known.below]
        orders = self._retry(child, causes.LOST)
        for rank in orphans:
            self._put(rank, ORPHANED)
        if self.stopped:
            orders += [self._fail(rank, self.stopped) for rank in orphans]
        elif orphans:
            orders.append(Pause(orphans, SILENT_GRACE if silent else ORPHAN_GRACE))
        return [*orders, *self._go_on()]

    def adopt(
        self,
        rank: int,
        below: Iterable[int],
        left: Iterable[int],
        lost: Iterable[int] = (),
        failed: Iterable[int] = (),
    ) -> List[Order]:
        """``rank`` turned to us; ``below`` are up, ``left`` unfinished and ``failed`` failed for good in its care.

        ``lost`` are those of our children that it has lost as its ancestors; not so a child whose rank such an
        ancestor had, but whose agent is a later one.
        """
        below, left = list(below), list(left)
        free = {*UNFINISHED, *lost}
        family = [rank, *below, *left]
        if self.stopped or any(self.place.get(one) not in free for one in family):
            return [Dismiss(rank)]
        failed = [one for one in failed if self.place.get(one) in free]
        orders: List[Order] = []
        for one in [*family, *failed]:
            if self.place[one] >= 0:
                self._drop(self.place[one], one)
            elif self.place[one] == LAUNCHING:
                orders.append(Kill(one))
            self._put(one, rank)
        for one in failed:
            self._put(one, FAILED)
        child = self._welcome(rank)
        child.below.update(below)
        child.left.update(left)
        return [*orders, *self._hand(child, rank, []), *self._go_on()]

    # -- the numbers -------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Nothing is left to do in this node's care."""
        return not self._busy and not any(self.counts[place] for place in UNFINISHED)

    def handed(self) -> int:
        """How many hosts are in children's care."""
        return len(self.place) - sum(self.counts.values())

    # -- inside ------------------------------------------------------------------------------------

    def _fail(self, rank: int, cause: str) -> Order:
        self._put(rank, FAILED)
        return Fail(rank, cause)

    def _welcome(self, rank: int) -> Child:
        self._put(rank, UP)
        self.children[rank] = Child()
        self._helpers[rank] = None
        return self.children[rank]

    def _drop(self, child: int, rank: int) -> None:
        self.children[child].left.discard(rank)
        self.children[child].below.discard(rank)

    def _hand(self, child: Child, rank: int, ranks: List[int]) -> List[Order]:
        for one in ranks:
            self._put(one, rank)
        child.left.update(ranks)
        child.shares += 1
        self._busy.add(rank)
        self._idle.pop(rank, None)
        if ranks and self.policy.adaptive:
            self._loaded.add(rank)
        return [Share(rank, ranks)]

    def _give_back(self, ranks: List[int], tried: bool) -> List[Order]:
        for rank in ranks:
            self._forget(rank, self.place.pop(rank))
        return [Return(ranks, tried, not self.can_launch)] if ranks else []

    def _retry(self, rank: int, cause: str, pause: float = PAUSE, again: bool = False) -> List[Order]:
        attempt = self.attempts[rank]
        dead = cause == causes.LOST and (self._done or (rank in self._were_up and not self.relaunch))
        if self.stopped or dead or (attempt > self.retries and not again):
            return [self._fail(rank, self.stopped or cause)]
        self._put(rank, PAUSED)
        # Jitter by a hash keeps the decision pure, and still spreads a thousand retries.
        jitter = ((rank + 1) * 2654435761 + attempt * 40503) % 1024 / 1024
        return [Pause([rank], min(LONGEST, pause * (1 << max(0, attempt - 1))) * (0.5 + jitter))]

    def _go_on(self) -> List[Order]:
        """Deal with what is pending, and see whether all is done."""
        orders: List[Order] = []
        if self.counts[PENDING] or self.counts[URGENT]:
            if self.stopped:
                waiting = [*self._take(self.counts[PENDING]), *self._take(self.counts[URGENT], URGENT)]
                orders += [self._fail(rank, self.stopped) for rank in waiting]
            elif self.can_launch or self.is_root:
                orders += [*self._launch(), *self._share_out()]
            else:
                orders += self._give_back(self._take(self.counts[PENDING]), False)
                orders += self._give_back(self._take(self.counts[URGENT], URGENT), True)
        elif self._loaded and not self.stopped and (self._idle or not self._fresh()):
            orders += self._reclaim()
        if not self._done and not self.stopped and self.finished:
            self._done = True
            orders.append(Done(self.shares))
        return orders

    def _reclaim(self) -> List[Order]:
        """This node or a child of its is idle: what the child with most has not begun may be begun here."""
        if any(self.children[child].asked for child in self._loaded):
            return []
        most = max(self._loaded, key=lambda child: self.children[child].waiting())
        count = self.policy.reclaim(self.children[most].waiting())
        if not count:
            return []
        self.children[most].asked = True
        return [Reclaim(most, count)]

    def _launch(self) -> List[Order]:
        helpers = len(self._helpers) if self.policy.shares else 0
        room = self.policy.room(self._fresh(), len(self.late), len(self.children), helpers)
        ranks = self._take(room)
        for rank in self._take(self.policy.own_room(len(self._own_launches)), URGENT):
            ranks.append(rank)
            self._own_launches.add(rank)
            self.late.add(rank)  # a doubtful one: nothing is kept back for it
        orders: List[Order] = []
        for rank in ranks:
            self.attempts[rank] += 1
            self._put(rank, LAUNCHING)
            orders.append(Launch(rank, self.attempts[rank]))
        return orders

    def _share_out(self) -> List[Order]:
        """Hand what nobody here can launch to the children that can, in turn."""
        orders: List[Order] = []
        while self.policy.adaptive and self._idle and self.counts[PENDING]:
            count = self.policy.share(self.counts[PENDING], self._fresh())
            if not count:
                break
            child, _ = self._idle.popitem(last=False)
            orders += self._hand(self.children[child], child, self._take(count))
        if self.policy.shares and not self._fresh():
            for left in range(len(self._helpers), 0, -1):
                if not self.counts[PENDING]:
                    break
                child = next(iter(self._helpers))
                self._helpers.move_to_end(child)
                orders += self._hand(self.children[child], child, self._take(-(-self.counts[PENDING] // left)))
        return orders
