"""A pool with all that belongs to it, as its tests have it."""

from __future__ import annotations

from collections.abc import Callable

import psutil

from mpboot.net.work import Verdict
from mpboot.workers import forkserver
from mpboot.workers.forker import ForkServer
from mpboot.workers.lookout import Lookout
from mpboot.workers.pool import Pool
from tests.workers.given import SteppedLoop, order, settings

SLEEPS = "exec sleep 60"
TELLS = "echo $PPID >&2; exit 1"  # an rsh that tells its worker's pid


class Owned:
    """A pool, its loop, and what it has told."""

    def __init__(self, rsh: str, timeout: float = 30.0, attach: bool = False) -> None:
        self.loop = SteppedLoop()
        self.server = ForkServer(forkserver.start())
        self.lookout = Lookout(self.loop, self.server, [], lambda: None, lambda _: None)
        self.rsh: dict[int, int] = {}
        self.verdicts: dict[int, Verdict] = {}
        self.unable: dict[int, str] = {}
        self.asked: list[int] = []  # for room
        self.room = 99
        given = settings(rsh, timeout, attach=attach)
        self.pool = Pool(
            self.loop, self.server, given, self.lookout, self.rsh.__setitem__, self._ended, self.unable.__setitem__,
            self._has_room,
        )  # fmt: skip

    def _ended(self, launch: int, verdict: Verdict) -> None:
        assert launch not in self.verdicts
        self.verdicts[launch] = verdict

    def _has_room(self, workers: int) -> bool:
        self.asked.append(workers)
        return workers <= self.room

    def begin(self, *launches: int) -> None:
        """Launches that are under way."""
        for launch in launches:
            self.pool.submit(order(launch))
        self.loop.until(lambda: all(launch in self.rsh or launch in self.verdicts for launch in launches))
        assert not any(launch in self.verdicts for launch in launches), self.verdicts

    def end(self, *launches: int) -> list[Verdict]:
        """The verdicts on launches."""
        self.loop.until(lambda: all(launch in self.verdicts for launch in launches))
        return [self.verdicts[launch] for launch in launches]

    def worker(self, launch: int) -> psutil.Process:
        """The process that carries a launch."""
        found = psutil.Process(self.rsh[launch]).parent()
        assert found is not None
        return found

    def told_worker(self, launch: int) -> int:
        """The worker of a launch by an rsh that TELLS."""
        (verdict,) = self.end(launch)
        assert verdict.stderr, verdict
        return int(verdict.stderr)


Own = Callable[..., Owned]


def died(verdict: Verdict) -> str:
    """What a worker's death says of its launch."""
    assert (verdict.cause, verdict.phase, verdict.states, verdict.stderr) == ("rsh-failed", "connect", [], "")
    return verdict.detail


def first_server(owned: Owned) -> psutil.Process:
    return psutil.Process(owned.server._pid)
