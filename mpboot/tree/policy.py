"""Whom to launch and how to share: linear, flat, ring, n-ary tree. Pure."""

from __future__ import annotations

LINEAR = "linear"
FLAT = "flat"
RING = "ring"
TREE = "tree"
TOPOLOGIES = (TREE, RING, LINEAR, FLAT)
DEFAULT_TOPOLOGY = TREE
DEFAULT_CHILDREN = 4

# Launches at once by a node whose tree has no child left that could launch for it.
OVERFLOW = 32


class Policy:
    """What a topology allows a node, and what it gives its children.

    ``width`` is the most launches under way at once, ``fanout`` the most children a node may have (0: no
    limit), ``shares`` whether children boot hosts of their own.
    """

    __slots__ = ("children", "fanout", "shares", "topology", "width")

    def __init__(self, topology: str, children: int = DEFAULT_CHILDREN) -> None:
        """Make the policy of a topology; ValueError if there is none of that name."""
        if topology not in TOPOLOGIES:
            raise ValueError("no topology %r: there are %s" % (topology, ", ".join(TOPOLOGIES)))
        if children < 1:
            raise ValueError("children must be at least 1, not %d" % children)
        self.topology = topology
        self.children = children
        self.width = 1 if topology == LINEAR else 0
        self.fanout = {TREE: children, RING: 1}.get(topology, 0)
        self.shares = topology in (TREE, RING)

    def room(self, launching: int, children: int, helpers: int) -> int:
        """How many more launches may begin.

        ``launching`` are under way and not late, ``children`` are up, ``helpers`` of them can boot others.
        """
        if not self.fanout:
            return max(0, self.width - launching) if self.width else 1 << 30
        if children + launching < self.fanout:
            return self.fanout - children - launching
        # With children of which none can boot others, this node does it all itself.
        return max(0, OVERFLOW - launching) if children and not helpers else 0

    def own_room(self, launching: int) -> int:
        """How many more launches may begin of hosts that children tried in vain; ``launching`` are under way."""
        return max(0, OVERFLOW - launching)

    def share(self, pending: int, launching: int) -> int:
        """How many of the ``pending`` hosts a child gets that has just come up, beside ``launching`` others.

        As the notes have it: an equal part. But where one more level holds all, few children get their fill and
        the rest none: the tree is as deep, and has a third of the parents, which cost more than leaves.
        """
        if not self.shares:
            return 0
        if pending <= self.fanout * (launching + 1):
            return min(pending, self.fanout)
        return -(-pending // (launching + 1))
