"""A whole boot tree without a clock or a socket: many BootStates joined by ordered queues, as TCP would join them.

Any interleaving of launches, messages, deaths and timers can be played; what an agent does at each is in tree_node.py.
``World.check`` holds what must always be true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mpboot.net import keys, messages
from mpboot.node.keyring import numbers_from
from mpboot.tree import causes, ledger, state
from mpboot.tree.ledger import HEAD
from mpboot.tree.policy import Policy
from tests.support.tree_liar import Liar, give_up
from tests.support.tree_links import SECRET, Hello, Launching, Link
from tests.support.tree_node import Node
from tests.support.tree_numbers import check_numbers


@dataclass(eq=False, repr=False)
class World:
    """The tree, and what its surroundings are like.

    ``bad``: hosts no launch ever brings up, by cause. ``keyless``: hosts from which every launch fails by
    ``own_cause``. ``choose(n)`` decides everything: a number below n. ``faults``: launches may go wrong in
    every other way too, as ``choose`` wants it. ``patient``: every orphan finds its way within the time it is given.
    ``hostile``: hosts that have been taken over; they lie ``eager`` times as often as anything else happens.
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
    hostile: frozenset[int] = frozenset()
    alone: frozenset[int] = frozenset()  # only the root can launch them
    eager: int = 1
    killed: set[int] = field(default_factory=set)
    nodes: list[Node] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    strays: list[tuple[Node, Node]] = field(default_factory=list)  # launches given up of which an agent will come yet
    root: Node = field(init=False)
    news: dict[int, tuple[str, str]] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    done: int = 0
    touched: set[int] = field(default_factory=set)  # hosts that are hostile, or were in the care of one that is
    accepted: dict[tuple[int, int], int] = field(default_factory=dict)  # how often a node took in a rank's agent
    stale: dict[int, float] = field(default_factory=dict)  # when there was news of a child's hosts, as time passed last
    steps: int = 0

    def __post_init__(self) -> None:
        self.touched.update(self.hostile)
        self.root = Node(self, HEAD, [])
        self.nodes.append(self.root)
        boot = self.root.become_parent(True)
        for rank in range(self.size):
            self.root.keys.take(rank, keys.of_host(SECRET, rank), ())
        boot.keep(self.alone)
        self.root.do(boot.add(range(self.size)))

    # -- what nodes need ---------------------------------------------------------------------------

    @property
    def settings(self) -> messages.BootSettings:
        """What a boot's nodes are told of it."""
        return messages.BootSettings("", 0, 1.0, self.retries, 0.0, "", [], "", "", False, 0.0, False, False, [], "")

    def front_door(self, kind: str, body: Any) -> None:
        if kind == "done":
            self.done += 1
        elif kind == "up":
            self.news[body.rank] = (kind, "")
        elif kind == "failed":
            self.news[body.rank] = (kind, body.cause)

    def new_policy(self) -> Policy:
        """Each node has its own: an adaptive one learns."""
        policy = Policy(self.policy.topology, self.policy.children)
        policy.pace = policy.measured = self.policy.pace
        policy.now = 1.0
        return policy

    def launched(self, rank: int) -> None:
        self.attempts[rank] = self.attempts.get(rank, 0) + 1

    def join(self, upper: Node, lower: Node, hello: Hello | None = None) -> None:
        """An agent connects, and says HELLO."""
        lower.uplink = Link(upper, lower)
        lower.uplink.up.append(("hello", hello or Hello(numbers_from(lower.way, upper.rank), lower.key)))
        self.links.append(lower.uplink)

    # -- what can happen ---------------------------------------------------------------------------

    def events(self) -> list[tuple[Callable[..., object], tuple[Any, ...]]]:
        """Everything that can happen next."""
        can: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.links = [link for link in self.links if self._of_use(link)]
        for link in self.links:
            if link.upper.alive and link.upper_open:
                if link.waits:
                    can += [(self._gives_up_waiting, (link,))] * link.upper.knows_better(link)
                elif link.up:
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
        liars = [node for node in self.nodes if node.alive and isinstance(node, Liar)]
        if liars and not can:
            can.append((give_up, (self.root,)))
        return can + [(liar.lie, ()) for liar in liars] * self.eager

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

    @staticmethod
    def _gives_up_waiting(link: Link) -> None:
        _, said = link.up[0]
        said.lost = ()
        link.waits = False

    def _sink(self, link: Link) -> None:
        link.lower.from_above(*link.down.popleft())

    def _pause_ends(self, node: Node, at: int) -> None:
        assert node.boot is not None
        node.do(node.boot.resume(node.pauses.pop(at)[1]))

    def _stray_connects(self, stray: tuple[Node, Node]) -> None:
        self.strays.remove(stray)
        parent, agent = stray
        if parent.alive and agent.alive:
            self.join(parent, agent)
        agent.alive = agent.alive and parent.alive  # a dead one stays so

    def _spawn(self, node: Node, launch: Launching) -> Node:
        kind = Liar if launch.rank in self.hostile else Node
        agent = kind(self, launch.rank, [node, *node.routes], launch.key, launch.way)
        self.nodes.append(agent)
        return agent

    def _launch_ends(self, node: Node, launch: Launching) -> None:
        assert node.boot is not None
        rank = launch.rank
        if launch.agent is not None:
            link = launch.agent.uplink
            silent = not launch.agent.alive and (link is None or not link.up or not link.upper_open)
            if silent or launch.agent.hostile or (self.faults and self.choose(8) == 0):
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
            self.strays.append((node, self._spawn(node, launch)))
            self._fails(node, rank, causes.HANDSHAKE_TIMEOUT)
        elif how == 5:
            del node.launches[rank]
            self.attempts[rank] -= 1
            node.do(node.boot.not_launched(rank))
            node.pauses.append((0.5, []))
        elif how == 3:
            node.do(node.boot.is_late(rank))
        else:
            launch.agent = self._spawn(node, launch)
            self.join(node, launch.agent)
            if how == 4:
                self.join(node, self._spawn(node, launch))

    @staticmethod
    def _widens(node: Node) -> None:
        assert node.boot is not None
        node.boot.policy.now += 0.1  # so that help may be in vain, by what it then finds
        node.do(node.boot.widen(node.boot.counts[ledger.LAUNCHING] + 1))

    def _fails(self, node: Node, rank: int, cause: str) -> None:
        assert node.boot is not None
        del node.launches[rank]
        busy, waits, own = [self.faults and self.choose(of) == 0 for of in (8, 4, 16)]
        node.do(node.boot.launch_failed(rank, cause, busy, waits, own))

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
            node = waiting.pop()
            for rank, link in node.links.items() if not node.hostile else ():  # whoever is below that one is its own
                if link.lower.alive and link.lower.uplink is link:
                    assert rank not in found or rank in self.touched, f"two agents for {rank}"
                    found[rank] = link.lower
                    waiting.append(link.lower)
        return found

    def check(self) -> None:
        """After each event."""
        attached = self.tree()
        launching: set[int] = set()
        for node in attached.values():
            assert node is self.root or self.alone.isdisjoint(node.launched), "a child launched what only the root can"
            for rank in node.launches if not node.hostile else ():
                if rank not in self.touched:
                    assert rank not in launching, f"{rank} is launched by two"
                    assert rank not in attached, f"{rank} is up and launched again"
                launching.add(rank)
        for node in self.nodes:
            if node.alive and node.boot is not None and not node.hostile:
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
        assert (self.done, boot.finished) == (1, True), "DONE did not reach the front door"
        for node in attached.values():
            if node.boot is not None:
                assert node.boot.finished
                assert not any(child.left for child in node.boot.children.values())
        for rank, (kind, cause) in self.news.items():
            if kind == "failed" and cause != causes.LOST and rank not in self.touched:
                assert rank in self.root.launched, f"{rank} failed by {cause}, and the root did not try"
