"""A boot on a virtual clock, around the very BootState that boots: how long it takes for any size, and by which tree.

A node's launcher is its processor: it spends ``cost`` seconds on each launch, one after another, and the agent is up a
latency later. Two things are left out: the processor's time for messages, and agents that die. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpboot.plan.clock import Clock
from mpboot.plan.machines import Machines
from mpboot.plan.simulated import SimulatedBoot
from mpboot.tree import causes, ledger
from mpboot.tree.ledger import HEAD
from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Pause, Reclaim, Return, Share, perform
from mpboot.tree.policy import DEFAULT_TOPOLOGY, Policy
from mpboot.tree.state import BootState

BURST = 8  # launches that an adaptive node orders when it has begun all it was to: YOUNG of node/pace.py
LATE = 0.5  # seconds: a launch is late, as in node/, when it takes twice as long as the slowest and this much longer
LEAST_PACE = 0.002  # seconds of a launcher's time for one launch; a node believes no less
UP, FAILED = True, False


class _Simulation:
    """The whole boot: which hosts are up, and since when."""

    def __init__(self, machines: Machines, topology: str, children: int) -> None:
        self.machines = machines
        self.topology = topology
        self.children = children
        self.clock = Clock()
        self.result = SimulatedBoot(topology, children, machines)
        self.hosts: dict[int, _Host] = {}  # that are up, the head among them
        self._busy_until = 0.0  # the one processor, where they share it
        self._good = machines.good  # hosts that are to come up yet
        self._living = machines.hosts - len(machines.dead)

    def run(self) -> SimulatedBoot:
        machines, result = self.machines, self.result
        head = self.hosts[HEAD] = _Host(self, HEAD, None, machines.cost, machines.lead)
        self.clock.at(machines.lead, head.take_share, range(machines.hosts), {})
        self.clock.run()
        if len(result.up_at) + len(result.failed) != machines.hosts:
            raise AssertionError("the simulated boot stopped before it was finished")
        result.launches = {rank: host.launched for rank, host in self.hosts.items() if host.launched}
        return result

    def works(self, since: float, seconds: float) -> float:
        """When a processor is done with so much work, which it may begin at ``since``."""
        if not self.machines.shared:
            return since + seconds
        self._busy_until = max(self._busy_until, since) + seconds
        return self._busy_until

    def is_up(self, rank: int, parent: _Parent) -> None:
        """An agent runs on ``rank``, as a child of ``parent``."""
        machines, result, now = self.machines, self.result, self.clock.now
        slow = rank in machines.slow
        host = _Host(self, rank, parent, machines.cost * (machines.slowness if slow else 1.0), now)
        self.hosts[rank] = host
        result.level[rank] = host.level
        result.parent[rank] = parent.host.rank
        result.up_at[rank] = now
        self._living -= 1
        self._good -= not slow
        if not self._good and not result.seconds:
            result.seconds = now
        if not self._living:
            result.living = now


class _Host:
    """The head, or a host that is up: a leaf until its first share of hosts makes it a parent as well."""

    __slots__ = ("boot", "cost", "empty", "launched", "level", "parent", "rank", "ready", "work")

    def __init__(self, boot: _Simulation, rank: int, parent: _Parent | None, cost: float, ready: float) -> None:
        self.boot = boot
        self.rank = rank
        self.parent = parent
        self.level: int = parent.host.level + 1 if parent is not None else 0
        self.cost = cost  # seconds that a launch takes it
        self.ready = ready  # it hears nothing before
        self.empty = 0  # shares answered as a leaf
        self.launched = 0
        self.work: _Parent | None = None  # its part as a parent

    def take_share(self, ranks: Sequence[int], attempts: dict[int, int]) -> None:
        """A share has come; an empty one is done at once."""
        if self.work is None and self.parent is not None and not ranks:
            self.empty += 1
            self.boot.clock.after(self.boot.machines.delay, self.parent.child_done, self.rank, self.empty)
            return
        if self.work is None:
            self.work = _Parent(self.boot, self)
        perform(self.work.state.add(ranks, attempts), self.work)

    def give_back(self, count: int) -> None:
        """The parent asks for hosts."""
        if self.work is not None:
            perform(self.work.state.reclaim(count), self.work)


class _Parent:
    """A host's part as a parent: its BootState, whose orders it carries out, its launcher, and its news for above."""

    __slots__ = (
        "above", "boot", "clock", "current", "first", "free", "host", "late_due", "news", "pacing", "slowest", "state",
        "untold",
    )  # fmt: skip

    def __init__(self, boot: _Simulation, host: _Host) -> None:
        self.boot = boot
        self.clock = boot.clock
        self.host = host
        self.above = host.parent
        policy = Policy(boot.topology, boot.children)
        policy.bearable = boot.machines.bears
        self.state = BootState(policy, boot.machines.retries, host.parent is None, True, host.empty)
        self.free = self.clock.now  # when its launcher has begun all that was ordered
        self.first = 0.0  # when it began its first launch
        self.untold = 0  # launches, here and below, that the parent has not heard of
        self.current: dict[int, float] = {}  # launches under way: when they were ordered
        self.slowest = 0.0  # seconds that a launch took which led to an agent
        self.late_due = self.pacing = False
        self.news: list[tuple[bool, int]] | None = None  # on their way up: (UP or FAILED, rank)

    # -- orders: see Performer in tree/orders.py ---------------------------------------------------

    def launch(self, order: Launch) -> None:
        machines, rank = self.boot.machines, order.rank
        begin = max(self.clock.now, self.free)
        self.first = self.first or begin
        self.free = self.boot.works(begin, self.host.cost)
        self.host.launched += 1
        self.untold += 1
        self.current[rank] = self.clock.now
        self._tell_soon()
        if rank in machines.dead:
            self.clock.at(self.free + machines.timeout, self._launch_failed, rank)
        else:
            self.clock.at(self.free + machines.latency(rank), self._starts, rank)
        if self.state.policy.adaptive and not self.boot.children and not self.pacing:
            self.pacing = True
            self.clock.at(self.free, self._widen)

    def pause(self, order: Pause) -> None:
        self.clock.after(order.delay, self._resume, order.ranks)

    def share(self, order: Share) -> None:
        machines, now = self.boot.machines, self.clock.now
        child = self.boot.hosts[order.child]
        arrival = max(now + machines.delay, child.ready)
        if order.ranks and child.work is None and child.ready <= now:
            arrival = self.boot.works(arrival, machines.startup * child.cost / machines.cost)
            child.ready = arrival
        self.clock.at(arrival, child.take_share, order.ranks, {rank: self.state.attempts[rank] for rank in order.ranks})

    def fail(self, order: Fail) -> None:
        self.boot.result.failed[order.rank] = self.clock.now
        self._add_news(FAILED, order.rank)

    def give_back(self, order: Return) -> None:
        assert self.above is not None  # only who was asked for hosts gives any back
        self._tell()
        attempts = {rank: self.state.attempts[rank] for rank in order.ranks}
        what = (self.host.rank, attempts, order.tried, order.disabled)
        self.clock.after(self.boot.machines.delay, self.above.child_returned, *what)

    def done(self, order: Done) -> None:
        self._tell()
        if self.above is None:
            self.boot.result.finished = self.clock.now
        else:
            self.clock.after(self.boot.machines.delay, self.above.child_done, self.host.rank, order.shares)

    def reclaim(self, order: Reclaim) -> None:
        child = self.boot.hosts[order.child]
        self.clock.at(max(self.clock.now + self.boot.machines.delay, child.ready), child.give_back, order.count)

    def _never(self, order: Kill | Dismiss) -> None:
        raise AssertionError(f"{order}, though no host is launched by two")

    kill = dismiss = _never

    # -- launches ----------------------------------------------------------------------------------

    def _starts(self, rank: int) -> None:
        """The host has got the order; its agent starts, which takes time of its own where processors are shared."""
        machines = self.boot.machines
        if machines.shared:
            self.clock.at(self.boot.works(self.clock.now, machines.agent), self._connected, rank)
        else:
            self._connected(rank)

    def _connected(self, rank: int) -> None:
        self.state.policy.now = self.clock.now
        self.slowest = max(self.slowest, self.clock.now - self.current.pop(rank))
        self.boot.is_up(rank, self)
        self._add_news(UP, rank)
        perform(self.state.connected(rank), self)
        self._watch_late()

    def _launch_failed(self, rank: int) -> None:
        del self.current[rank]
        perform(self.state.launch_failed(rank, causes.CONNECT_TIMEOUT), self)

    def _resume(self, ranks: list[int]) -> None:
        perform(self.state.resume(ranks), self)

    def _widen(self) -> None:
        """The launcher has begun all that it was given: an adaptive node goes on."""
        state = self.state
        if self.free > self.clock.now:
            self.clock.at(self.free, self._widen)
            return
        self.pacing = False
        state.policy.now = self.clock.now
        if state.counts[ledger.PENDING]:
            pace = max((self.clock.now - self.first) / self.host.launched, LEAST_PACE)
            state.policy.pace = state.policy.measured = pace
            perform(state.widen(state.counts[ledger.LAUNCHING] - len(state.late) + BURST), self)

    def _watch_late(self) -> None:
        if not self.late_due and self.current and self.slowest:
            self.late_due = True
            self.clock.after(max(self.slowest, LATE), self._find_late)

    def _find_late(self) -> None:
        self.late_due = False
        patience = max(2 * self.slowest, self.slowest + LATE)
        for rank, ordered in list(self.current.items()):
            if self.clock.now - ordered > patience:
                perform(self.state.is_late(rank), self)
        if any(rank not in self.state.late for rank in self.current):
            self._watch_late()

    # -- between parent and child; news are gathered on the way up ----------------------------------

    def child_returned(self, child: int, attempts: dict[int, int], tried: bool, disabled: bool) -> None:
        perform(self.state.child_returned(child, attempts, tried, disabled), self)

    def child_done(self, child: int, shares: int) -> None:
        perform(self.state.child_done(child, shares), self)

    def _add_news(self, kind: bool, rank: int) -> None:
        self._tell_soon()
        if self.news is not None:
            self.news.append((kind, rank))

    def _tell_soon(self) -> None:
        if self.above is not None and self.news is None:
            self.news = []
            self.clock.after(self.boot.machines.delay, self._tell)

    def _tell(self) -> None:
        news, above = self.news, self.above
        if news is None or above is None:
            return
        self.news = None
        begun, self.untold = self.untold, 0
        if begun:
            above.untold += begun
            above._tell_soon()
            above.state.policy.now = self.clock.now
            perform(above.state.child_launched(self.host.rank, begun), above)
        for kind, rank in news:
            (above.state.child_up if kind else above.state.child_failed)(self.host.rank, rank)
            above._add_news(kind, rank)


def simulate(machines: Machines, topology: str = DEFAULT_TOPOLOGY, children: int = 0) -> SimulatedBoot:
    """Boot ``machines`` with a topology. Machines draws anew each time: make others for the same draws again."""
    return _Simulation(machines, topology, children).run()
