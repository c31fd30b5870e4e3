"""Carries out the state's orders to launch: a queue, the pool, and the times of each launch."""

from __future__ import annotations

from _collections import deque  # type: ignore[import-not-found]  # all that a new parent needs of collections
from time import monotonic

from mpboot.node.pace import WAIT, YOUNG, Pace
from mpboot.tree import causes
from mpboot.workers.carrier import Verdict
from mpboot.workers.pool import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

    from mpboot.net.loop import Loop, Timer
    from mpboot.workers.forker import ForkServer

STARVED = 20  # times that a node without a single worker tries again to start one
BREATH = 0.5  # seconds in between
SAY_SOMETHING = 5.0  # seconds in which an agent that let go of rsh must have said HELLO
LOOK = 0.7  # seconds that the watcher may take to look at the launches under way


class Attempt:
    """A launch: queued, then under way."""

    __slots__ = ("begun", "host", "id", "number", "queued", "rank", "timer", "young")

    def __init__(self, identity: int, host: List[Any], number: int) -> None:
        self.id = identity
        self.host = host  # [rank, label, name, user, port, …]
        self.rank: int = host[0]
        self.number = number
        self.queued = monotonic()
        self.begun = 0.0
        self.young = False
        self.timer: Optional[Timer] = None


class Launcher:
    """The launches of one node.

    What comes of them goes to the callbacks: ``failed(rank, verdict, label)``, ``late(rank)`` for one that takes
    much longer than the others, ``no_room(rank)`` if this machine can't carry it and ``try_again()`` a little later,
    ``keeps_up(count)`` when that many more could begin and ``wants_more()`` has said so,
    ``log(monotonic time, label, text)``.
    """

    def __init__(self, loop: Loop, server: ForkServer, settings: Dict[str, Any]) -> None:
        self.failed: Callable[[int, Verdict], None]
        self.late: Callable[[int], None]
        self.no_room: Callable[[int], None]
        self.keeps_up: Callable[[int], None]
        self.try_again: Callable[[], None]
        self.wants_more: Callable[[], bool]
        self.log: Callable[[float, str, str], None]
        self.pool = Pool(loop, server, settings, self._started, self._ended, self._unable)
        self.pool.lookout.told = self._seen
        self.begun = 0  # launches so far
        self.first = 0.0  # monotonic time of the first
        self._loop = loop
        self._pace = Pace()
        self._queue: Deque[Attempt] = deque()
        self._attempts: Dict[int, Attempt] = {}  # by id
        self._current: Dict[int, Attempt] = {}  # by rank
        self._made = 0
        self._young = 0  # begun, but their rsh is not started yet
        self._turn = False  # a turn of the queue is due
        self._starved = 0
        self._slowest = 0.0
        self._late_timer: Optional[Timer] = None
        self._is_late: Dict[int, bool] = {}
        self._asker: Optional[Callable[[List[Dict[str, Any]]], None]] = None

    def launch(self, host: List[Any], number: int) -> None:
        """Launch a host ([rank, label, name, user, port, …]) for the ``number``-th time."""
        self._made += 1
        attempt = Attempt(self._made, host, number)
        self._attempts[attempt.id] = self._current[attempt.rank] = attempt
        self._queue.append(attempt)
        self.log(attempt.queued, host[1], "queued, attempt %d" % number)
        self._take_turn(0.0)

    def cancel(self, rank: int) -> None:
        """End the launch of ``rank``, if there is one."""
        attempt = self._current.pop(rank, None)
        if attempt is None:
            return
        if attempt.begun:
            self.pool.cancel(attempt.id)
        else:
            self._queue.remove(attempt)
            self._attempts.pop(attempt.id)

    def connected(self, rank: int) -> Tuple[float, float]:
        """The agent of ``rank`` has spoken: the monotonic times at which its launch began, and now."""
        now = monotonic()
        self._take_turn(0.0)
        attempt = self._current.pop(rank, None)
        if attempt is None or not attempt.begun:
            if attempt is not None:  # an earlier launch's agent came first
                self._queue.remove(attempt)
                self._attempts.pop(attempt.id)
            return now, now
        if attempt.timer is not None:  # its verdict has come, and nothing else will
            attempt.timer.cancel()
            self._attempts.pop(attempt.id, None)
        self.pool.settled(attempt.id)
        self._slowest = max(self._slowest, now - attempt.begun)
        self._watch_late()
        return attempt.begun, now

    def stop(self) -> None:
        """End all of it."""
        self._queue.clear()
        self.pool.stop()

    def tell(self, answer: Callable[[List[Dict[str, Any]]], None]) -> None:
        """Have ``answer`` called once, soon, with a record of each launch under way."""
        self._asker = answer
        if not self._current or not self.pool.lookout.ask():
            self._seen([])
        else:
            self._loop.later(LOOK, lambda: self._seen([]))

    def _seen(self, seen: List[Dict[str, Any]]) -> None:
        """``seen``: what the watcher says of some of them; without psutil nobody does."""
        if self._asker is None:
            return
        answer, self._asker = self._asker, None
        known = {record["host"]: record for record in seen}
        now = monotonic()
        answer(
            [
                dict(
                    known.get(one.host[1], {}),
                    seconds=round(now - (one.begun or one.queued), 1),
                    host=one.host[1],
                    attempt=one.number,
                )
                for one in self._current.values()
            ]
        )

    # -- the queue ---------------------------------------------------------------------------------

    def _take_turn(self, delay: float) -> None:
        if not self._turn:
            self._turn = True
            self._loop.later(delay, self._next)

    def _next(self) -> None:
        """Begin a few launches if the processors keep up; the loop goes round before the next few."""
        self._turn = False
        if self._young >= YOUNG or not (self._queue or self.wants_more()):
            return  # the next that has started, ended or is ordered leads on
        count = self._pace.go(self._young)
        if not count:
            self._take_turn(WAIT)
            return
        count = self._begin(count)
        if count and not self._starved:
            self.keeps_up(count)
            self._begin(count)

    def _begin(self, count: int) -> int:
        """Begin up to ``count`` queued launches; how many more there might have been."""
        while count and self._queue:
            attempt = self._queue.popleft()
            attempt.begun = monotonic()
            self.first = self.first or attempt.begun
            _, label, name, user, port = attempt.host[:5]
            try:
                self.pool.submit((attempt.id, attempt.rank, name, user, port, label))
            except OSError as error:
                self._no_worker(attempt, error.strerror or str(error))
                return 0
            self.begun += 1
            self._young += 1
            attempt.young = True
            count -= 1
        return count

    def _no_worker(self, attempt: Attempt, why: str) -> None:
        """A limit of this machine is reached: go on when a launch has ended, or a little later."""
        if self.pool.busy or self._starved < STARVED:
            self._starved += 0 if self.pool.busy else 1
            for one in [attempt, *self._queue]:
                self._attempts.pop(one.id)
                self._current.pop(one.rank)
                self.no_room(one.rank)
            self._queue.clear()
            self._loop.later(BREATH, self._breathe)
        else:
            self._ended(attempt.id, Verdict(causes.RSH_FAILED, "connect", "no worker can be started: " + why, [], ""))

    def _unable(self, launch: int, why: str) -> None:
        """It had begun, but then no process could be forked for it."""
        attempt = self._attempts.get(launch)
        if attempt is None:
            return
        self._grows_up(attempt)
        self.begun -= 1
        if self._current.get(attempt.rank) is attempt:
            self._no_worker(attempt, why)
        else:
            self._attempts.pop(launch)

    def _breathe(self) -> None:
        self.try_again()
        self._take_turn(0.0)

    # -- what comes of launches --------------------------------------------------------------------

    def _started(self, launch: int, pid: int) -> None:
        attempt = self._attempts[launch]
        self._starved = 0
        self._grows_up(attempt)
        self.log(monotonic(), attempt.host[1], "started, pid %d" % pid)

    def _grows_up(self, attempt: Attempt) -> None:
        if attempt.young:
            attempt.young = False
            self._young -= 1
        self._take_turn(0.0)

    def _ended(self, launch: int, verdict: Verdict) -> None:
        attempt = self._attempts.get(launch)
        if attempt is None:
            return
        self._grows_up(attempt)
        for name, when in verdict.states:
            if name != "started":  # that was told at once
                self.log(when, attempt.host[1], name)
        if self._current.get(attempt.rank) is not attempt:
            self._attempts.pop(launch)
            return
        if not verdict.cause:
            # The agent let go of rsh; its HELLO is on the way, or it died in between.
            lost = Verdict(causes.AGENT_CRASH, "callback", "the agent connected, then said nothing", [], verdict.stderr)
            if attempt.timer is None:
                attempt.timer = self._loop.later(SAY_SOMETHING, lambda: self._ended(launch, lost))
            return
        self._attempts.pop(launch)
        self._current.pop(attempt.rank)
        self.log(monotonic(), attempt.host[1], "%s: %s" % (verdict.cause, verdict.detail))
        self.failed(attempt.rank, verdict)

    # -- what takes long ---------------------------------------------------------------------------

    def _watch_late(self) -> None:
        """Once a launch has led to an agent, those that take much longer are late: see BootState.is_late."""
        if self._late_timer is None and self._current:
            self._late_timer = self._loop.later(max(self._slowest, 0.5), self._find_late)

    def _find_late(self) -> None:
        self._late_timer = None
        patience = max(2 * self._slowest, self._slowest + 0.5)
        now = monotonic()
        begun = [one for one in self._current.values() if one.begun]
        for one in begun:
            if now - one.begun > patience:
                self.late(one.rank)
        if any(now - one.begun <= patience for one in begun):
            self._watch_late()
