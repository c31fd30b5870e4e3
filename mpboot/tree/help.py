"""Whether children that were given hosts to boot make the whole faster, or only share what this node boots with. Pure.

Children may run on this node's own processors, or wait for the same file server or name server as it does. Then each
that becomes a parent costs what a parent costs, and nothing is gained. What tells is how many launches begin, here
and below, against the pace that this node had alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Protocol, Set

    from mpboot.tree.policy import Policy

    class Helper(Protocol):
        """A child that has got hosts: when it got the first, all of them, and the launches that have begun there."""

        since: float
        ever: Set[int]
        begun: int


FEW = 4  # children that are given hosts before anything is known of the first
FIRST = 8  # launches that a child orders at once, whatever its processors do: they show nothing
OWN_PART = 0.5  # of its own pace that this node keeps where children help: it has more to do than alone
CHILD_PART = 0.1  # of this node's own pace that a child adds at least where it helps
SURE = 16  # launches of this node alone, in whose time it must have shown


class Help:
    """What the children of an adaptive node add; its policy tells it the time.

    Not of one whose width is set: how many it begins is no matter of its pace.
    """

    __slots__ = ("_before", "_policy", "_rate", "_since")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._rate = 0.0  # launches a second, of this node alone
        self._since = 0.0  # when the first child got hosts
        self._before = 0  # launches of this node until then

    def begins(self, own: int) -> float:
        """A child gets its first hosts; when that is."""
        policy = self._policy
        if not self._since and policy.now and policy.measured and not policy.children:
            self._since, self._before, self._rate = policy.now, own, 1 / policy.measured
        return policy.now

    def more(self, helpers: Collection[Helper], own: int) -> bool:
        """May one more than these children get hosts? ``own``: launches that this node has begun itself."""
        if len(helpers) < FEW or not self._since:
            return True
        gained = self._gained(helpers, own)
        return len(helpers) < FEW + gained and gained >= self._due(helpers)

    def in_vain(self, helpers: Collection[Helper], own: int) -> bool:
        """Is it sure that these do not help?"""
        if not self._since or len(helpers) < FEW or (self._policy.now - self._since) * self._rate < SURE:
            return False
        return self._gained(helpers, own) < self._due(helpers)

    def _gained(self, helpers: Collection[Helper], own: int) -> int:
        """Launches that have begun since, here and below."""
        return own - self._before + sum(max(0, child.begun - FIRST) for child in helpers)

    def _due(self, helpers: Collection[Helper]) -> float:
        """The least that there must be of them."""
        now, rate = self._policy.now, self._rate
        below = sum(max(0.0, min((now - child.since) * rate, len(child.ever)) - FIRST) for child in helpers)
        return OWN_PART * (now - self._since) * rate + CHILD_PART * below
