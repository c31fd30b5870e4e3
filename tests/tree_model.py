"""A whole boot tree without a clock or a socket: many BootStates joined by ordered queues, as TCP would join them.

What node/parent.py and node/agent.py do with orders and messages is done here in few lines, so that any
interleaving of launches, messages, deaths and timers can be played. ``World.check`` holds what must always be true.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mpboot.tree import causes, ledger, state
from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Pause, Reclaim, Return, Share
from mpboot.tree.policy import Policy

HEAD = -1
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
    boot: state.BootState | None = None
    shares: int = 0  # answered as a leaf
    uplink: Link | None = None
    links: dict[int, Link] = field(default_factory=dict)
    launches: dict[int, Launching] = field(default_factory=dict)
    pauses: list[tuple[float, list[int]]] = field(default_factory=list)
    told: dict[int, tuple[str, str]] = field(default_factory=dict)
    launched: list[int] = field(default_factory=list)

    # -- orders ------------------------------------------------------------------------------------

    def do(self, orders: Iterable[Order]) -> None:
        assert self.boot is not None
        for order in orders:
            if isinstance(order, Launch):
                assert order.rank not in self.launches
                self.launches[order.rank] = Launching(order.rank, order.attempt)
                self.launched.append(order.rank)
                self.send("launched", 1)
                self.world.launched(order.rank)
            elif isinstance(order, Kill):
                self.launches.pop(order.rank, None)
            elif isinstance(order, Pause):
                assert order.delay >= 0
                self.pauses.append((order.delay, list(order.ranks)))
            elif isinstance(order, Share):
                attempts = {rank: self.boot.attempts[rank] for rank in order.ranks}
                self.links[order.child].down.append(("share", attempts))
            elif isinstance(order, Fail):
                self.tell(order.rank, "failed", order.cause)
            elif isinstance(order, Return):
                attempts = {rank: self.boot.attempts[rank] for rank in order.ranks}
                self.send("return", attempts, order.tried, order.disabled)
            elif isinstance(order, Reclaim):
                self.links[order.child].down.append(("reclaim", order.count))
            elif isinstance(order, Done):
                self.send("done", order.shares)

    def tell(self, rank: int, kind: str, cause: str) -> None:
        self.told[rank] = (kind, cause)
        self.send(kind, rank, cause)

    def send(self, *message: Any) -> None:
        if self.uplink is None:
            self.world.front_door(message)
        elif self.uplink.lower_open:
            self.uplink.up.append(message)

    # -- messages ----------------------------------------------------------------------------------

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
                self.boot = state.BootState(world.new_policy(), world.retries, False, world.relaunch, self.shares)
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


@dataclass(eq=False, repr=False)
class World:
    """The tree, and what its surroundings are like.

    ``bad``: hosts no launch ever brings up, by cause. ``keyless``: hosts from which every launch fails by
    ``own_cause``. ``choose(n)`` decides everything: a number below n. ``faults``: launches may go wrong in
    every other way too, as ``choose`` wants it. ``patient``: every orphan finds its way within the time it is given.
    """

    size: int
    policy: Policy
    choose: Callable[[int], int]
    retries: int = 1
    relaunch: bool = True
    bad: dict[int, str] = field(default_factory=dict)
    keyless: frozenset[int] = frozenset()
    own_cause: str = causes.AUTH
    faults: bool = False
    kills: int = 0
    patient: bool = False
    killed: set[int] = field(default_factory=set)
    nodes: list[Node] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    strays: list[tuple[Node, Node]] = field(default_factory=list)  # launches given up of which an agent will come yet
    news: dict[int, tuple[str, str]] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    done: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        self.root = Node(self, HEAD, [])
        self.nodes.append(self.root)
        self.root.boot = state.BootState(self.new_policy(), self.retries, True, self.relaunch)
        self.root.do(self.root.boot.add(range(self.size)))

    # -- what nodes need ---------------------------------------------------------------------------

    def front_door(self, message: Message) -> None:
        if message[0] == "done":
            self.done += 1
        elif message[0] != "launched":
            kind, rank, cause = message
            self.news[rank] = (kind, cause)

    def new_policy(self) -> Policy:
        """Each node has its own: an adaptive one learns."""
        policy = Policy(self.policy.topology, self.policy.children)
        policy.pace = self.policy.pace
        return policy

    def launched(self, rank: int) -> None:
        self.attempts[rank] = self.attempts.get(rank, 0) + 1

    def join(self, upper: Node, lower: Node, hello: Message) -> None:
        lower.uplink = Link(upper, lower)
        lower.uplink.up.append(hello)
        self.links.append(lower.uplink)

    # -- what can happen ---------------------------------------------------------------------------

    def events(self) -> list[tuple[Callable[..., None], tuple[Any, ...]]]:
        """Everything that can happen next."""
        can: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.links = [link for link in self.links if self._of_use(link)]
        for link in self.links:
            if link.upper.alive and link.upper_open:
                if link.up:
                    can.append((self._rise, (link,)))
                if not link.lower.alive or not link.lower_open:
                    can.append((link.upper.child_gone, (link,)))
            if link.lower.alive and link.lower_open:
                if link.down:
                    can.append((self._sink, (link,)))
                if not link.upper.alive or not link.upper_open:
                    can.append((link.lower.parent_gone, ()))
        wait = self.patient and self._are_detached()
        for node in self.nodes:
            if node.alive:
                can += [(self._launch_ends, (node, launch)) for launch in node.launches.values()]
                pauses = [at for at, (delay, _) in enumerate(node.pauses) if delay != state.ORPHAN_GRACE or not wait]
                can += [(self._pause_ends, (node, at)) for at in pauses]
                if node.boot is not None and node.boot.policy.adaptive and node.boot.counts[ledger.PENDING]:
                    can.append((self._widens, (node,)))
        can += [(self._stray_connects, (stray,)) for stray in self.strays]
        return can

    def _are_detached(self) -> bool:
        tree = self.tree()
        return any(node.alive and tree.get(node.rank) is not node for node in self.nodes)

    @staticmethod
    def _of_use(link: Link) -> bool:
        return (link.upper.alive and link.upper_open) or (link.lower.alive and link.lower_open)

    def step(self) -> bool:
        """Let one thing happen; False if nothing can."""
        self.nodes = [node for node in self.nodes if node.alive]
        can = self.events()
        if not can:
            return False
        self.steps += 1
        if self.kills and self.choose(16) == 15:
            self.kill()
        else:
            call, arguments = can[self.choose(len(can))]
            call(*arguments)
        self.check()
        return True

    def kill(self) -> None:
        """kill -9 of an agent."""
        victims = [node for node in self.nodes if node.alive and node is not self.root]
        if victims:
            self.kills -= 1
            victim = victims[self.choose(len(victims))]
            victim.alive = False
            self.killed.add(victim.rank)

    def calm(self) -> None:
        """From now on nothing goes wrong but what always does, and everything that can happen does, in turn."""
        turn = 0

        def choose(count: int) -> int:
            nonlocal turn
            turn += 1
            return turn % count

        self.choose, self.faults, self.kills = choose, False, 0

    def run(self, limit: int) -> bool:
        """Step until nothing can happen any more; False if it goes on for ever."""
        return any(not self.step() for _ in range(limit))

    def _rise(self, link: Link) -> None:
        link.upper.from_below(link, *link.up.popleft())

    def _sink(self, link: Link) -> None:
        link.lower.from_above(*link.down.popleft())

    def _pause_ends(self, node: Node, at: int) -> None:
        assert node.boot is not None
        node.do(node.boot.resume(node.pauses.pop(at)[1]))

    def _stray_connects(self, stray: tuple[Node, Node]) -> None:
        self.strays.remove(stray)
        parent, agent = stray
        if parent.alive and agent.alive:
            self.join(parent, agent, ("hello",))
        agent.alive = parent.alive

    def _spawn(self, node: Node, rank: int) -> Node:
        agent = Node(self, rank, [node, *node.routes])
        self.nodes.append(agent)
        return agent

    def _launch_ends(self, node: Node, launch: Launching) -> None:
        assert node.boot is not None
        rank = launch.rank
        if launch.agent is not None:
            link = launch.agent.uplink
            silent = not launch.agent.alive and (link is None or not link.up or not link.upper_open)
            if silent or (self.faults and self.choose(8) == 0):
                del node.launches[rank]
                node.do(node.boot.launch_failed(rank, causes.AGENT_CRASH))
            return
        how = self.choose(12) if self.faults else 0
        if rank in self.bad:
            self._fails(node, rank, self.bad[rank])
        elif node.rank in self.keyless:
            self._fails(node, rank, self.own_cause)
        elif how == 1:
            self._fails(node, rank, causes.ALL[self.choose(len(causes.ALL) - 2)])
        elif how == 2:
            self.strays.append((node, self._spawn(node, rank)))
            self._fails(node, rank, causes.HANDSHAKE_TIMEOUT)
        elif how == 5:
            del node.launches[rank]
            self.attempts[rank] -= 1
            node.do(node.boot.not_launched(rank))
            node.pauses.append((0.5, []))
        elif how == 3:
            node.do(node.boot.is_late(rank))
        else:
            launch.agent = self._spawn(node, rank)
            self.join(node, launch.agent, ("hello",))
            if how == 4:
                self.join(node, self._spawn(node, rank), ("hello",))

    @staticmethod
    def _widens(node: Node) -> None:
        assert node.boot is not None
        node.do(node.boot.widen(node.boot.counts[ledger.LAUNCHING] + 1))

    def _fails(self, node: Node, rank: int, cause: str) -> None:
        assert node.boot is not None
        del node.launches[rank]
        node.do(node.boot.launch_failed(rank, cause))

    def stop(self, cause: str) -> None:
        """The user or the clock ends the boot."""
        assert self.root.boot is not None
        self.root.do(self.root.boot.stop(cause))
        for link in self.root.links.values():
            link.down.append(("stop",))

    # -- what must be true -------------------------------------------------------------------------

    def tree(self) -> dict[int, Node]:
        """The agents that hang together from the root, by rank; fails if a rank has two."""
        found = {HEAD: self.root}
        waiting = [self.root]
        while waiting:
            for rank, link in waiting.pop().links.items():
                if link.lower.alive and link.lower.uplink is link:
                    assert rank not in found, f"two agents for {rank}"
                    found[rank] = link.lower
                    waiting.append(link.lower)
        return found

    def check(self) -> None:
        """After each event."""
        attached = self.tree()
        launching: set[int] = set()
        for node in attached.values():
            for rank in node.launches:
                assert rank not in launching, f"{rank} is launched by two"
                assert rank not in attached, f"{rank} is up and launched again"
                launching.add(rank)
        for node in self.nodes:
            if node.alive and node.boot is not None:
                check_numbers(node.boot, node.launches)
        assert self.root.boot is not None
        assert len(self.root.boot.place) == self.size

    def check_end(self) -> None:
        """When nothing can happen any more."""
        attached = self.tree()
        up = set(attached) - {HEAD}
        assert {node.rank for node in self.nodes if node.alive} == set(attached), "an agent runs on, unknown to all"
        assert set(self.news) == set(range(self.size)), "a host was forgotten"
        assert up == {rank for rank, (kind, _) in self.news.items() if kind == "up"}
        boot = self.root.boot
        assert boot is not None
        if boot.stopped:
            return
        assert self.done == 1, "DONE did not reach the front door"
        assert boot.finished
        for node in attached.values():
            if node.boot is not None:
                assert node.boot.finished
                assert not any(child.left for child in node.boot.children.values())
        for rank, (kind, cause) in self.news.items():
            if kind == "failed" and cause in causes.LAUNCHERS:
                assert rank in self.root.launched, f"{rank} failed by {cause}, and the root did not try"


def check_numbers(boot: state.BootState, launches: Iterable[int]) -> None:
    """Each host is in one place, and the numbers say so."""
    counts = dict.fromkeys(ledger.PLACES, 0)
    by_child: dict[int, set[int]] = {child: set() for child in boot.children}
    for rank, place in boot.place.items():
        if place < 0:
            counts[place] += 1
        else:
            by_child[place].add(rank)
        assert (place == ledger.UP) == (rank in boot.children)
    assert counts == boot.counts
    assert counts[ledger.TAKEN] == 0
    assert sum(counts.values()) + boot.handed() == len(boot.place)
    for rank, child in boot.children.items():
        assert child.left | child.below == by_child[rank]
        assert not child.left & child.below
    launching = {rank for rank, place in boot.place.items() if place == ledger.LAUNCHING}
    assert launching == set(launches)
    assert boot.late <= launching
    if boot.policy.width:
        assert len(launching - boot.late) <= boot.policy.width
    if boot.stopped or not (boot.can_launch or boot.is_root):
        assert not counts[ledger.PENDING]
        assert not counts[ledger.URGENT]
    assert {rank for rank, place in boot.place.items() if place == ledger.PENDING} <= set(boot.pending)
    assert {rank for rank, place in boot.place.items() if place == ledger.URGENT} <= set(boot.urgent)
