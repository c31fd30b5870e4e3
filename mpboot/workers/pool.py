"""The pool: OS processes that the fork server makes as needed, used again, each carrying one launch at a time.

Every worker has two multiprocessing queues of its own. With a queue that all share, a worker killed while it
holds the queue's lock would stop all the others for ever; so a worker's death costs its own launch and no more.
A SimpleQueue needs no feeder thread, and its reading end is a descriptor for the parent's selector.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import os
from time import monotonic

from mpboot.net.loop import READ
from mpboot.tree import causes
from mpboot.workers.carrier import Verdict, Worker
from mpboot.workers.family import family, send
from mpboot.workers.launch import BACKUP
from mpboot.workers.lookout import Lookout
from mpboot.workers.pipes import NO_FORK, WATCHER, WORKER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

    from mpboot.net.loop import Loop
    from mpboot.workers.forker import Forked, ForkServer
    from mpboot.workers.settings import Target

MARGIN = 4.0  # seconds beyond the timeout and its backup in which a worker must have ended its launch, or it hangs
RSH_ENDS = 2.0  # seconds that stop() gives workers to end their rsh
BIRTH = 4.0  # seconds in which the fork server must have made a worker, or it hangs
BIRTHS = 3  # servers that may die of one launch


class Pool:
    """Starts, feeds, replaces and stops workers; tells through callbacks what became of each launch.

    ``started(launch, pid)``, ``ended(launch, verdict)``, ``unable(launch, why)`` if no process can be had for it.
    A worker that died or hung gives a verdict of its own (cause rsh-failed).
    """

    def __init__(
        self,
        loop: Loop,
        server: ForkServer,
        settings: Dict[str, Any],
        started: Callable[[int, int], None],
        ended: Callable[[int, Verdict], None],
        unable: Callable[[int, str], None],
    ) -> None:
        self._loop = loop
        self._timeout: float = settings["timeout"]
        self._started = started
        self._ended = ended
        self._unable = unable
        self._server = server
        server.settle(settings)
        self._idle: List[Worker] = []
        self._busy: Dict[int, Worker] = {}
        self._stopping = False
        self._lookout = Lookout(loop, self._watcher, self._busy)
        self.has_room: Callable[[int], bool] = lambda _: True  # are there descriptors for so many workers?

    @property
    def busy(self) -> int:
        """How many launches are under way."""
        return len(self._busy)

    @property
    def lookout(self) -> Lookout:
        """Who sees which launches hang."""
        return self._lookout

    def submit(self, target: Target) -> None:
        """Have a launch carried out, by an idle worker or a new one. OSError if none can be had."""
        if not self._idle and self._busy and not self.has_room(len(self._busy) + 1):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        if not self._idle:
            self._begin(self._new(target), BIRTH, self._unborn)
            return
        one = self._idle.pop()
        one.target = target
        self._begin(one, self._timeout + BACKUP + MARGIN, self._hung)
        try:
            one.order(target)
        except OSError:
            self._replace(one, "the worker died")

    def cancel(self, launch: int) -> None:
        """End a launch; its verdict comes all the same (cause interrupted)."""
        one = self._busy.get(launch)
        if one is None:
            return
        one.cancelled = True
        self._limit(one, MARGIN, self._hung)
        try:
            one.order(None)
        except OSError:
            self._replace(one, "the worker died")

    def settled(self, launch: int) -> None:
        """The agent is up: from now on its rsh may live as long as it likes."""
        one = self._busy.get(launch)
        if one is not None:
            one.settled = True
            if one.timer is not None:
                one.timer.cancel()
            self._lookout.forget(one)

    def stop(self) -> None:
        """End all launches and workers; returns when they are gone. Nothing of theirs is left."""
        self._stopping = True
        workers = [*self._busy.values(), *self._idle]
        self._server.hear()
        if not all(one.forked.pid for one in workers):
            self._server.drop()  # it hangs, or is just at it: else what it was sent would stay open
        for one in workers:
            if one.timer is not None:
                one.timer.cancel()
            self._loop.forget(one.fd)
            one.forked.close_orders()
        until = monotonic() + RSH_ENDS
        for one in workers:
            if not one.forked.ends(until - monotonic()):
                self._destroy(one)
            one.forked.let_go()
        self._busy.clear()
        self._idle.clear()
        self._lookout.stop()
        self._server.stop()

    # -- workers -----------------------------------------------------------------------------------

    def _new(self, target: Target) -> Worker:
        one = Worker(self._server.fork(WORKER, target), target)
        self._loop.watch(one.fd, READ, lambda _: self._heard(one))
        return one

    def _watcher(self, search: List[str]) -> Forked:
        return self._server.fork(WATCHER, search)

    def _begin(self, one: Worker, seconds: float, then: Callable[[Worker], None]) -> None:
        assert one.target is not None
        one.begin = monotonic()
        self._busy[one.target[0]] = one
        self._limit(one, seconds, then)
        self._lookout.soon()

    def _limit(self, one: Worker, seconds: float, then: Callable[[Worker], None]) -> None:
        if one.timer is not None:
            one.timer.cancel()
        one.timer = self._loop.later(seconds, lambda: then(one))

    def _heard(self, one: Worker) -> None:
        try:
            launch, what, value = one.get()
        except (EOFError, OSError):
            if one.spoke or not self._born_again(one):
                self._replace(one, "the worker died")
            return
        one.spoke = True
        if what == NO_FORK:
            self._none_to_be_had(one, value)
        elif what == "started":
            one.rsh_pid, one.fed, one.forked.pid = value
            self._lookout.forget(one)  # it was the shell's probe
            if not one.settled:
                self._limit(one, self._timeout + BACKUP + MARGIN, self._hung)
            self._started(launch, one.rsh_pid)
        else:
            self._finished(one, launch, Verdict(*value))

    def _finished(self, one: Worker, launch: int, verdict: Verdict) -> None:
        decided = self._lookout.verdict(launch)
        if verdict.cause and decided is not None:
            from mpboot.workers.diagnosis import agree

            verdict.cause, verdict.phase, verdict.detail = agree(decided, verdict.states, verdict.stderr)
        self._free(one)
        if self.has_room(len(self._busy) + len(self._idle) + 1):
            self._idle.append(one)
        else:  # what it takes is needed for children
            self._loop.forget(one.fd)
            one.forked.let_go()
        self._ended(launch, verdict)

    def _free(self, one: Worker) -> Optional[int]:
        launch = one.target[0] if one.target is not None else None
        if launch is not None:
            self._lookout.forget(one)
            self._busy.pop(launch, None)
        one.target, one.rsh_pid, one.settled, one.cancelled = None, 0, False, False
        if one.timer is not None:
            one.timer.cancel()
            one.timer = None
        return launch

    def _none_to_be_had(self, one: Worker, number: int) -> None:
        self._loop.forget(one.fd)
        one.forked.let_go()
        launch = self._free(one)
        if launch is not None and not self._stopping:
            self._unable(launch, os.strerror(number))

    def _hung(self, one: Worker) -> None:
        self._replace(one, "the worker hung")

    def _unborn(self, one: Worker) -> None:
        """Nothing came of it in all this time: its own fault, or is it the server that does not fork?"""
        self._server.hear()
        if one.forked.pid:
            self._limit(one, self._timeout + BACKUP + MARGIN - BIRTH, self._hung)
        elif not self._born_again(one):
            self._replace(one, "the worker hung")

    def _born_again(self, one: Worker) -> bool:
        """If the server died or hung before it made this worker, have another make it; else False."""
        self._server.hear()
        if one.forked.pid or one.cancelled or self._stopping or one.target is None or one.births >= BIRTHS:
            return False
        self._loop.forget(one.fd)
        one.forked.let_go()
        if one.forked.generation == self._server.generation:  # else another has been started already
            self._server.drop()
        target = one.target
        self._free(one)
        try:
            another = self._new(target)
        except OSError as error:
            self._unable(target[0], error.strerror or str(error))
            return True
        another.births = one.births + 1
        self._begin(another, BIRTH, self._unborn)
        return True

    def _replace(self, one: Worker, why: str) -> None:
        """Kill a worker and what it had launched; the next launch has another made."""
        self._loop.forget(one.fd)
        self._server.hear()
        self._destroy(one)
        one.forked.let_go()
        if one in self._idle:
            self._idle.remove(one)
        cancelled, launch = one.cancelled, self._free(one)
        if launch is not None and not self._stopping:
            # A worker that hangs leaves it to the watcher to say what its launch died of.
            known = (causes.INTERRUPTED, "", "cancelled") if cancelled else (causes.RSH_FAILED, "connect", why)
            cause, phase, detail = self._lookout.verdict(launch) or known
            self._ended(launch, Verdict(cause, phase, detail, [], ""))

    def _destroy(self, one: Worker) -> None:
        if not one.forked.pid and not one.forked.ends(0.0) and one.forked.generation == self._server.generation:
            self._server.drop()  # it has not forked it yet: it hangs
        # One that is stopped may have started an rsh that it has not told of.
        known = one.rsh_pid or one.forked.pid
        before = family(known) if known and one.target is not None and one.forked.runs else []
        one.forked.kill()
        one.forked.ends(1.0)
        send({*before, *(family(one.rsh_pid) if one.rsh_pid else ())}, _signal.SIGKILL)
