"""BootState: the one truth about every host in a node's care. Events in, orders out; pure.

A host, named by its rank, is in one place at a time (see ledger.py). The events are methods; each returns its orders.
"""

from __future__ import annotations

from mpboot.tree import causes
from mpboot.tree.adoption import take_over, whom_it_brings
from mpboot.tree.children import Children
from mpboot.tree.ledger import FAILED, LAUNCHING, ORPHANED, PAUSED, PENDING, UNFINISHED, UP, URGENT, Ledger
from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Pause, Return
from mpboot.tree.retries import ELSEWHERE, OwnFaults, pause_before

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Container, Dict, Iterable, List, Optional, Set, Tuple

    from mpboot.tree.children import Child
    from mpboot.tree.policy import Policy

ORPHAN_GRACE = 2.0  # seconds in which the children of a dead agent may turn to us
SILENT_GRACE = 8.0  # the same where it did not end but fell silent


class BootState(Ledger):
    """The hosts in one node's care.

    ``is_root``: there is no ancestor that could try instead. ``relaunch``: a host that was up and is lost may be booted
    again (not so where a command has begun on it). ``shares``: (empty) ones that the node has answered as a leaf.
    """

    def __init__(
        self, policy: Policy, retries: int = 1, is_root: bool = True, relaunch: bool = True, shares: int = 0
    ) -> None:
        super().__init__()
        self.policy = policy
        self.retries = retries
        self.is_root = is_root
        self.relaunch = relaunch
        self.children = Children(policy)
        self.shares = shares
        self.can_launch, self.stopped = True, ""
        self._were_up: Set[int] = set()  # and are lost
        self.leaving: Set[int] = set()  # to be lost: not to be booted again
        self._faults = OwnFaults()
        self._done = False  # and told so, for all shares so far

    # -- what the parent or the user wants ---------------------------------------------------------

    def add(self, ranks: Iterable[int], attempts: Optional[Dict[int, int]] = None) -> List[Order]:
        """A share arrived, with the attempts that its hosts have behind them."""
        self.shares += 1
        self._done = False
        for rank in ranks:
            self.leaving.discard(rank)
            # One that failed here comes again only if the parent that was told so is dead.
            if self.place.get(rank, FAILED) == FAILED:
                self.attempts[rank] = (attempts or {}).get(rank, 0)
                self.wait(rank)
        return self._go_on()

    def new_parent(self, needed: Container[int] = ()) -> Tuple[List[int], List[int], List[int]]:
        """The parent is lost, an ancestor takes its place: what it needs for ``adopt``, which names ``needed`` ones."""
        self.shares = 0  # they count anew
        below, left, failed = whom_it_brings(self, self.children)
        # Who was up and is lost may be up elsewhere by now; if not, the ancestor finds it lost by itself.
        return below, left, [one for one in failed if not self.relaunch or one in needed or one not in self._were_up]

    def stop(self, cause: str) -> List[Order]:
        """The boot ends now: whatever is not up has failed by ``cause`` (deadline, interrupted).

        Not so what is in a child's care: until the child is lost, it may still say that it came up there.
        """
        self.stopped = cause
        orders: List[Order] = []
        for rank, place in list(self.place.items()):
            if place == LAUNCHING:
                orders.append(Kill(rank))
            if place in UNFINISHED:
                orders.append(self._fail(rank, cause))
        return orders

    def reclaim(self, count: int) -> List[Order]:
        """The parent has nothing left to do: give back up to ``count`` hosts that are pending, the last first."""
        ranks = [] if self.stopped else self.last_pending(count)
        self._give_back(ranks, False)
        return [Return(ranks, False, not self.can_launch), *self._go_on()]

    # -- launches ----------------------------------------------------------------------------------

    def widen(self, width: int) -> List[Order]:
        """This machine can keep ``width`` launches under way, or as many as it is known to."""
        if self.policy.width:
            self.policy.width = max(self.policy.width, min(width, self.policy.widest(len(self.place))))
        return self._go_on()

    def narrow(self, now: float) -> None:
        """A launch has ended, ``now``. Whether another begins is for ``widen``, and until then for children."""
        self.policy.narrow(now)

    def not_launched(self, rank: int) -> List[Order]:
        """``rank`` was to be launched, but this machine can't carry more launches than it does now."""
        if self.place.get(rank) != LAUNCHING:
            return []
        self.attempts[rank] -= 1
        self.begun -= rank not in self.own_launches
        self.wait(rank)
        self.policy.width = max(1, self.counts[LAUNCHING])
        return [] if self.can_launch or self.is_root else self._go_on()  # the parent may have room

    def is_late(self, rank: int) -> List[Order]:
        """The launch of ``rank`` takes much longer than others': nothing is kept back for it."""
        if self.place.get(rank) != LAUNCHING or rank in self.late:
            return []
        self.late.add(rank)
        self.can_launch &= not self._faults.hang(len(self.late), self.policy.fanout)
        return self._go_on()

    def connected(self, rank: int) -> List[Order]:
        """An agent for ``rank`` has connected, from whichever attempt."""
        if self.stopped or self.place.get(rank) not in UNFINISHED:
            return [Dismiss(rank)]
        self._faults.possible = False
        self._welcome(rank)
        ranks = self.take(self.children.share(self))
        return [*self.children.hand(rank, ranks, self), *self._go_on()]

    def launch_failed(
        self, rank: int, cause: str, busy: bool = False, waits: bool = False, own: bool = False
    ) -> List[Order]:
        """The launch of ``rank`` under way has failed by ``cause``.

        It is tried again in any case if the host is ``busy``, or the boot ``waits`` for what passes. Else, and if the
        fault is this machine's ``own``, the next attempt is an ancestor's, who may reach the host.
        """
        if self.place.get(rank) != LAUNCHING:
            return []
        if busy or self.is_root or (waits and not own and self.attempts[rank] % ELSEWHERE != 1):
            if waits and rank not in self.kept:
                self.own.discard(rank)  # any node may be the one to reach it when it has started
            return [*self._retry(rank, cause, again=busy or waits), *self._go_on()]
        self.can_launch &= not self._faults.give_up(self.counts[LAUNCHING] - 1, waits, own)
        return [*self._give_back([rank], True), *self._go_on()]

    def resume(self, ranks: Iterable[int]) -> List[Order]:
        """The pause of ``ranks`` is over."""
        orders: List[Order] = []
        for rank in ranks:
            if self.place.get(rank) == PAUSED:
                self.wait(rank)
            elif self.place.get(rank) == ORPHANED:
                # Nobody spoke for it: whatever was there is gone with its parent.
                orders += self._retry(rank, causes.LOST, at_once=True)
        return [*orders, *self._go_on()]

    # -- news from a child -------------------------------------------------------------------------

    def believes(self, child: int, rank: int) -> bool:
        """Does a child's word that ``rank`` is up, or failed, count (and go upward)? Not so of what it has no more."""
        return child in self.children and self.place.get(rank) == child

    def child_up(self, child: int, rank: int) -> List[Order]:
        """``rank`` came up somewhere below ``child``."""
        if self.believes(child, rank):
            self.children.is_up(child, rank)
        return []

    def child_launched(self, child: int, count: int) -> List[Order]:
        """``count`` more launches began below ``child``."""
        if child in self.children and self.children.begins(child, count):
            return self._go_on()
        return []

    def child_failed(self, child: int, rank: int) -> List[Order]:
        """``rank`` failed for good below ``child``, which has sent the cause."""
        if self.believes(child, rank):
            self._were_up |= self.children[child].below & {rank}
            self.children.drop(child, rank)
            self.put(rank, FAILED)
            self.children[child].ended += 1
        return []  # the child is still busy, or the orphans' grace runs: either leads on

    def child_returned(self, child: int, attempts: Dict[int, int], tried: bool, disabled: bool) -> List[Order]:
        """``child`` gives hosts back, with their attempts so far; see Return for the rest."""
        known = self.children.get(child)
        if known is None:
            return []
        if disabled:
            self.children.disable(child)
        if known.asked and not tried:
            self.children.has_answered(child, bool(attempts))
        known.ended += len(attempts) if tried else 0
        back = [rank for rank in attempts if self.place.get(rank) == child]
        if tried:
            self.own.update(back)
        for rank in back:
            self.children.drop(child, rank)
            self.attempts[rank] = attempts[rank]
            self.wait(rank)
        # The last attempt is the root's, whatever the others were.
        last = [rank for rank in back if tried and not self.is_root and attempts[rank] >= self.retries]
        return [*self._give_back(last, True), *self._go_on()]

    def child_done(self, child: int, shares: int) -> List[Order]:
        """``child`` has finished its first ``shares`` shares."""
        known = self.children.get(child)
        if known is None or shares < known.shares:
            return []
        self.children.finish(child, self)
        return self._go_on()

    def child_lost(self, child: int, silent: bool = False) -> List[Order]:
        """The connection to ``child`` broke, or fell ``silent``: then its children notice less soon."""
        known = self.children.lose(child)
        if known is None:
            return []
        self._were_up.update(known.below, (child,))
        orphans = [*known.left, *known.below]
        orders = self._retry(child, causes.LOST)
        for rank in orphans:
            self.put(rank, ORPHANED)
        if self.stopped:
            orders += [self._fail(rank, self.stopped) for rank in orphans]
        elif orphans:
            orders.append(Pause(orphans, SILENT_GRACE if silent else ORPHAN_GRACE))
        return [*orders, *self._go_on()]

    def holders(self, ranks: Iterable[int]) -> Set[int]:
        """The children that have any of these in their care."""
        return {self.place[rank] for rank in ranks if self.place.get(rank, UP) >= 0}

    def adopt(self, rank: int, below: Iterable[int], left: Iterable[int], failed: Iterable[int] = ()) -> List[Order]:
        """``rank`` turned to us; ``below`` are up, ``left`` unfinished and ``failed`` failed for good in its care."""
        below, left, failed = list(below), list(left), list(failed)
        if self.stopped or any(self.place.get(one) not in UNFINISHED for one in [rank, *below, *left]):
            return [Dismiss(rank)]
        # It will say so again of all that are up or failed: until then it is as if it had heard nothing of them.
        theirs = [*below, *left, *[one for one in failed if self.place.get(one) in UNFINISHED]]
        orders = take_over(self, self.children, rank, [rank, *theirs])
        self._were_up.update(below)
        self.attempts[rank] += 1  # whoever launched it: else it might come, and be lost, for ever
        child = self._welcome(rank)
        child.left.update(theirs)
        child.ever.update(theirs, failed)
        return [*orders, *self.children.hand(rank, [], self), *self._go_on()]

    @property
    def finished(self) -> bool:
        """Nothing is left to do in this node's care."""
        return not self.children.busy and not any(self.counts[place] for place in UNFINISHED)

    # -- inside ------------------------------------------------------------------------------------

    def _fail(self, rank: int, cause: str) -> Order:
        self.put(rank, FAILED)
        return Fail(rank, cause)

    def _welcome(self, rank: int) -> Child:
        self.put(rank, UP)
        return self.children.welcome(rank)

    def _give_back(self, ranks: List[int], tried: bool) -> List[Order]:
        for rank in ranks:
            self.forget(rank, self.place.pop(rank))
        return [Return(ranks, tried, not self.can_launch)] if ranks else []

    def _retry(self, rank: int, cause: str, again: bool = False, at_once: bool = False) -> List[Order]:
        attempt = self.attempts[rank]
        over = self._done or rank in self.leaving or (rank in self._were_up and not self.relaunch)
        if self.stopped or (cause == causes.LOST and over):
            return [self._fail(rank, self.stopped or cause)]
        if attempt > self.retries and not again:
            return [self._fail(rank, cause)] if self.is_root else self._give_back([rank], True)
        self.put(rank, PAUSED)
        return [Pause([rank], 0.0 if at_once else pause_before(rank, attempt))]

    def _go_on(self) -> List[Order]:
        """Deal with what is pending, and see whether all is done."""
        orders: List[Order] = []
        if self.counts[PENDING] or self.counts[URGENT]:
            if self.stopped:
                orders += [self._fail(rank, self.stopped) for rank in self.take_all()]
            elif self.can_launch or self.is_root:
                orders += [*self._launch(), *self.children.share_out(self)]
            else:
                orders += self._give_back(self.take(self.counts[PENDING]), False)
                orders += self._give_back(self.take(self.counts[URGENT], URGENT), True)
        elif not self.stopped:
            orders += self.children.reclaim(self)
        if not self._done and not self.stopped and self.finished:
            self._done = True
            return [*orders, Done(self.shares)]
        return orders

    def _launch(self) -> List[Order]:
        helpers = len(self.children.helpers) if self.policy.shares else 0
        room = self.policy.room(self.fresh(), len(self.late), len(self.children), helpers)
        own = self.policy.own_room(len(self.own_launches))
        return [Launch(rank, self.attempts[rank]) for rank in self.begin(room, own)]
