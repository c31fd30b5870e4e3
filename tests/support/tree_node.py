"""One agent of the tree that tree_model.py plays.

It does in few lines what node/agent.py and node/parent.py do with a BootState's orders, and with messages. What a child
says is taken by the real FromChild, and keys are those of a real Keyring. When anything happens, and what else there
is, is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from mpboot.net import messages, wire
from mpboot.node.care import Care, Limits
from mpboot.node.from_child import FromChild
from mpboot.node.keyring import Keyring, numbers_from
from mpboot.node.offspring import Offspring
from mpboot.node.verdicts import Verdicts
from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Pause, Reclaim, Return, Share, perform
from mpboot.tree.state import BootState
from tests.support.tree_links import SECRET, Hello, Launching, Link

if TYPE_CHECKING:
    from mpboot.node.keyring import Way
    from tests.support.tree_model import World

KINDS = {name: getattr(wire, name.upper()) for name in ("up", "failed", "launched", "return", "done")}


@dataclass(eq=False, repr=False)
class Node:
    """One agent: a leaf until a share comes."""

    world: World
    rank: int
    routes: list[Node]  # parent, grandparent, …, root
    key: bytes = SECRET
    way: Way = ()
    alive: bool = True
    boot: BootState | None = None
    shares: int = 0  # answered as a leaf
    uplink: Link | None = None
    links: dict[int, Link] = field(default_factory=dict)
    launches: dict[int, Launching] = field(default_factory=dict)
    pauses: list[tuple[float, list[int]]] = field(default_factory=list)
    told: dict[int, messages.Up | messages.Failed] = field(default_factory=dict)
    launched: list[int] = field(default_factory=list)

    hostile = False

    def __post_init__(self) -> None:
        self.keys = Keyring(self.rank)
        self._verdicts = Verdicts(self.rank)
        self._said: dict[int, Any] = {}

    def become_parent(self, is_root: bool) -> BootState:
        """Be more than a leaf."""
        world = self.world
        boot = self.boot = BootState(world.new_policy(), world.retries, is_root, world.relaunch, self.shares)
        care = Care(boot, lambda *_: False, lambda *_: False)
        news, uplink, limits = _News(self), _Uplink(self), Limits(world.settings, len(self.routes))
        talk = FromChild(
            boot, news, uplink, None, self._verdicts, care, limits, self.keys, None, self.do  # type: ignore[arg-type]
        )  # fmt: skip
        self._said = talk.handlers()
        return boot

    # -- orders: see Performer in tree/orders.py ---------------------------------------------------

    def do(self, orders: Iterable[Order]) -> None:
        perform(orders, self)

    def launch(self, order: Launch) -> None:
        assert order.rank not in self.launches
        self.launches[order.rank] = Launching(order.rank, order.attempt, *self.keys.launch(order.rank))
        self.launched.append(order.rank)
        self.send("launched", messages.Launched(1, 0))
        self.world.launched(order.rank)

    def kill(self, order: Kill) -> None:
        self.launches.pop(order.rank, None)

    def pause(self, order: Pause) -> None:
        assert order.delay >= 0
        self.pauses.append((order.delay, list(order.ranks)))

    def share(self, order: Share) -> None:
        assert self.boot is not None
        if not order.ranks:
            self.links[order.child].down.append(("share", {}))
            return
        number, given = self.keys.share(order.ranks)
        hosts = {
            rank: (self.boot.attempts[rank], given[rank], (*way, (self.rank, number)))
            for way, ranks in self.keys.by_way(order.ranks).items()
            for rank in ranks
        }
        link = self.links[order.child]
        assert link.child is not None
        link.child.moves()
        link.down.append(("share", hosts))

    def fail(self, order: Fail) -> None:
        assert self.boot is not None
        self.tell(self._verdicts.failed(order, self.boot.attempts[order.rank]))

    def give_back(self, order: Return) -> None:
        assert self.boot is not None
        for part in self._verdicts.returned(order, self.boot.attempts):
            self.send("return", part)
        for rank in order.ranks:
            self.told.pop(rank, None)

    def dismiss(self, order: Dismiss) -> None:
        raise AssertionError(f"{order}: hello deals with it")

    def done(self, order: Done) -> None:
        self.send("done", order.shares)

    def reclaim(self, order: Reclaim) -> None:
        self.links[order.child].down.append(("reclaim", order.count))

    # -- messages, sent and received ---------------------------------------------------------------

    def tell(self, record: messages.Up | messages.Failed) -> None:
        self.told[record.rank] = record
        self.send("up" if isinstance(record, messages.Up) else "failed", record)

    def send(self, kind: str, body: Any) -> None:
        if self.uplink is None:
            self.world.front_door(kind, body)
        elif self.uplink.lower_open:
            self.uplink.up.append((kind, body))

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
            hosts: dict[int, tuple[int, bytes, Way]] = body[0]
            boot = self.boot or self.become_parent(False)
            for rank, (_, key, way) in hosts.items():
                self.keys.take(rank, key, way)
            self.do(boot.add(hosts, {rank: attempts for rank, (attempts, *_) in hosts.items()}))

    def from_below(self, link: Link, kind: str, body: Any) -> None:
        """What a child says; it is lost if that may not be, which no honest one ever hears."""
        if kind == "hello":
            self.hello(link, body)
            return
        if link.child is None:
            return  # it was dismissed; what it goes on to say is not read
        why = ""
        try:
            self._said[KINDS[kind]](link.child, packed(body))
        except ValueError as error:
            why = str(error)
        if why:
            assert link.lower.hostile, f"honest {link.lower.rank} is lost to {self.rank} for {kind} {body}: {why}"
            self.child_gone(link)

    def hello(self, link: Link, said: Hello) -> None:
        assert self.boot is not None
        rank = link.lower.rank
        orders: list[Order] = [Dismiss(rank)]
        if self.keys.find(rank, said.numbers) == said.key and (said.orphan == (len(said.numbers) > 1)):
            if not said.orphan:
                orders = self.boot.connected(rank)
            elif self.keys.proves(said.key, said.family, said.ways, said.proof):
                holders = self.boot.holders([rank, *said.below, *said.left])
                lost = {one.rank for one in said.lost if one.rank in self.links and self.links[one.rank].lower is one}
                if holders and lost.issuperset(holders):
                    link.up.appendleft(("hello", said))
                    link.waits = True
                    return
                orders = self.boot.adopt(rank, said.below, said.left, said.failed)
        if any(isinstance(order, Dismiss) for order in orders):
            link.down.append(("stop",))
            return
        link.waits = False
        self.keys.arrived(rank, said.numbers)
        at = (self.rank, rank)
        self.world.accepted[at] = self.world.accepted.get(at, 0) + 1
        if said.orphan:
            self.send("launched", messages.Launched(1, 0))
        greeting: Any = SimpleNamespace(rank=rank, pid=1, parent=True, compiled=False)
        link.child = Offspring(greeting, _Nowhere(), {})  # type: ignore[arg-type]
        self.links[rank] = link
        self.launches.pop(rank, None)
        attempts = self.boot.attempts.get(rank, 0)
        self.tell(messages.Up(rank, self.rank, 1, 0.0, 0.0, 1, attempts, ""))
        self.do(orders)

    def knows_better(self, link: Link) -> bool:
        """Is the child alive that an orphan, which waits, calls lost?"""
        assert self.boot is not None
        _, said = link.up[0]
        holders = self.boot.holders([link.lower.rank, *said.below, *said.left])
        return all(self.links[one].lower.alive and self.links[one].lower_open for one in holders)

    # -- ends --------------------------------------------------------------------------------------

    def stop(self) -> None:
        """STOP came, or no ancestor is left: end, and take the children with us."""
        for link in self.links.values():
            link.down.append(("stop",))
        self.alive = False

    def child_gone(self, link: Link) -> None:
        link.upper_open = False
        link.up.clear()
        if link.child is not None and self.links.get(link.lower.rank) is link:
            del self.links[link.lower.rank]
            assert self.boot is not None
            self.do(self.boot.child_lost(link.lower.rank))
            for other in self.world.links:
                other.waits = other.waits and other.upper is not self

    def parent_gone(self) -> None:
        assert self.uplink is not None
        self.uplink.lower_open = False
        self.uplink.down.clear()
        for at in range(1, len(self.routes)):
            if self.routes[at].alive:
                lost = self.routes[:at]
                self.routes = self.routes[at:]
                self.shares = 0
                said = Hello(numbers_from(self.way, self.routes[0].rank), self.key, lost)
                if self.boot is not None:
                    parents = {one.parent for one in self.told.values() if isinstance(one, messages.Up)}
                    family = self.boot.new_parent(parents)
                    said.bring(self.keys, self.routes[0].rank, *family)
                    kept = {self.rank, *(rank for ranks in family for rank in ranks)}
                    self.told = {rank: one for rank, one in self.told.items() if {rank, teller(one)} <= kept}
                self.world.join(self.routes[0], self, said)
                for record in list(self.told.values()):
                    self.tell(record)
                return
        self.stop()

    def key_for(self, rank: int) -> Launching:
        """A launch of a host that a liar does not begin: its key and way, for whoever is to play the agent."""
        return Launching(rank, 0, *self.keys.launch(rank))

    def hand(self, ranks: Sequence[int], to: Node) -> None:
        """A liar has another play the parent of hosts in its care."""
        number, given = self.keys.share(ranks)
        for way, whose in self.keys.by_way(ranks).items():
            for rank in whose:
                to.keys.take(rank, given[rank], (*way, (self.rank, number)))


def teller(record: messages.Up | messages.Failed) -> int:
    """Below whom it is up, or who tried it last."""
    return record.parent if isinstance(record, messages.Up) else record.launcher


def packed(body: Any) -> bytes:
    """What a child says, as a frame has it."""
    if isinstance(body, int):
        return b"%d" % body
    if isinstance(body, messages.Up):
        return messages.Up.pack_all([body])
    return messages.Failed.pack_all([body]) if isinstance(body, messages.Failed) else bytes(body.pack())


class _News:
    """What FromChild has to tell of hosts."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.up = self.failed = node.tell

    def count(self, launched: int = 0, strangers: int = 0) -> None:
        if launched or strangers:
            self._node.send("launched", messages.Launched(launched, strangers))


class _Uplink:
    """What FromChild passes on; in this model there is no command, and nobody talks to people."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def send(self, kind: int, _: bytes) -> None:
        raise AssertionError(f"{kind} is passed on")


class _Nowhere:
    """A child's link, for what the model's own links don't do."""

    def send(self, *_: object) -> None:
        raise AssertionError("the model sends otherwise")
