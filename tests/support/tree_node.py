"""One agent of the tree that tree_model.py plays.

It does in few lines what node/agent.py and node/parent.py do with a BootState's orders, and with messages. When
anything happens, and what else there is, is not known here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Pause, Reclaim, Return, Share, perform
from mpboot.tree.state import BootState

if TYPE_CHECKING:
    from tests.support.tree_model import World

Message = tuple[Any, ...]


@dataclass(eq=False, repr=False)
class Link:
    """One connection: a queue for each way, and whether each end has closed it."""

    upper: Node
    lower: Node
    up: deque[Message] = field(default_factory=deque)
    down: deque[Message] = field(default_factory=deque)
    upper_open: bool = True
    lower_open: bool = True
    accepted: bool = False  # HELLO was read and the lower end is a child


@dataclass(eq=False, repr=False)
class Launching:
    """A launch under way; ``agent`` once a process has begun on the host."""

    rank: int
    attempt: int
    agent: Node | None = None


@dataclass(eq=False, repr=False)
class Node:
    """One agent: a leaf until a share comes."""

    world: World
    rank: int
    routes: list[Node]  # parent, grandparent, …, root
    alive: bool = True
    stopped: bool = False
    boot: BootState | None = None
    shares: int = 0  # answered as a leaf
    uplink: Link | None = None
    links: dict[int, Link] = field(default_factory=dict)
    launches: dict[int, Launching] = field(default_factory=dict)
    pauses: list[tuple[float, list[int]]] = field(default_factory=list)
    told: dict[int, tuple[str, str]] = field(default_factory=dict)
    launched: list[int] = field(default_factory=list)

    # -- orders: see Performer in tree/orders.py ---------------------------------------------------

    def do(self, orders: Iterable[Order]) -> None:
        perform(orders, self)

    def launch(self, order: Launch) -> None:
        assert order.rank not in self.launches
        self.launches[order.rank] = Launching(order.rank, order.attempt)
        self.launched.append(order.rank)
        self.send("launched", 1)
        self.world.launched(order.rank)

    def kill(self, order: Kill) -> None:
        self.launches.pop(order.rank, None)

    def pause(self, order: Pause) -> None:
        assert order.delay >= 0
        self.pauses.append((order.delay, list(order.ranks)))

    def share(self, order: Share) -> None:
        self.links[order.child].down.append(("share", self.attempts(order.ranks)))

    def fail(self, order: Fail) -> None:
        self.tell(order.rank, "failed", order.cause)

    def give_back(self, order: Return) -> None:
        self.send("return", self.attempts(order.ranks), order.tried, order.disabled)

    def dismiss(self, order: Dismiss) -> None:
        raise AssertionError(f"{order}: hello deals with it")

    def done(self, order: Done) -> None:
        self.send("done", order.shares)

    def reclaim(self, order: Reclaim) -> None:
        self.links[order.child].down.append(("reclaim", order.count))

    def attempts(self, ranks: Iterable[int]) -> dict[int, int]:
        assert self.boot is not None
        return {rank: self.boot.attempts[rank] for rank in ranks}

    # -- messages, sent and received ---------------------------------------------------------------

    def tell(self, rank: int, kind: str, cause: str) -> None:
        self.told[rank] = (kind, cause)
        self.send(kind, rank, cause)

    def send(self, *message: Any) -> None:
        if self.uplink is None:
            self.world.front_door(message)
        elif self.uplink.lower_open:
            self.uplink.up.append(message)

    def from_above(self, kind: str, *body: Any) -> None:
        if kind == "stop":
            self.stop()
        elif kind == "reclaim":
            if self.boot is not None:
                self.do(self.boot.reclaim(body[0]))
        elif self.boot is None and not body[0]:
            self.shares += 1
            self.send("done", self.shares)
        else:
            if self.boot is None:
                world = self.world
                self.boot = BootState(world.new_policy(), world.retries, False, world.relaunch, self.shares)
            self.do(self.boot.add(body[0], body[0]))

    def from_below(self, link: Link, kind: str, *body: Any) -> None:
        assert self.boot is not None
        child = link.lower.rank
        if kind == "hello":
            self.hello(link, *body)
        elif not link.accepted:
            pass  # it was dismissed; what it goes on to say is not read
        elif kind == "up":
            if self.boot.believes(child, body[0], failed=False):
                self.do(self.boot.child_up(child, body[0]))
                self.tell(body[0], kind, body[1])
        elif kind == "failed":
            if self.boot.believes(child, body[0], failed=True):
                self.do(self.boot.child_failed(child, body[0]))
                self.tell(body[0], kind, body[1])
        elif kind == "launched":
            self.do(self.boot.child_launched(child, body[0]))
            self.send(kind, *body)
        elif kind == "return":
            self.do(self.boot.child_returned(child, *body))
        elif kind == "done":
            self.do(self.boot.child_done(child, *body))

    def hello(
        self, link: Link, family: tuple[list[int], list[int], dict[int, str]] | None = None, lost: Iterable[Node] = ()
    ) -> None:
        assert self.boot is not None
        rank = link.lower.rank
        if family is not None:
            below, left, failed = family
            known = [node.rank for node in lost if node.rank in self.links and self.links[node.rank].lower is node]
            orders = self.boot.adopt(rank, below, left, known, failed)
        else:
            orders = self.boot.connected(rank)
        if any(isinstance(order, Dismiss) for order in orders):
            link.down.append(("stop",))
            return
        link.accepted = True
        self.links[rank] = link
        self.launches.pop(rank, None)
        for one, cause in (family or ([], [], {}))[2].items():
            if self.boot.believes(rank, one, failed=True):
                self.tell(one, "failed", cause)
        self.tell(rank, "up", "")
        self.do(orders)

    # -- ends --------------------------------------------------------------------------------------

    def stop(self) -> None:
        """STOP came, or no ancestor is left: end, and take the children with us."""
        for link in self.links.values():
            link.down.append(("stop",))
        self.alive = False

    def child_gone(self, link: Link) -> None:
        link.upper_open = False
        link.up.clear()
        if link.accepted and self.links.get(link.lower.rank) is link:
            del self.links[link.lower.rank]
            assert self.boot is not None
            self.do(self.boot.child_lost(link.lower.rank))

    def parent_gone(self) -> None:
        assert self.uplink is not None
        self.uplink.lower_open = False
        self.uplink.down.clear()
        for at in range(1, len(self.routes)):
            if self.routes[at].alive:
                lost = self.routes[:at]
                self.routes = self.routes[at:]
                self.shares = 0
                below, left, failed = self.boot.new_parent() if self.boot is not None else ([], [], [])
                family = (below, left, {rank: self.told[rank][1] for rank in failed})
                self.world.join(self.routes[0], self, ("hello", family, lost))
                for rank, (kind, cause) in self.told.items():
                    self.send(kind, rank, cause)
                return
        self.stop()
