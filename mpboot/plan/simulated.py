"""What a simulated boot came to."""

from __future__ import annotations

from mpboot.plan.machines import Machines
from mpboot.tree.ledger import HEAD


class SimulatedBoot:
    """What a simulated boot came to; times are seconds since its start.

    ``seconds``: all hosts that are neither slow nor dead are up. ``living``: the slow ones are up too. ``finished``:
    the dead ones are given up as well. ``launches``: how many each node began, by rank, of those that began any.
    """

    def __init__(self, topology: str, children: int, machines: Machines) -> None:
        self.topology = topology
        self.children = children
        self.machines = machines
        self.seconds = self.living = self.finished = 0.0
        self.level: dict[int, int] = {}  # of each host that is up
        self.parent: dict[int, int] = {}
        self.up_at: dict[int, float] = {}
        self.failed: dict[int, float] = {}
        self.launches: dict[int, int] = {}

    @property
    def depth(self) -> int:
        """Levels of the tree below the head."""
        return max(self.level.values(), default=0)

    @property
    def parents(self) -> int:
        """Hosts that launched others, the head not counted."""
        return len(self.launches) - (HEAD in self.launches)

    def launches_per_node(self) -> tuple[float, int]:
        """The mean over all nodes that launched, and the most by one of them."""
        return sum(self.launches.values()) / max(1, len(self.launches)), max(self.launches.values(), default=0)
