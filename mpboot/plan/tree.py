"""The tree that a boot builds when every launch takes equally long and succeeds.

It is computed by the very BootState that boots, one for each node, on a clock that counts launches one after another:
the steps. No I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mpboot._version import __version__
from mpboot.tree.ledger import HEAD
from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Pause, Reclaim, Return, Share, perform
from mpboot.tree.policy import Policy
from mpboot.tree.state import BootState


@dataclass
class PlannedNode:
    """The head, or a host in the tree. ``step``: how many launches, one after another, it takes until it is up."""

    parent: int
    level: int
    step: int
    children: list[int] = field(default_factory=list)


@dataclass
class PlannedTree:
    """Where each host goes, by its number in ``labels``; the head is HEAD."""

    topology: str
    children: int
    labels: Sequence[str]
    nodes: dict[int, PlannedNode]

    @property
    def levels(self) -> int:
        """The depth of the tree; 1 where the head launches all."""
        return max(node.level for node in self.nodes.values())

    @property
    def steps(self) -> int:
        """Launches one after another until the last host is up."""
        return max(node.step for node in self.nodes.values())

    @property
    def widest(self) -> int:
        """The most children that a node has."""
        return max(len(node.children) for node in self.nodes.values())

    def to_dict(self) -> dict[str, object]:
        """The tree for programs."""
        hosts = {}
        for rank, label in enumerate(self.labels):
            node = self.nodes[rank]
            parent = "head" if node.parent == HEAD else self.labels[node.parent]
            hosts[label] = {"parent": parent, "level": node.level, "step": node.step}
        return {
            "mpboot": __version__, "topology": self.topology, "children": self.children or "auto",
            "levels": self.levels, "steps": self.steps, "hosts": hosts,
        }  # fmt: skip

    def summary(self) -> str:
        """The tree in one line."""
        total = len(self.labels)
        levels, steps, widest = self.levels, self.steps, self.widest
        return (
            f"{total} host{'s' * (total != 1)}, {self.topology}: {levels} level{'s' * (levels != 1)}, "
            f"at most {widest} child{'ren' * (widest != 1)} each, all up in the time of "
            f"{steps} launch{'es' * (steps != 1)}"
        )

    def drawing(self) -> Iterator[str]:
        """The lines of the tree; a chain of only children stays in its column."""
        yield "head"
        stack = [(rank, "", rank == self.nodes[HEAD].children[-1]) for rank in reversed(self.nodes[HEAD].children)]
        while stack:
            rank, indent, last = stack.pop()
            node = self.nodes[rank]
            chained = len(self.nodes[node.parent].children) == 1
            yield indent + ("↓   " if chained else "└── " if last else "├── ") + self.labels[rank]
            below = indent if chained else indent + ("    " if last else "│   ")
            stack += [(child, below, child == node.children[-1]) for child in reversed(node.children)]


def plan_tree(labels: Sequence[str], topology: str, children: int) -> PlannedTree:
    """Plan a boot of the hosts ``labels`` (at least one). ValueError for what Policy refuses."""
    return PlannedTree(topology, children, labels, _Planner(topology, children).run(len(labels)))


class _Planner:
    """A boot in which launches end in the order in which they began, each one step later."""

    def __init__(self, topology: str, children: int) -> None:
        self.nodes = {HEAD: PlannedNode(HEAD, 0, 0)}
        self.now = 0  # the step
        self.ending: deque[tuple[int, int, int]] = deque()  # (step, launcher, rank): always in the order of steps
        self.todo: deque[tuple[_Parent, list[Order]]] = deque()
        self._topology = topology
        self._children = children
        self._parents: dict[int, _Parent] = {}

    def run(self, hosts: int) -> dict[int, PlannedNode]:
        """The head and all hosts in their places."""
        self.add(HEAD, range(hosts))
        while self.todo or self.ending:
            if not self.todo:
                self._launch_ends(*self.ending.popleft())
            parent, orders = self.todo.popleft()
            perform(orders, parent)
        return self.nodes

    def add(self, rank: int, share: Sequence[int]) -> None:
        """``rank`` gets a share of hosts; its first makes it a parent, if an empty one."""
        if rank not in self._parents:
            state = BootState(Policy(self._topology, self._children), is_root=rank == HEAD)
            self._parents[rank] = _Parent(self, rank, state)
        parent = self._parents[rank]
        self.todo.append((parent, parent.state.add(share)))

    def done(self, child: int, shares: int) -> None:
        """``child`` tells its parent that its first ``shares`` shares are finished."""
        parent = self._parents[self.nodes[child].parent]
        self.todo.append((parent, parent.state.child_done(child, shares)))

    def _launch_ends(self, step: int, launcher: int, rank: int) -> None:
        self.now = step
        self.nodes[rank] = PlannedNode(launcher, self.nodes[launcher].level + 1, step)
        self.nodes[launcher].children.append(rank)
        parent = self._parents[launcher]
        self.todo.append((parent, parent.state.connected(rank)))
        node = launcher
        while node != HEAD:
            above = self._parents[self.nodes[node].parent]
            self.todo.append((above, above.state.child_up(node, rank)))
            node = above.rank


class _Parent:
    """One node's BootState, and how its orders are carried out where no launch ever fails."""

    def __init__(self, planner: _Planner, rank: int, state: BootState) -> None:
        self.planner = planner
        self.rank = rank
        self.state = state

    def launch(self, order: Launch) -> None:
        self.planner.ending.append((self.planner.now + 1, self.rank, order.rank))

    def share(self, order: Share) -> None:
        self.planner.add(order.child, order.ranks)

    def done(self, order: Done) -> None:
        if self.rank != HEAD:
            self.planner.done(self.rank, order.shares)

    def reclaim(self, order: Reclaim) -> None:
        """Hosts stay where they were handed to: in a plan no node is slower than another."""

    def _never(self, order: Kill | Pause | Fail | Return | Dismiss) -> None:
        raise AssertionError(f"{order}, though no launch has failed")

    kill = pause = fail = give_back = dismiss = _never
