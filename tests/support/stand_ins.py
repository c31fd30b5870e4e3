"""What a siege has in place of what is real: a loop that never waits, a pool that starts nothing, far ends of lines."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from time import monotonic

from mpboot.head.root import Root
from mpboot.net import messages, wire, work
from mpboot.net.link import Link
from mpboot.net.loop import Loop
from mpboot.net.work import LaunchOrder, Verdict
from mpboot.node.agent import Agent
from mpboot.tree import causes
from mpboot.workers import pipes
from mpboot.workers.forker import Forked
from tests.support.frames import Speaker, packed, right

ROUNDS = 20_000  # of a loop that should be quiet long before
NO_CAUSE = Verdict("", "", "", [], "")
CANCELLED = Verdict(causes.INTERRUPTED, "", "", [], "")


class Still(Loop):
    """A loop that goes round as long as there is something to do, and whose timers can be put forward.

    Its clock stands still: how long the machine takes must not change what happens. ``now`` goes to all ``clocks()``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._time = monotonic()

    def now(self) -> float:
        """The time on its clock, in seconds."""
        return self._time

    @staticmethod
    def clocks() -> list[str]:
        """The modules of mpboot that are loaded and read the monotonic clock."""
        return sorted(name for name, one in sys.modules.items() if name[:7] == "mpboot." and reads_clock(one))

    def quiet(self) -> None:
        """Go round until nothing moves any more. AssertionError if that never comes."""
        for _ in range(ROUNDS):
            self._settle()
            due = self._patience() == 0.0
            if not due and not self._poller.poll(0):
                return
            self._turn()
        raise AssertionError("the loop never rests")

    def skip(self, seconds: float) -> None:
        """So much time passes for all timers that there are."""
        for timer in self._timers:
            timer.when -= seconds
        self.quiet()

    def _turn(self) -> None:
        self.later(0.0, lambda: None)  # never wait
        super()._turn()


def reads_clock(module: object) -> bool:
    """Does it call ``monotonic`` by that name?"""
    return getattr(module, "monotonic", None) is monotonic


class PlayedPool:
    """Keeps the orders, and says that each has begun."""

    def __init__(
        self,
        loop: Loop,
        _server: object,
        _settings: object,
        _lookout: object,
        started: Callable[[int, int], None],
        ended: Callable[[int, Verdict], None],
        *_: object,
    ) -> None:
        self.orders: dict[int, LaunchOrder] = {}
        self._loop = loop
        self._started = started
        self._ended = ended

    @property
    def busy(self) -> int:
        return len(self.orders)

    def submit(self, order: LaunchOrder) -> None:
        self.orders[order.launch] = order
        self._loop.soon(lambda: self._started(order.launch, os.getpid()))

    def cancel(self, launch: int) -> None:
        self._end(launch, CANCELLED)

    def agent_up(self, launch: int) -> None:
        self._end(launch, NO_CAUSE)

    def fails(self, launch: int, cause: str) -> None:
        """The launch fails."""
        self._end(launch, Verdict(cause, "connect", "", [], ""))

    def halt(self) -> None:
        self.orders.clear()

    def stop(self) -> None:
        self.orders.clear()

    def _end(self, launch: int, verdict: Verdict) -> None:
        if self.orders.pop(launch, None) is not None:
            self._loop.soon(lambda: self._ended(launch, verdict))


class Player:
    """The test's end of a line. What it is given is kept; it answers PING, and a share of nothing."""

    def __init__(
        self,
        loop: Loop,
        session: wire.Session,
        fd: int,
        rank: int,
        others: Sequence[int] = (),
        node: Agent | None = None,
    ) -> None:
        """``others``: hosts that are none of its business; ``node``: who is at the other end."""
        self.rank = rank
        self.node = node
        self.kinds: list[int] = []  # of what it has heard
        self.lost = ""  # why the line was given up, as this end saw it
        self.shares: list[messages.Share] = []
        self._others = others
        self.link = Link(loop, session, fd, fd, self._got, self._lost)

    @property
    def care(self) -> dict[int, tuple[messages.HostOrder, Sequence[tuple[int, int]]]]:
        """The hosts that it was given, each with its way."""
        return {host.rank: (host, way) for share in self.shares for host, way in share.each()}

    @property
    def speaker(self) -> Speaker:
        """What it may speak for."""
        return Speaker(self.rank, list(self.care), self._others)

    def say(self, kind: int, body: bytes | None = None) -> None:
        """Send a message; without a body one that fits."""
        self.link.send(kind, packed(right(kind, self.speaker)) if body is None else body)

    def raw(self, data: bytes) -> None:
        """Send bytes behind what was said."""
        if self.link.open:
            self.link.session.out += data
            self.link._flush_soon()

    def _got(self, kind: int, body: bytes) -> None:
        self.kinds.append(kind)
        if kind == wire.PING:
            self.say(wire.PONG)
        elif kind == wire.SHARE and body:
            self.shares.append(messages.Share.unpack(body))
        elif kind == wire.SHARE:
            self.say(wire.DONE)

    def _lost(self, reason: str) -> None:
        self.lost = reason


class HollowRoot(Root):
    """What a boot starts as its root; ``far`` is the other end of the line, for whoever is that root."""

    def __init__(self) -> None:
        self.key = bytes(range(wire.KEY_BYTES))
        ours, self._far = socket.socketpair()
        self.fd = ours.detach()

    def far(self) -> int:
        """The far end's descriptor, to be closed by whoever takes it."""
        return self._far.detach()

    def works(self) -> bool | None:
        """It is in this very process."""
        return True

    def end(self, grace: float) -> None:
        """It has no process."""


class NoStore:
    """Code to give: none of it is ever run."""

    def __init__(self) -> None:
        self.bundles = {"agent": b"agent", "parent": b"parent"}

    def add(self, bundle: bytes) -> None:
        """Code has come."""


def no_fork() -> tuple[int, int]:
    """Start nothing."""
    raise OSError("nothing is forked here")


class PlayedServer:
    """A fork server that forks nothing: whoever is to play a worker, or the watcher, has the far ends of its pipes."""

    def __init__(self, *_: object) -> None:
        self.generation = 1
        self.made: list[Made] = []

    def fork(self, kind: int, first: work.Message) -> Forked:
        (their_orders, orders), (results, their_results) = pipes.pipes(2)
        forked = Forked(kind, self.generation, orders, results)
        self.made.append(Made(forked, first, their_orders, their_results))
        return forked

    def configure(self, _: object) -> None:
        """There is nobody to be told."""

    def read_pids(self) -> None:
        """There are none."""

    def give_up(self, _: Forked) -> None:
        """There is nothing to end."""

    kill = stop = read_pids


class Made:
    """What a fork server would have made: the parent's end, the first order, and the far ends."""

    def __init__(self, forked: Forked, first: work.Message, orders: int, results: int) -> None:
        self.forked = forked
        self.first = first
        self.orders = orders
        self.results = results

    @property
    def launch(self) -> int:
        """The launch that it was made for."""
        return getattr(self.first, "launch", 1)

    @property
    def wanted(self) -> bool:
        """Does the parent still listen?"""
        return self.forked.results >= 0

    def say(self, data: bytes) -> None:
        """Say these bytes, or as many of them as there is room for."""
        os.set_blocking(self.results, False)
        try:
            os.write(self.results, data)
        except OSError:
            return

    def close(self) -> None:
        """It is gone."""
        for fd in (self.orders, self.results):
            os.close(fd)


def no_command(*_: object) -> None:
    """No command is run."""
    raise OSError("nothing is run here")
