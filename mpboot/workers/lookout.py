"""The parent's end of the watcher: which launches it is to watch, and what it says of them."""

from __future__ import annotations

from select import POLLIN, POLLOUT
from time import monotonic

from mpboot.net.loop import READ
from mpboot.workers.pipes import Reader, Writer, ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

    from mpboot.net.loop import Loop
    from mpboot.workers.carrier import Worker
    from mpboot.workers.forker import Forked

    Cause = Tuple[str, str, str]  # cause, phase, detail

FIRST_LOOK = 2.0  # seconds that a launch may take before it is watched
LOOKS = 0.5  # seconds between two turns of handing launches to the watcher


class Lookout:
    """Hands over launches that take long; the watcher is made with the first of them.

    ``fork(search)`` makes it, ``busy`` are the pool's workers by their launches. ``blind()`` is called when there is
    no psutil here, ``told(records)`` with the answer to ``ask``.
    """

    def __init__(self, loop: Loop, fork: Callable[[List[str]], Forked], busy: Dict[int, Worker]) -> None:
        self.blind: Callable[[], None] = lambda: None
        self.told: Callable[[List[Dict[str, Any]]], None] = lambda _: None
        self.search: List[str] = []  # directories that may hold psutil beside the usual ones
        self._loop = loop
        self._fork = fork
        self._busy = busy
        self._watcher: Optional[Forked] = None
        self._can_watch = True
        self._due = False
        self._decided: Dict[int, Cause] = {}
        self._records: List[Dict[str, Any]] = []  # of an answer that is not complete

    def soon(self) -> None:
        """A launch has begun: look whether it takes long."""
        if not self._due and self._can_watch:
            self._due = True
            self._loop.later(FIRST_LOOK, self._hand_over_slow)

    def forget(self, worker: Worker) -> None:
        """Its launch need not be watched any more."""
        if worker.watched and worker.target is not None:
            worker.watched = False
            self._order(("forget", worker.target[0]))

    def verdict(self, launch: int) -> Optional[Cause]:
        """What the watcher has ended this launch for, if it has; asked once."""
        self._hear()
        return self._decided.pop(launch, None)

    def ask(self) -> bool:
        """Have ``told`` called with what is known of the launches under way; False if nobody can tell."""
        self._hand_over(0.0)
        return self._watcher is not None and self._order(("tell",))

    def see(self, directory: str) -> None:
        """There is a psutil now, in ``directory``: watch after all."""
        self.search.append(directory)
        self._can_watch = True
        self.soon()

    def stop(self) -> None:
        """End the watcher."""
        self._can_watch = False
        if self._watcher is not None:
            self._loop.forget(self._watcher.results)
            self._watcher.kill()
            self._watcher.let_go()
            self._watcher = None

    # -- inside ------------------------------------------------------------------------------------

    def _hand_over_slow(self) -> None:
        self._due = False
        self._hand_over(FIRST_LOOK)
        if self._can_watch and any(not worker.settled for worker in self._busy.values()):
            self._due = True
            self._loop.later(LOOKS, self._hand_over_slow)

    def _hand_over(self, age: float) -> None:
        """Have the launches watched that are older than ``age`` seconds."""
        now = monotonic()
        for launch, worker in self._busy.items():
            if worker.watched or worker.settled or not worker.rsh_pid or now - worker.begin < age:
                continue
            assert worker.target is not None
            if not self._order(("watch", launch, worker.target[5], worker.rsh_pid, worker.fed, worker.begin)):
                return
            worker.watched = True

    def _order(self, order: Tuple[Any, ...]) -> bool:
        """Tell the watcher, started if need be, unless that could block."""
        if not self._can_watch:
            return False
        try:
            if self._watcher is None:
                self._watcher = self._fork(self.search)
                self._loop.watch(self._watcher.results, READ, lambda _: self._hear())
            if not ready(self._watcher.orders, POLLOUT, 0.0):
                return False  # it is busy; the next turn will do
            Writer(self._watcher.orders).put(order)
        except OSError:
            return False
        return True

    def _hear(self) -> None:
        while self._watcher is not None:
            try:
                if not ready(self._watcher.results, POLLIN, 0.0):
                    return
                launch, what, value = Reader(self._watcher.results).get()
            except (EOFError, OSError):
                self._drop(True)
                return
            if what == "blind":
                self._drop(False)
                self.blind()
            elif what == "tell":
                self._records += [value] if value is not None else []
                if not launch:
                    records, self._records = self._records, []
                    self.told(records)
            elif launch in self._busy:
                self._decided[launch] = value

    def _drop(self, another: bool) -> None:
        """It has ended; if there may be ``another``, the next look starts it."""
        assert self._watcher is not None
        self._loop.forget(self._watcher.results)
        self._watcher.let_go()
        self._watcher = None
        self._can_watch = another
        for worker in self._busy.values():
            worker.watched = False
