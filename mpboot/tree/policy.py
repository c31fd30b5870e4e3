"""Whom to launch and how to share: adaptive, n-ary tree, ring, linear, flat. Pure."""

from __future__ import annotations

ADAPTIVE = "adaptive"
TREE = "tree"
RING = "ring"
LINEAR = "linear"
FLAT = "flat"
TOPOLOGIES = (ADAPTIVE, TREE, RING, LINEAR, FLAT)
DEFAULT_TOPOLOGY = ADAPTIVE
DEFAULT_TREE_CHILDREN = 4
AUTO = 0  # --children auto: the node finds out how many launches it can keep under way

# Launches at once by a node whose tree has no child left that could launch for it.
OVERFLOW = 32
OWN = 256  # launches at once of hosts that others have tried in vain: nearly all wait until their time is over
START = 8  # launches at once that a node of an adaptive tree begins with
# Launches at once that it widens to where nobody can tell what its memory bears: all of its hosts where they are few
# enough, and else so many.
UNDIVIDED, WIDEST = 160, 100
PART = 4  # of what memory is available launches take one part
NEARLY = 0.875  # of its widest: a node that is so wide has little room left
# Seconds of this node's launching below which nothing is shared: a parent costs its host some 15 ms before it launches
# anything, and with half of less than that many hosts it would gain next to nothing.
WORTH = 0.1
PACE = 0.01  # seconds of a launcher's time for one launch, until it is known better


def choose_topology(topology: str, children: int) -> str:
    """The topology that is meant: who only says how many children each node is to have means a tree."""
    return topology or (TREE if children else DEFAULT_TOPOLOGY)


class Policy:
    """What a topology allows a node, and what it gives its children.

    ``width`` is the most launches under way at once, ``fanout`` the most children a node may have (0: no
    limit), ``shares`` whether children boot hosts of their own. An adaptive node sets ``width``, ``fanout`` (by
    its limits of open files), ``pace`` (seconds per launch) and what its memory bears as it learns them. The
    time is told (``now``, in seconds) whenever there is news; 0: nobody tells it, and all help is believed in.
    """

    __slots__ = ("adaptive", "bearable", "children", "fanout", "measured", "now", "pace", "shares", "topology", "width")

    def __init__(self, topology: str, children: int = AUTO) -> None:
        """Make the policy of a topology; ValueError if there is none of that name, or it can't be so wide."""
        if topology not in TOPOLOGIES:
            raise ValueError("no topology %r: there are %s" % (topology, ", ".join(TOPOLOGIES)))
        if children < 0:
            raise ValueError("children must be at least 1, not %d" % children)
        self.topology = topology
        self.adaptive = topology == ADAPTIVE
        self.children = children or (DEFAULT_TREE_CHILDREN if topology == TREE else AUTO)
        self.width = {LINEAR: 1, ADAPTIVE: children or START}.get(topology, 0)
        self.fanout = {TREE: self.children, RING: 1}.get(topology, 0)
        self.shares = topology in (ADAPTIVE, TREE, RING)
        self.pace = PACE
        self.measured = 0.0  # the pace, as it was measured last; 0: not yet
        self.now = 0.0
        self.bearable = 0  # launches at once, by memory; 0: not known

    def room(self, launching: int, late: int, children: int, helpers: int) -> int:
        """How many more launches may begin.

        ``launching`` are under way and ``late`` too but late, ``children`` are up, ``helpers`` of them can boot
        others.
        """
        room = max(0, self.width - launching) if self.width else 1 << 30
        if not self.fanout:
            return room
        taken = children + launching + (late if helpers else 0)
        if taken < self.fanout:
            return min(room, self.fanout - taken)
        # With children of which none can boot others, this node does it all itself.
        return min(room, max(0, OVERFLOW - launching)) if children and not helpers else 0

    def widest(self, hosts: int) -> int:
        """The most launches at once that a node with so many hosts in its care widens to by itself."""
        return self.bearable or (UNDIVIDED if hosts <= UNDIVIDED else WIDEST)

    def bears(self, available: int, each: int, launching: int) -> None:
        """So many bytes are available beside those that ``launching`` launches hold, ``each`` so much."""
        self.bearable = max(START, (available + launching * each) // (PART * each))

    def is_full(self, hosts: int, launching: int, children: int) -> bool:
        """Has this node itself hardly room for more launches?"""
        if launching >= NEARLY * self.widest(hosts):
            return True
        return bool(self.fanout) and children + launching >= self.fanout

    def narrow(self, now: float) -> None:
        """A launch has ended, ``now``: an adaptive node that finds its width has one less, until it can begin one."""
        self.now = now
        if self.adaptive and not self.children:
            self.width = max(START, self.width - 1)

    def own_room(self, launching: int) -> int:
        """How many more launches may begin of hosts that children tried in vain; ``launching`` are under way."""
        return max(0, OWN - launching)

    def share(self, pending: int, launching: int) -> int:
        """How many of the ``pending`` hosts a child gets that has just come up, or is idle, beside ``launching``.

        A tree gives an equal part to each. But where one more level holds all, few children get
        their fill and the rest none: the tree is as deep, and has a third of the parents, which cost more than
        leaves.

        Of an adaptive tree all nodes are to end at the same time, each with as many as it can boot by then, with
        its children's help. If that is less than a latency away, who comes up later can launch one less than who
        came up before: so the first of those under way gets sqrt(2 * pending). If it is more, their numbers grow
        like exp(W(n) * t / latency) where n launches fit into a latency (W is Lambert's), and those under way,
        who come up later, are worth some n / 3 of one that is up; beside them count the child and this node.
        """
        if not self.shares:
            return 0
        if self.adaptive:
            if pending * self.pace <= WORTH:
                return 0
            return min(pending // 2, max(pending // (launching // 3 + 2), int((2 * pending) ** 0.5)))
        if pending <= self.fanout * (launching + 1):
            return min(pending, self.fanout)
        return -(-pending // (launching + 1))

    def reclaim(self, waiting: int) -> int:
        """How many of the hosts that ``waiting`` at a child have not begun this idle node asks back."""
        return -(-waiting // 2) if self.adaptive and waiting * self.pace > WORTH else 0
