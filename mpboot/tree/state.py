"""BootState: the one truth about every host in a node's care. Events in, orders out; pure.

A host is named by its rank. At any time it is in one place: pending, paused (before a retry), launching,
up, failed, handed to a child, orphaned (its parent died; it may yet turn to us), or no longer ours. The
events are this class's methods; each returns the orders that follow from it, to be carried out in order.
"""

from __future__ import annotations

from collections import deque

from mpboot.tree import causes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Deque, Dict, Iterable, List, Optional, Set

    from mpboot.tree.policy import Policy

PENDING = -1
PAUSED = -2
LAUNCHING = -3
UP = -4
FAILED = -5
ORPHANED = -6
TAKEN = -7  # out of pending, on its way to a launch or a child; never seen between events
# Any place from 0 on is the rank of the child that the host was handed to.

PLACES = {PENDING: "pending", PAUSED: "paused", LAUNCHING: "launching", UP: "up", FAILED: "failed", ORPHANED: "orphaned", TAKEN: "taken"}

PAUSE = 0.5  # seconds before the first retry; doubles with each
ORPHAN_GRACE = 8.0  # seconds in which the children of a dead agent may turn to us
GIVE_UP_AFTER = 2  # launches in a row that failed by this machine's own fault, none ever having succeeded


class Order:
    """Something to be done. Orders of a kind with the same content are equal."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "%s(%s)" % (type(self).__name__, ", ".join("%s=%r" % (n, getattr(self, n)) for n in self.__slots__))


class Launch(Order):
    """Launch ``rank``; ``attempt`` counts from 1 over all launchers."""

    __slots__ = ("attempt", "rank")

    def __init__(self, rank: int, attempt: int) -> None:
        self.rank = rank
        self.attempt = attempt


class Kill(Order):
    """End the launch of ``rank`` that is under way: the host is up or no longer wanted."""

    __slots__ = ("rank",)

    def __init__(self, rank: int) -> None:
        self.rank = rank


class Pause(Order):
    """Call ``resume(ranks)`` after ``delay`` seconds."""

    __slots__ = ("delay", "ranks")

    def __init__(self, ranks: List[int], delay: float) -> None:
        self.ranks = ranks
        self.delay = delay


class Share(Order):
    """Hand ``ranks`` to ``child``; none makes it a leaf."""

    __slots__ = ("child", "ranks")

    def __init__(self, child: int, ranks: List[int]) -> None:
        self.child = child
        self.ranks = ranks


class Fail(Order):
    """Tell upward that ``rank`` failed for good."""

    __slots__ = ("cause", "rank")

    def __init__(self, rank: int, cause: str) -> None:
        self.rank = rank
        self.cause = cause


class Return(Order):
    """Give ``ranks`` back to the parent.

    ``tried``: this node's launches of them failed, an ancestor must try. ``disabled``: this node can't
    launch at all, it wants no more.
    """

    __slots__ = ("disabled", "ranks", "tried")

    def __init__(self, ranks: List[int], tried: bool, disabled: bool) -> None:
        self.ranks = ranks
        self.tried = tried
        self.disabled = disabled


class Dismiss(Order):
    """Stop the agent of ``rank`` that has just connected: another has its place."""

    __slots__ = ("rank",)

    def __init__(self, rank: int) -> None:
        self.rank = rank


class Done(Order):
    """Tell upward that everything of the first ``shares`` shares is finished."""

    __slots__ = ("shares",)

    def __init__(self, shares: int) -> None:
        self.shares = shares


class Child:
    """What is known of a child that is up."""

    __slots__ = ("below", "can_launch", "done", "left", "shares")

    def __init__(self) -> None:
        self.left: Set[int] = set()  # handed to it, nothing heard of yet
        self.below: Set[int] = set()  # up somewhere below it
        self.shares = 0
        self.done = False
        self.can_launch = True


class BootState:
    """The hosts in one node's care.

    ``is_root``: there is no ancestor that could try instead. ``relaunch``: a host that was up and is lost
    may be booted again (not so where a command has begun on it).
    """

    def __init__(self, policy: Policy, retries: int = 1, is_root: bool = True, relaunch: bool = True) -> None:
        self.policy = policy
        self.retries = retries
        self.is_root = is_root
        self.relaunch = relaunch
        self.place: Dict[int, int] = {}
        self.attempts: Dict[int, int] = {}
        self.children: Dict[int, Child] = {}
        self.pending: Deque[int] = deque()
        self.counts = {place: 0 for place in PLACES}
        self.late: Set[int] = set()
        self.shares = 0
        self.can_launch = True
        self.stopped = ""
        self._urgent: List[int] = []  # pending, but for this node itself to launch: a child has tried in vain
        self._busy: Set[int] = set()  # children that are not done
        self._own_faults = 0
        self._succeeded = False
        self._announced = 0

    # -- what the parent or the user wants ---------------------------------------------------------

    def add(self, ranks: Iterable[int], attempts: Optional[Dict[int, int]] = None) -> List[Order]:
        """A share arrived, with the attempts that its hosts have behind them."""
        self.shares += 1
        taken = [rank for rank in ranks if rank not in self.place]
        for rank in taken:
            self.attempts[rank] = (attempts or {}).get(rank, 0)
            self._put(rank, PENDING)
        if not self.can_launch and not self.is_root:
            return [*self._give_back(taken, False), *self._go_on()]
        return self._go_on()

    def stop(self, cause: str) -> List[Order]:
        """The boot ends now: whatever is not up has failed by ``cause`` (deadline, interrupted)."""
        self.stopped = cause
        orders: List[Order] = []
        for rank, place in list(self.place.items()):
            if place == LAUNCHING:
                orders.append(Kill(rank))
            elif place >= 0 and rank in self.children[place].left:
                self.children[place].left.discard(rank)
            elif place not in (PENDING, PAUSED, ORPHANED):
                continue
            self._put(rank, FAILED)
            orders.append(Fail(rank, cause))
        return orders

    # -- launches ----------------------------------------------------------------------------------

    def is_late(self, rank: int) -> List[Order]:
        """The launch of ``rank`` takes much longer than its siblings': nothing is kept back for it."""
        if self.place.get(rank) != LAUNCHING or rank in self.late:
            return []
        self.late.add(rank)
        return self._go_on()

    def connected(self, rank: int) -> List[Order]:
        """An agent for ``rank`` has connected, from whichever attempt."""
        place = self.place.get(rank)
        if self.stopped or place not in (PENDING, PAUSED, LAUNCHING, ORPHANED):
            return [Dismiss(rank)]
        self._succeeded = True
        self._put(rank, UP)
        child = self.children[rank] = Child()
        ranks = self._take(self.policy.share(self.counts[PENDING], self._fresh()))
        return [*self._hand(child, rank, ranks), *self._go_on()]

    def launch_failed(self, rank: int, cause: str) -> List[Order]:
        """The launch of ``rank`` under way has failed by ``cause``."""
        if self.place.get(rank) != LAUNCHING:
            return []
        if cause in causes.LAUNCHERS and not self.is_root:
            self._own_faults += 1
            if self._own_faults >= GIVE_UP_AFTER and not self._succeeded:
                self.can_launch = False
                back = [r for r, place in self.place.items() if place in (PENDING, PAUSED)]
                return [*self._give_back([rank], True), *self._give_back(back, False), *self._go_on()]
            return [*self._give_back([rank], True), *self._go_on()]
        return [*self._retry([rank], cause), *self._go_on()]

    def resume(self, ranks: Iterable[int]) -> List[Order]:
        """The pause of ``ranks`` is over."""
        orders: List[Order] = []
        for rank in ranks:
            if self.place.get(rank) == PAUSED:
                self._put(rank, PENDING)
            elif self.place.get(rank) == ORPHANED:
                # Nobody spoke for it: whatever was there is gone with its parent.
                orders += self._retry([rank], causes.LOST, 0.0)
        return [*orders, *self._go_on()]

    # -- news from a child -------------------------------------------------------------------------

    def child_up(self, child: int, rank: int) -> List[Order]:
        """``rank`` came up somewhere below ``child``."""
        if child in self.children and self.place.get(rank) == child:
            self.children[child].left.discard(rank)
            self.children[child].below.add(rank)
        return []

    def child_failed(self, child: int, rank: int) -> List[Order]:
        """``rank`` failed for good below ``child``; the child has said so with the cause."""
        if child in self.children and self.place.get(rank) == child:
            self._drop(child, rank)
            self._put(rank, FAILED)
        return []

    def child_returned(self, child: int, attempts: Dict[int, int], tried: bool, disabled: bool) -> List[Order]:
        """``child`` gives hosts back, with their attempts so far; see Return for the rest."""
        if child not in self.children:
            return []
        if disabled:
            self.children[child].can_launch = False
        back = [rank for rank in attempts if self.place.get(rank) == child]
        for rank in back:
            self._drop(child, rank)
            self.attempts[rank] = attempts[rank]
            self._put(rank, PENDING)
        if not self.can_launch and not self.is_root:
            return [*self._give_back(back, tried), *self._go_on()]
        if tried:
            self._urgent += back
        return self._go_on()

    def child_done(self, child: int, shares: int) -> List[Order]:
        """``child`` has finished its first ``shares`` shares."""
        known = self.children.get(child)
        if known is None or shares < known.shares:
            return []
        known.done = True
        self._busy.discard(child)
        for rank in list(known.left):
            self._drop(child, rank)
            self._put(rank, PENDING)
        return self._go_on()

    def child_lost(self, child: int) -> List[Order]:
        """The connection to ``child`` broke or fell silent."""
        known = self.children.pop(child, None)
        if known is None:
            return []
        self._busy.discard(child)
        orphans = [*known.left, *known.below]
        for rank in orphans:
            self._put(rank, ORPHANED)
        orders = self._retry([child], causes.LOST)
        if orphans and not self.stopped:
            orders.append(Pause(orphans, ORPHAN_GRACE))
        elif self.stopped:
            for rank in orphans:
                self._put(rank, FAILED)
                orders.append(Fail(rank, self.stopped))
        return [*orders, *self._go_on()]

    def adopt(self, rank: int, below: Iterable[int], left: Iterable[int], lost: Iterable[int] = ()) -> List[Order]:
        """``rank`` turned to us, since those of its ancestors that are nearer to it are ``lost`` to it.

        ``below`` are up and ``left`` unfinished in its care.
        """
        below, left = list(below), list(left)
        free = {PENDING, PAUSED, LAUNCHING, ORPHANED, *lost}
        family = [rank, *below, *left]
        if self.stopped or any(self.place.get(one) not in free for one in family):
            return [Dismiss(rank)]
        for one in family:
            if self.place[one] in self.children:
                self._drop(self.place[one], one)
        orders: List[Order] = [Kill(one) for one in family if self.place[one] == LAUNCHING]
        self._put(rank, UP)
        child = self.children[rank] = Child()
        for one in family[1:]:
            self._put(one, rank)
        child.below.update(below)
        child.left.update(left)
        return [*orders, *self._hand(child, rank, []), *self._go_on()]

    # -- the numbers -------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Nothing is left to do in this node's care."""
        counts = self.counts
        return not (counts[PENDING] or counts[PAUSED] or counts[LAUNCHING] or counts[ORPHANED] or self._busy)

    def handed(self) -> int:
        """How many hosts are in children's care."""
        return len(self.place) - sum(self.counts.values())

    # -- inside ------------------------------------------------------------------------------------

    def _put(self, rank: int, place: int) -> None:
        before = self.place.get(rank)
        if before is not None and before < 0:
            self.counts[before] -= 1
            self.late.discard(rank)
        self.place[rank] = place
        if place < 0:
            self.counts[place] += 1
        if place == PENDING:
            self.pending.append(rank)

    def _leave(self, rank: int) -> None:
        self.counts[self.place.pop(rank)] -= 1
        self.late.discard(rank)

    def _drop(self, child: int, rank: int) -> None:
        self.children[child].left.discard(rank)
        self.children[child].below.discard(rank)

    def _take(self, count: int) -> List[int]:
        taken: List[int] = []
        while self.pending and len(taken) < count:
            rank = self.pending.popleft()
            if self.place.get(rank) == PENDING:
                self._put(rank, TAKEN)
                taken.append(rank)
        return taken

    def _fresh(self) -> int:
        return self.counts[LAUNCHING] - len(self.late)

    def _hand(self, child: Child, rank: int, ranks: List[int]) -> List[Order]:
        for one in ranks:
            self._put(one, rank)
        child.left.update(ranks)
        child.shares += 1
        child.done = False
        self._busy.add(rank)
        return [Share(rank, ranks)]

    def _give_back(self, ranks: List[int], tried: bool) -> List[Order]:
        ranks = [rank for rank in ranks if self.place.get(rank, UP) in (PENDING, PAUSED, LAUNCHING)]
        for rank in ranks:
            self._leave(rank)
        return [Return(ranks, tried, not self.can_launch)] if ranks else []

    def _retry(self, ranks: List[int], cause: str, pause: float = PAUSE) -> List[Order]:
        orders: List[Order] = []
        for rank in ranks:
            attempt = self.attempts[rank]
            dead = cause == causes.LOST and (not self.relaunch or self._announced == self.shares)
            if self.stopped or dead or attempt > self.retries:
                self._put(rank, FAILED)
                orders.append(Fail(rank, self.stopped or cause))
            else:
                # Jitter by a hash keeps the decision pure, and still spreads a thousand retries.
                jitter = ((rank + 1) * 2654435761 + attempt * 40503) % 1024 / 1024
                self._put(rank, PAUSED)
                orders.append(Pause([rank], pause * (1 << max(0, attempt - 1)) * (0.5 + jitter)))
        return orders

    def _go_on(self) -> List[Order]:
        """Launch what there is room for, share what nobody here can launch, and see whether all is done."""
        orders: List[Order] = []
        if not self.stopped and (self.can_launch or self.is_root):
            urgent = [rank for rank in self._urgent if self.place.get(rank) == PENDING]
            self._urgent = []
            for rank in urgent:
                self._put(rank, TAKEN)
            helpers = [rank for rank, child in self.children.items() if child.can_launch] if self.policy.shares else []
            room = self.policy.room(self._fresh(), len(self.children), len(helpers)) if self.counts[PENDING] else 0
            for rank in [*urgent, *self._take(room)]:
                self.attempts[rank] += 1
                self._put(rank, LAUNCHING)
                orders.append(Launch(rank, self.attempts[rank]))
            if helpers and not self._fresh():
                for at, rank in enumerate(helpers):
                    ranks = self._take(-(-self.counts[PENDING] // (len(helpers) - at)))
                    if ranks:
                        orders += self._hand(self.children[rank], rank, ranks)
        if self.finished and self._announced < self.shares and not self.stopped:
            self._announced = self.shares
            orders.append(Done(self.shares))
        return orders
