"""The tree that a boot builds when every launch takes equally long and succeeds: computed by the very same

BootState that boots, one for each node, on a clock that counts launches one after another («steps»).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mpboot._version import __version__
from mpboot.tree import state
from mpboot.tree.ledger import HEAD
from mpboot.tree.orders import Done, Launch, Order, Share
from mpboot.tree.policy import Policy


@dataclass
class Place:
    """A host's place in the tree. ``step``: how many launches, one after another, it takes until it is up."""

    parent: int
    level: int
    step: int
    children: list[int] = field(default_factory=list)


@dataclass
class Plan:
    """Where each host goes, by its number in ``labels``; the head is HEAD."""

    topology: str
    children: int
    labels: Sequence[str]
    places: dict[int, Place]

    @property
    def levels(self) -> int:
        """The depth of the tree; 1 where the head launches all."""
        return max(place.level for place in self.places.values())

    @property
    def steps(self) -> int:
        """Launches one after another until the last host is up."""
        return max(place.step for place in self.places.values())

    @property
    def widest(self) -> int:
        """The most children that a node has."""
        return max(len(place.children) for place in self.places.values())

    def to_dict(self) -> dict[str, object]:
        """The plan for programs."""
        hosts = {
            label: {
                "parent": "head" if self.places[rank].parent == HEAD else self.labels[self.places[rank].parent],
                "level": self.places[rank].level,
                "step": self.places[rank].step,
            }
            for rank, label in enumerate(self.labels)
        }
        return {
            "mpboot": __version__, "topology": self.topology, "children": self.children, "levels": self.levels,
            "steps": self.steps, "hosts": hosts,
        }  # fmt: skip

    def summary(self) -> str:
        """The plan in one line."""
        total = len(self.labels)
        levels, steps, widest = self.levels, self.steps, self.widest
        return (
            f"{total} host{'s' * (total != 1)}, {self.topology}: {levels} level{'s' * (levels != 1)}, "
            f"at most {widest} child{'ren' * (widest != 1)} each, {steps} launch{'es' * (steps != 1)} "
            "one after another"
        )

    def drawing(self) -> Iterator[str]:
        """The lines of the tree; a chain of only children stays in its column."""
        yield "head"
        stack = [(rank, "", rank == self.places[HEAD].children[-1]) for rank in reversed(self.places[HEAD].children)]
        while stack:
            rank, indent, last = stack.pop()
            place = self.places[rank]
            chained = len(self.places[place.parent].children) == 1
            yield indent + ("↓   " if chained else "└── " if last else "├── ") + self.labels[rank]
            below = indent if chained else indent + ("    " if last else "│   ")
            stack += [(child, below, child == place.children[-1]) for child in reversed(place.children)]


def plan(labels: Sequence[str], topology: str, children: int) -> Plan:
    """Plan a boot of the hosts ``labels`` (at least one). ValueError for what Policy refuses."""
    places = {HEAD: Place(HEAD, 0, 0)}
    states = {HEAD: state.BootState(Policy(topology, children))}
    ending: deque[tuple[int, int, int]] = deque()  # (step, launcher, rank): always in the order of steps
    todo: deque[tuple[int, list[Order]]] = deque([(HEAD, states[HEAD].add(range(len(labels))))])
    now = 0
    while todo or ending:
        if not todo:
            now, launcher, rank = ending.popleft()
            places[rank] = Place(launcher, places[launcher].level + 1, now)
            places[launcher].children.append(rank)
            todo.append((launcher, states[launcher].connected(rank)))
            node = launcher
            while node != HEAD:
                above = places[node].parent
                todo.append((above, states[above].child_up(node, rank)))
                node = above
        node, orders = todo.popleft()
        for order in orders:
            if isinstance(order, Launch):
                ending.append((now + 1, node, order.rank))
            elif isinstance(order, Share):
                if order.child not in states:
                    states[order.child] = state.BootState(Policy(topology, children), is_root=False)
                todo.append((order.child, states[order.child].add(order.ranks)))
            elif isinstance(order, Done) and node != HEAD:
                parent = places[node].parent
                todo.append((parent, states[parent].child_done(node, order.shares)))
    return Plan(topology, children, labels, places)
