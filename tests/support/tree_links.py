"""What the agents have between them that tree_model.py plays: connections, launches, and how one presents itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mpboot.net import wire
from mpboot.node.keyring import Keyring
from mpboot.node.offspring import Offspring

if TYPE_CHECKING:
    from mpboot.node.keyring import Way
    from tests.support.tree_node import Node

Message = tuple[Any, ...]
SECRET = bytes(wire.KEY_BYTES)


@dataclass(eq=False, repr=False)
class Link:
    """One connection: a queue for each way, and whether each end has closed it."""

    upper: Node
    lower: Node
    up: deque[Message] = field(default_factory=deque)
    down: deque[Message] = field(default_factory=deque)
    upper_open: bool = True
    lower_open: bool = True
    waits: bool = False  # the lower end is an orphan whose parent the upper end still has
    child: Offspring | None = None  # HELLO was read and the lower end is a child


@dataclass(eq=False, repr=False)
class Launching:
    """A launch under way; ``agent`` once a process has begun on the host."""

    rank: int
    attempt: int
    key: bytes
    way: Way
    agent: Node | None = None


class Hello:
    """An agent presents itself: the numbers of its key, and if it is an orphan whom it has lost and whom it brings."""

    def __init__(self, numbers: Sequence[int] | None, key: bytes, lost: Sequence[Node] | None = None) -> None:
        self.numbers = tuple(numbers or ())
        self.key = key
        self.orphan = lost is not None
        self.lost = lost or ()
        self.below: list[int] = []
        self.left: list[int] = []
        self.failed: list[int] = []
        self.ways: list[tuple[list[int], list[int]]] = []
        self.proof = b""

    def bring(self, ring: Keyring, ancestor: int, below: list[int], left: list[int], failed: list[int]) -> None:
        """It speaks for these too."""
        self.below, self.left, self.failed = below, left, failed
        self.ways, self.proof = ring.prove(self.key, ancestor, self.family)

    @property
    def family(self) -> list[int]:
        return [*self.below, *self.left, *self.failed]
