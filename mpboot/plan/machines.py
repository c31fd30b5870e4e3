"""The machines of a simulated boot, and how fast they could be booted at best. No I/O; what is random has a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from heapq import heappush, heapreplace


class Machines:
    """The machines of a simulated boot; times are in seconds.

    ``cost``: of a launch, to the processor that launches. ``latency``: from then until the agent is up; a constant,
    measured samples to draw from, or a function of a random.Random. ``startup``: what a host needs before its first
    launch. ``lead``: what the head needs. ``delay``: of a message. ``slow`` and ``dead``: parts of all hosts, 0 to 1. A
    slow one takes ``slowness`` times as long for everything, a launch of a dead one fails after ``timeout``; ``seed``
    says which they are. ``shared``: all of them are one machine with one processor, and ``agent`` is what an agent's
    start takes of it, once the latency is over. ``bears``: launches at once that their memory bears; 0: not known.
    """

    def __init__(
        self,
        hosts: int,
        cost: float = 0.012,
        latency: float | Sequence[float] | Callable[[random.Random], float] = 0.35,
        *,
        startup: float = 0.015,
        lead: float = 0.0,
        delay: float = 0.001,
        slow: float = 0.0,
        slowness: float = 10.0,
        dead: float = 0.0,
        timeout: float = 30.0,
        retries: int = 1,
        seed: int = 1,
        agent: float = 0.0,
        shared: bool = False,
        bears: int = 0,
    ) -> None:
        """ValueError for what can't be."""
        least = min(startup, lead, delay, agent, retries, bears)
        if hosts < 1 or not cost > 0 or least < 0 or not timeout > 0:
            raise ValueError("there must be hosts, and no time may be negative")
        if min(slow, dead) < 0 or slow + dead > 1:
            raise ValueError("the slow and the dead hosts together can't be more than all")
        self.hosts = hosts
        self.cost = cost
        self.startup, self.lead, self.delay = startup, lead, delay
        self.slowness, self.timeout, self.retries = slowness, timeout, retries
        self.agent, self.shared, self.bears = agent, shared, bears
        self.random = random.Random(seed)
        self._latency = latency
        # Both numbers may be rounded up, to one more than there are.
        bad = self.random.sample(range(hosts), min(hosts, round(hosts * slow) + round(hosts * dead)))
        self.dead = frozenset(bad[: round(hosts * dead)])
        self.slow = frozenset(bad[len(self.dead) :])
        self.good = hosts - len(bad)
        if self.typical_latency() < 0:
            raise ValueError("the latency can't be negative")

    def latency(self, rank: int) -> float:
        """Seconds until the agent of ``rank`` is up; drawn anew for each launch."""
        drawn = self._latency
        if callable(drawn):
            drawn = drawn(self.random)
        elif not isinstance(drawn, (int, float)):
            drawn = self.random.choice(drawn)
        return drawn * self.slowness if rank in self.slow else drawn

    def typical_latency(self) -> float:
        """The median."""
        if isinstance(self._latency, (int, float)):
            return self._latency
        draw = random.Random(0)
        many = [self._latency(draw) for _ in range(999)] if callable(self._latency) else [*self._latency]
        return sorted(many)[len(many) // 2]


def bound(hosts: int, cost: float, latency: float) -> float:
    """Seconds until ``hosts`` can be up at best: whoever is up ends a launch every ``cost``, up ``latency`` later."""
    launching = [cost]  # when each node that is up, or will be, ends its next launch
    end = cost
    for _ in range(hosts):
        end = launching[0]
        heapreplace(launching, end + cost)
        heappush(launching, end + latency + cost)
    return end + latency
