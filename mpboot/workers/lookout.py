"""The parent's end of the watcher: which launches it is to watch, and what it says of them."""

from __future__ import annotations

from select import POLLOUT
from time import monotonic

from mpboot.net.loop import READ
from mpboot.net.work import (
    Blind,
    FindPsutil,
    Forget,
    Hung,
    NoFork,
    Sighting,
    Tell,
    Told,
    Verdict,
    Watch,
    watcher_result,
)
from mpboot.workers.pipes import WATCHER, Results, Writer, ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Sequence, Set

    from mpboot.net.loop import Loop
    from mpboot.net.work import LaunchOrder, Message
    from mpboot.workers.forker import Forked, ForkServer

FIRST_LOOK = 2.0  # seconds that a launch may take before it is watched
TURN = 0.5  # seconds between two turns of handing launches to the watcher


class WatcherProcess:
    """The watcher as its parent knows it: made with the first order, and spoken to without ever waiting for it."""

    def __init__(self, loop: Loop, server: ForkServer, heard: Callable[[], None]) -> None:
        """``heard()`` is called when the watcher has said something, or has ended."""
        self._loop = loop
        self._server = server
        self._heard = heard
        self._forked: Optional[Forked] = None
        self._results: Optional[Results] = None

    @property
    def runs(self) -> bool:
        """Has it been made, and not let go of?"""
        return self._forked is not None

    def order(self, order: Message, directories: Sequence[str]) -> bool:
        """Give an order, unless that could block or no process can be had. ``directories`` may hold psutil."""
        try:
            if self._forked is None:
                self._forked = self._server.fork(WATCHER, FindPsutil(list(directories)))
                self._results = Results(self._forked.results)
                self._loop.watch(self._forked.results, READ, lambda _: self._heard())
            if not ready(self._forked.orders, POLLOUT, 0.0):
                return False  # it is busy; the next turn will do
            Writer(self._forked.orders).put(order.plain())
        except OSError:
            return False
        return True

    def result(self) -> Any:
        """What it says next; None if that is nothing. EOFError, OSError if it has died, ValueError if it must have."""
        said = self._results.take() if self._results is not None else None
        return watcher_result(said) if said is not None else None

    def kill(self) -> None:
        """End it, and keep nothing of it."""
        if self._forked is not None:
            self._loop.forget(self._forked.results)
            self._forked.kill()
            self._forked.close()
            self._forked = self._results = None


class Lookout:
    """Has launches watched that take long; the watcher is made with the first of them.

    ``directories`` may hold psutil beside the usual ones. ``blind()`` is called when there is none here,
    ``told(sightings)`` with the answer to ``ask``.
    """

    def __init__(
        self,
        loop: Loop,
        server: ForkServer,
        directories: Sequence[str],
        blind: Callable[[], None],
        told: Callable[[List[Sighting]], None],
    ) -> None:
        self.directories = list(directories)
        self._loop = loop
        self._blind = blind
        self._told = told
        self._watcher = WatcherProcess(loop, server, self._hear)
        self._launches: Dict[int, Watch] = {}  # under way, by their numbers: what is to be said of each
        self._watched: Set[int] = set()
        self._hung: Dict[int, Hung] = {}
        self._can_watch = True
        self._turn_due = False
        self._sightings: List[Sighting] = []  # of an answer that is not complete
        self._handlers: Dict[type, Callable[[Any], None]] = {
            Blind: self._sees_nothing,
            Sighting: self._sees,
            Told: self._has_told,
            Hung: self._has_found,
            NoFork: self._has_no_process,
        }

    def started(self, order: LaunchOrder, rsh_pid: int, fed: int, begin: float) -> None:
        """A launch that began at ``begin`` has started an rsh, maybe in place of the one that asked for the shell."""
        self._unwatch(order.launch)
        self._launches[order.launch] = Watch(order.launch, order.label, rsh_pid, fed, begin)
        self._look_later(FIRST_LOOK)

    def forget(self, launch: int) -> None:
        """A launch has ended, or its agent is up."""
        if self._launches.pop(launch, None) is not None:
            self._unwatch(launch)
        self._hung.pop(launch, None)

    def agreed(self, launch: int, verdict: Verdict) -> Verdict:
        """How a launch ended, where the watcher may know better than ``verdict``, which is its worker's."""
        self._hear()
        hung = self._hung.get(launch)
        if hung is None or not verdict.cause:
            return verdict
        try:
            from mpboot.workers.diagnosis import agree
        except (ImportError, OSError):
            return verdict  # no descriptor is left to load that

        seen = (hung.cause, hung.phase, hung.detail)
        return Verdict(*agree(seen, verdict.states, verdict.stderr), verdict.states, verdict.stderr)

    def ask(self, all_of_them: bool = True) -> bool:
        """Have ``told`` called with what the watcher sees of the launches under way; False if there is no watcher.

        Unless it is ``all_of_them``, of those alone that are watched by now; no watcher is made for that.
        """
        if all_of_them:
            self._hand_over(0.0)
        return self._watcher.runs and self._order(Tell())

    def look_in(self, directory: str) -> None:
        """There is a psutil now, in ``directory``: watch after all."""
        self.directories.append(directory)
        self._can_watch = True
        self._look_later(FIRST_LOOK)

    def stop(self) -> None:
        """End the watcher."""
        self._can_watch = False
        self._watcher.kill()

    # -- inside ------------------------------------------------------------------------------------

    def _look_later(self, seconds: float) -> None:
        if not self._turn_due and self._can_watch:
            self._turn_due = True
            self._loop.later(seconds, self._take_turn)

    def _take_turn(self) -> None:
        self._turn_due = False
        self._hand_over(FIRST_LOOK)
        if self._launches:
            self._look_later(TURN)

    def _hand_over(self, age: float) -> None:
        """Have the launches watched that are older than ``age`` seconds."""
        now = monotonic()
        for launch, watch in self._launches.items():
            if launch not in self._watched and now - watch.begin >= age:
                if not self._order(watch):
                    return
                self._watched.add(launch)

    def _unwatch(self, launch: int) -> None:
        if launch in self._watched:
            self._watched.discard(launch)
            self._order(Forget(launch))

    def _order(self, order: Message) -> bool:
        return self._can_watch and self._watcher.order(order, self.directories)

    def _hear(self) -> None:
        """Take in all that the watcher has said. When it has died, the next turn has another made."""
        while self._watcher.runs:
            try:
                said = self._watcher.result()
            except (EOFError, OSError, ValueError):
                self._drop(True)
                return
            if said is None:
                return
            self._handlers[type(said)](said)

    def _sees_nothing(self, _: Blind) -> None:
        self._drop(False)
        self._blind()

    def _has_no_process(self, _: NoFork) -> None:
        self._drop(True)  # this machine is at a limit: the next turn may have more luck

    def _sees(self, seen: Sighting) -> None:
        self._sightings.append(seen)

    def _has_told(self, _: Told) -> None:
        sightings, self._sightings = self._sightings, []
        self._told(sightings)

    def _has_found(self, hung: Hung) -> None:
        if hung.launch in self._launches:
            self._hung[hung.launch] = hung

    def _drop(self, another: bool) -> None:
        self._watcher.kill()
        self._can_watch = another
        self._watched.clear()
        self._sightings.clear()
