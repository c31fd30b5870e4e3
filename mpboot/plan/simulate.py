"""A virtual clock around the very BootState that boots: how long a boot of any size takes, by which tree. Pure.

A node's launcher is its processor: it spends ``cost`` seconds on each launch, one after another, and the agent is up a
latency later. What is left out: the processor's time for messages, and agents that die.
"""

from __future__ import annotations

from heapq import heappop, heappush

from mpboot.tree import causes, ledger, state
from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Pause, Reclaim, Return, Share
from mpboot.tree.policy import DEFAULT_TOPOLOGY, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from mpboot.plan.machines import Machines

HEAD = -1
STEP = 8  # launches ordered whenever the launcher has none left to begin: YOUNG of node/pace.py
LATE = 0.5  # see Parent._watch_late
UP, FAILED = True, False


class Result:
    """What a simulated boot came to. Times in seconds since its start.

    ``seconds``: all hosts that are neither slow nor dead are up; ``living``: the slow ones too; ``finished``: the
    dead ones are given up as well. ``launches``: by rank, of those that launched any; ``parents`` of hosts that did.
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
        """Hosts that launched others, the head apart."""
        return len(self.launches) - (HEAD in self.launches)

    def launches_per_node(self) -> tuple[float, int]:
        """The mean over all that launched, and the most by one."""
        return sum(self.launches.values()) / max(1, len(self.launches)), max(self.launches.values(), default=0)


class _Node:
    """One node: its BootState, and what node/parent.py keeps beside it."""

    __slots__ = (
        "cost", "current", "empty", "first", "free", "late_due", "launched", "level", "news", "pacing", "parent",
        "rank", "ready", "slowest", "state", "untold",
    )  # fmt: skip

    def __init__(self, rank: int, parent: _Node | None, cost: float, now: float) -> None:
        self.rank = rank
        self.parent = parent
        self.level: int = parent.level + 1 if parent is not None else 0
        self.cost = cost
        self.state: Any = None  # a BootState, from its first share on
        self.empty = 0  # shares answered as a leaf
        self.ready = now  # hears nothing before
        self.free = now  # when its launcher has begun all that was ordered
        self.first = 0.0
        self.launched = 0
        self.untold = 0  # launches, here and below, that the parent has not heard of
        self.current: dict[int, float] = {}  # launches under way: when they were ordered
        self.slowest = 0.0
        self.late_due = self.pacing = False
        self.news: list[tuple[bool, int]] | None = None  # on their way up: (up or failed, rank)


class _Simulation:
    """The events. Those of the same time happen in the order in which they were foreseen."""

    def __init__(self, machines: Machines, topology: str, children: int) -> None:
        self.machines = machines
        self.topology = topology
        self.children = children
        self.result = Result(topology, children, machines)
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._nodes: dict[int, _Node] = {}
        self._good = machines.good
        self._living = machines.hosts - len(machines.dead)

    def run(self) -> Result:
        machines = self.machines
        head = self._nodes[HEAD] = _Node(HEAD, None, machines.cost, machines.lead)
        self._at(machines.lead, self._take_share, head, range(machines.hosts), {})
        while self._events:
            self.now, _, happen, what = heappop(self._events)
            happen(*what)
        if len(self.result.up_at) + len(self.result.failed) != machines.hosts:
            raise AssertionError("the simulated boot stopped before it was finished")
        return self.result

    def _at(self, when: float, happen: Callable[..., None], *what: Any) -> None:
        self._number += 1
        heappush(self._events, (when, self._number, happen, what))

    # -- a node's orders ---------------------------------------------------------------------------

    def _do(self, node: _Node, orders: list[Order]) -> None:
        delay = self.machines.delay
        for order in orders:
            kind = type(order)
            if kind is Launch:
                self._launch(node, order.rank)  # type: ignore[attr-defined]
            elif kind is Share:
                self._send_share(node, order)  # type: ignore[arg-type]
            elif kind is Done:
                self._tell(node)
                if node.parent is None:
                    self.result.finished = self.now
                else:
                    self._at(self.now + delay, self._done, node.parent, node.rank, order.shares)  # type: ignore[attr-defined]
            elif kind is Pause:
                self._at(self.now + order.delay, self._resume, node, order.ranks)  # type: ignore[attr-defined]
            elif kind is Fail:
                self.result.failed[order.rank] = self.now  # type: ignore[attr-defined]
                self._news_of(node, FAILED, order.rank)  # type: ignore[attr-defined]
            elif kind is Kill:
                node.current.pop(order.rank, None)  # type: ignore[attr-defined]
            elif kind is Reclaim:
                child = self._nodes[order.child]  # type: ignore[attr-defined]
                self._at(max(self.now + delay, child.ready), self._reclaim, child, order.count)  # type: ignore[attr-defined]
            elif kind is Return and node.parent is not None:
                self._tell(node)
                attempts = {rank: node.state.attempts[rank] for rank in order.ranks}  # type: ignore[attr-defined]
                what = (attempts, order.tried, order.disabled)  # type: ignore[attr-defined]
                self._at(self.now + delay, self._returned, node.parent, node.rank, what)

    def _launch(self, node: _Node, rank: int) -> None:
        begin = max(self.now, node.free)
        node.first = node.first or begin
        node.free = begin + node.cost
        node.launched += 1
        node.untold += 1
        node.current[rank] = self.now
        self._tell_soon(node)
        if rank in self.machines.dead:
            self._at(node.free + self.machines.timeout, self._launch_failed, node, rank)
        else:
            self._at(node.free + self.machines.latency(rank), self._connected, node, rank)
        if node.state.policy.adaptive and not self.children and not node.pacing:
            node.pacing = True
            self._at(node.free, self._pace, node)

    def _send_share(self, node: _Node, order: Share) -> None:
        child = self._nodes[order.child]
        attempts = {rank: node.state.attempts[rank] for rank in order.ranks}
        arrival = max(self.now + self.machines.delay, child.ready)
        if order.ranks and child.state is None and child.ready <= self.now:
            arrival += self.machines.startup * child.cost / self.machines.cost
            child.ready = arrival
        self._at(arrival, self._take_share, child, order.ranks, attempts)

    # -- what happens ------------------------------------------------------------------------------

    def _take_share(self, node: _Node, ranks: list[int], attempts: dict[int, int]) -> None:
        if node.state is None and not ranks:
            node.empty += 1
            assert node.parent is not None
            self._at(self.now + self.machines.delay, self._done, node.parent, node.rank, node.empty)
            return
        if node.state is None:
            policy = Policy(self.topology, self.children)
            node.state = state.BootState(policy, self.machines.retries, node.parent is None, True, node.empty)
        self._do(node, node.state.add(ranks, attempts))

    def _connected(self, node: _Node, rank: int) -> None:
        ordered = node.current.pop(rank, None)
        orders = node.state.connected(rank)
        if orders and type(orders[0]) is Dismiss:
            return
        cost = self.machines.cost * (self.machines.slowness if rank in self.machines.slow else 1.0)
        child = self._nodes[rank] = _Node(rank, node, cost, self.now)
        self.result.level[rank] = child.level
        self.result.parent[rank] = node.rank
        self.result.up_at[rank] = self.now
        self._living -= 1
        self._good -= rank not in self.machines.slow
        if not self._good and not self.result.seconds:
            self.result.seconds = self.now
        if not self._living:
            self.result.living = self.now
        if ordered is not None:
            node.slowest = max(node.slowest, self.now - ordered)
        self._news_of(node, UP, rank)
        self._do(node, orders)
        self._watch_late(node)

    def _launch_failed(self, node: _Node, rank: int) -> None:
        if node.current.pop(rank, None) is not None:
            self._do(node, node.state.launch_failed(rank, causes.CONNECT_TIMEOUT))

    def _resume(self, node: _Node, ranks: list[int]) -> None:
        self._do(node, node.state.resume(ranks))

    def _reclaim(self, node: _Node, count: int) -> None:
        self._do(node, node.state.reclaim(count))

    def _returned(self, node: _Node, child: int, what: tuple[dict[int, int], bool, bool]) -> None:
        self._do(node, node.state.child_returned(child, *what))

    def _done(self, node: _Node, child: int, shares: int) -> None:
        self._do(node, node.state.child_done(child, shares))

    def _pace(self, node: _Node) -> None:
        """The launcher has begun all that it was given: an adaptive node goes on."""
        if node.free > self.now:
            self._at(node.free, self._pace, node)
            return
        node.pacing = False
        known = node.state
        if known.counts[ledger.PENDING]:
            known.policy.pace = max((self.now - node.first) / node.launched, 0.002)
            self._do(node, known.widen(known.counts[ledger.LAUNCHING] - len(known.late) + STEP))

    def _watch_late(self, node: _Node) -> None:
        if not node.late_due and node.current and node.slowest:
            node.late_due = True
            self._at(self.now + max(node.slowest, LATE), self._find_late, node)

    def _find_late(self, node: _Node) -> None:
        node.late_due = False
        patience = max(2 * node.slowest, node.slowest + LATE)
        for rank, ordered in list(node.current.items()):
            if self.now - ordered > patience:
                self._do(node, node.state.is_late(rank))
        if any(rank not in node.state.late for rank in node.current):
            self._watch_late(node)

    # -- news upward, gathered on the way ----------------------------------------------------------

    def _news_of(self, node: _Node, kind: bool, rank: int) -> None:
        if node.parent is not None:
            self._tell_soon(node)
            assert node.news is not None
            node.news.append((kind, rank))

    def _tell_soon(self, node: _Node) -> None:
        if node.parent is not None and node.news is None:
            node.news = []
            self._at(self.now + self.machines.delay, self._tell, node)

    def _tell(self, node: _Node) -> None:
        news, parent = node.news, node.parent
        if news is None or parent is None:
            return
        node.news = None
        begun, node.untold = node.untold, 0
        if begun:
            parent.untold += begun
            self._tell_soon(parent)
            self._do(parent, parent.state.child_launched(node.rank, begun))
        for kind, rank in news:
            (parent.state.child_up if kind else parent.state.child_failed)(node.rank, rank)
            self._news_of(parent, kind, rank)


def simulate(machines: Machines, topology: str = DEFAULT_TOPOLOGY, children: int = 0) -> Result:
    """Boot ``machines`` with a topology. Machines draws anew each time: make others for the same draws again."""
    simulation = _Simulation(machines, topology, children)
    result = simulation.run()
    result.launches = {rank: node.launched for rank, node in simulation._nodes.items() if node.launched}
    return result
