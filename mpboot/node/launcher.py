"""Carries out the state's orders to launch: a queue, the pool, and the times of each launch."""

from __future__ import annotations

from _collections import deque  # type: ignore[import-not-found]  # all that a new parent needs of collections
from time import monotonic

from mpboot.net import messages
from mpboot.net.work import LaunchOrder, Verdict
from mpboot.node.lateness import Lateness
from mpboot.node.pace import WAIT, YOUNG, Pace
from mpboot.tree import causes
from mpboot.tree.ledger import HEAD
from mpboot.workers.lookout import Lookout
from mpboot.workers.pool import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Deque, Dict, List, Optional, Protocol, Sequence

    from mpboot.net.loop import Loop, Timer
    from mpboot.net.work import LaunchSettings, Sighting
    from mpboot.node.keyring import Way
    from mpboot.workers.forker import ForkServer

    class Employer(Protocol):
        """Whom a Launcher works for: what comes of its launches, and what it asks."""

        def started(self, label: str, pid: int) -> None:
            """The rsh of a launch has been started."""

        def launch_failed(self, rank: int, verdict: Verdict) -> None:
            """The launch of ``rank`` failed."""

        def launch_late(self, rank: int) -> None:
            """The launch of ``rank`` takes much longer than the others."""

        def no_room(self, rank: int) -> None:
            """This machine can't carry the launch of ``rank`` now; room_again() follows a little later."""

        def room_again(self) -> None:
            """It may be that it can, by now."""

        def has_room(self, workers: int) -> bool:
            """Are there descriptors for so many workers?"""

        def wants_more(self) -> bool:
            """Would more launches be ordered if this machine kept up?"""

        def keeps_up(self, count: int, begun: int, first: float) -> None:
            """So many launches more could begin now. ``begun``: so far, the ``first`` at this monotonic time."""

        def no_psutil(self) -> None:
            """There is no psutil here, so no launch is watched."""

        def log(self, when: float, label: str, text: str) -> None:
            """A line for the person who watches; ``when`` on the monotonic clock."""


STARVED = 20  # times that a node without a single worker tries again to start one
PAUSE = 0.5  # seconds in between
SAY_SOMETHING = 5.0  # seconds in which an agent that let go of rsh must have said HELLO
LOOK = 0.7  # seconds that the watcher may take to look at the launches under way


class Attempt:
    """A launch: queued, then under way. Times on the monotonic clock; ``begun`` is 0 while it is queued."""

    __slots__ = ("begun", "host", "id", "key", "number", "queued", "rank", "timer", "way", "young")

    def __init__(self, identity: int, host: messages.HostOrder, number: int, key: bytes, way: Way) -> None:
        self.id = identity
        self.key = key
        self.way = way
        self.host = host
        self.rank = host.rank
        self.number = number
        self.queued = monotonic()
        self.begun = 0.0
        self.young = False  # begun, but its rsh is not started yet
        self.timer: Optional[Timer] = None

    def order(self, by: int) -> LaunchOrder:
        """The order for its worker on the node ``by``: the head itself knows best how its hosts are reached."""
        host = self.host
        address = host.afar.address if host.afar is not None and by != HEAD else None
        return LaunchOrder(
            self.id, host.rank, host.name, host.user, host.port, host.label, self.key, self.way, host.python, address
        )


class Launcher:
    """The launches of one node, whose rank is ``rank``."""

    def __init__(
        self,
        loop: Loop,
        server: ForkServer,
        settings: LaunchSettings,
        employer: Employer,
        rank: int,
        directories: Sequence[str],
        slowest: float = 0.0,
    ) -> None:
        """``directories`` may hold psutil beside the usual ones; ``slowest``: see lateness.py."""
        self._launches, self._first = 0, 0.0  # begun so far; monotonic time of the first
        self._loop = loop
        self._employer = employer
        self._rank = rank
        self._pace = Pace()
        self._queue: Deque[Attempt] = deque()
        self._attempts: Dict[int, Attempt] = {}  # by id
        self._current: Dict[int, Attempt] = {}  # by rank
        self._made = self._young = self._starved = 0
        self._turn_due = False
        self.lateness = Lateness(loop, self._begun, employer.launch_late, slowest)
        self._asker: Optional[Callable[[List[messages.LaunchSeen]], None]] = None
        self._look: Optional[Timer] = None  # ends the wait for the watcher's answer
        self.lookout = Lookout(loop, server, directories, employer.no_psutil, self._seen)
        self._pool = Pool(
            loop, server, settings, self.lookout, self._started, self._ended, self._unable, employer.has_room
        )

    def launch(self, host: messages.HostOrder, number: int, key: bytes, way: Way) -> None:
        """Launch a host for the ``number``-th time; ``key`` and ``way``: see keyring.py."""
        self._made += 1
        attempt = Attempt(self._made, host, number, key, way)
        self._attempts[attempt.id] = self._current[attempt.rank] = attempt
        self._queue.append(attempt)
        self._employer.log(attempt.queued, host.label, "queued, attempt %d" % number)
        self._take_turn(0.0)

    def cancel(self, rank: int) -> None:
        """End the launch of ``rank``, if there is one."""
        attempt = self._current.pop(rank, None)
        if attempt is None:
            return
        if attempt.begun:
            self._pool.cancel(attempt.id)
        else:
            self._queue.remove(attempt)
            self._attempts.pop(attempt.id)

    def connected(self, rank: int, now: float) -> float:
        """The agent of ``rank`` has spoken, ``now``: when its launch began. Both on the monotonic clock."""
        self._take_turn(0.0)
        attempt = self._current.pop(rank, None)
        if attempt is None or not attempt.begun:
            if attempt is not None:  # an earlier launch's agent came first
                self._queue.remove(attempt)
                self._attempts.pop(attempt.id)
            return now
        if attempt.timer is not None:  # its verdict has come, and nothing else will
            attempt.timer.cancel()
            self._attempts.pop(attempt.id, None)
        self._pool.agent_up(attempt.id)
        self.lateness.succeeded(now - attempt.begun)
        return attempt.begun

    def halt(self) -> None:
        """Begin no launch any more, and have those under way end; it is not waited for."""
        self._queue.clear()
        self._pool.halt()

    def stop(self) -> None:
        """End all of it."""
        self._queue.clear()
        self._pool.stop()

    def tell(self, answer: Callable[[List[messages.LaunchSeen]], None], closely: bool = True) -> None:
        """Have ``answer`` called soon with a record of each launch; ``closely``: the watcher looks at new ones, too."""
        self._asker = answer
        if not self._current or not self.lookout.ask(closely):
            self._seen([])
        else:
            self._look = self._loop.later(LOOK, lambda: self._seen([]))

    def _seen(self, seen: List[Sighting]) -> None:
        """``seen``: what the watcher says of some of them; without psutil nobody does."""
        if self._asker is None:
            return
        answer, self._asker = self._asker, None
        if self._look is not None:
            self._look.cancel()  # whoever asks next is to have all the time
        known = {sighting.launch: sighting for sighting in seen}
        answer([self._record(one, known.get(one.id)) for one in self._current.values()])

    def _record(self, one: Attempt, seen: Optional[Sighting]) -> messages.LaunchSeen:
        seconds = round(monotonic() - (one.begun or one.queued), 1)
        begun = (one.host.rank, self._rank, one.number, seconds)
        if seen is None:
            return messages.LaunchSeen(*begun, None, None, [], [], "")
        tcp = [list(pair) for pair in seen.tcp]
        return messages.LaunchSeen(*begun, seen.phase, seen.still, tcp, seen.statuses, seen.tty)

    # -- the queue ---------------------------------------------------------------------------------

    def _take_turn(self, delay: float) -> None:
        if not self._turn_due:
            self._turn_due = True
            self._loop.later(delay, self._next)

    def _next(self) -> None:
        """Begin a few launches if the processors keep up; the loop goes round before the next few."""
        self._turn_due = False
        if self._young >= YOUNG or not (self._queue or self._employer.wants_more()):
            return  # the next that has started, ended or is ordered leads on
        if not (count := self._pace.go(self._young)):
            self._take_turn(WAIT)
            return
        count = self._begin(count)
        if count and not self._starved:
            self._employer.keeps_up(count, self._launches, self._first)
            self._begin(count)

    def _begin(self, count: int) -> int:
        """Begin up to ``count`` queued launches; how many more there might have been."""
        while count and self._queue:
            attempt = self._queue.popleft()
            attempt.begun = monotonic()
            self._first = self._first or attempt.begun
            try:
                self._pool.submit(attempt.order(self._rank))
            except OSError as error:
                self._no_worker(attempt, error.strerror or str(error))
                return 0
            self._launches += 1
            self._young += 1
            attempt.young = True
            count -= 1
        return count

    def _no_worker(self, attempt: Attempt, why: str) -> None:
        """A limit of this machine is reached: go on when a launch has ended, or a little later."""
        if self._pool.busy or self._starved < STARVED:
            self._starved += 0 if self._pool.busy else 1
            for one in [attempt, *self._queue]:
                self._attempts.pop(one.id)
                self._current.pop(one.rank)
                self._employer.no_room(one.rank)
            self._queue.clear()
            self._loop.later(PAUSE, self._try_again)
        else:
            self._ended(attempt.id, Verdict(causes.RSH_FAILED, "connect", "no worker can be started: " + why, [], ""))

    def _unable(self, launch: int, why: str) -> None:
        """It had begun, but then no process could be forked for it."""
        attempt = self._attempts.get(launch)
        if attempt is None:
            return
        self._grows_up(attempt)
        self._launches -= 1
        if self._current.get(attempt.rank) is attempt:
            self._no_worker(attempt, why)
        else:
            self._attempts.pop(launch)

    def _try_again(self) -> None:
        self._employer.room_again()
        self._take_turn(0.0)

    # -- what comes of launches --------------------------------------------------------------------

    def _started(self, launch: int, pid: int) -> None:
        attempt = self._attempts[launch]
        self._starved = 0
        self._grows_up(attempt)
        self.lateness.watch()
        self._employer.started(attempt.host.label, pid)

    def _grows_up(self, attempt: Attempt) -> None:
        self._young -= attempt.young
        attempt.young = False
        self._take_turn(0.0)

    def _ended(self, launch: int, verdict: Verdict) -> None:
        attempt = self._attempts.get(launch)
        if attempt is None:
            return
        self._grows_up(attempt)
        for name, when in verdict.states:
            if name != "started":  # that was told at once
                self._employer.log(when, attempt.host.label, name)
        if self._current.get(attempt.rank) is not attempt:
            self._attempts.pop(launch)
            return
        if not verdict.cause:
            # The agent let go of rsh; its HELLO is on the way, or it died in between.
            lost = Verdict(causes.LOST, "callback", "the agent connected, then said nothing", [], verdict.stderr)
            if attempt.timer is None:
                attempt.timer = self._loop.later(SAY_SOMETHING, lambda: self._ended(launch, lost))
            return
        self._attempts.pop(launch)
        self._current.pop(attempt.rank)
        self._employer.log(monotonic(), attempt.host.label, "%s: %s" % (verdict.cause, verdict.detail))
        self._employer.launch_failed(attempt.rank, verdict)

    def _begun(self) -> Dict[int, float]:
        return {one.rank: one.begun for one in self._current.values() if one.begun}
