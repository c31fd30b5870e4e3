"""The pool: OS processes that the fork server makes as needed, used again, each carrying one launch at a time.

Every worker has two multiprocessing queues of its own. With a queue that all share, a worker killed while it
holds the queue's lock would stop all the others for ever; so a worker's death costs its own launch and no more.
A SimpleQueue needs no feeder thread, and its reading end is a descriptor for the parent's loop.
"""

from __future__ import annotations

import errno
import os
from time import monotonic

from mpboot.net.loop import READ
from mpboot.net.work import Ended, NoFork, Started, Verdict
from mpboot.tree import causes
from mpboot.workers.carrier import Worker
from mpboot.workers.pipes import WORKER
from mpboot.workers.settings import BACKUP  # and not launch.py, which a parent need not load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Union

    from mpboot.net.loop import Loop
    from mpboot.net.work import LaunchOrder, LaunchSettings
    from mpboot.workers.forker import ForkServer
    from mpboot.workers.lookout import Lookout

MARGIN = 4.0  # seconds beyond the timeout and its backup in which a worker must have ended its launch, or it hangs
STOP_GRACE = 2.0  # seconds that stop() gives workers to end their rsh
FORKED_IN = 4.0  # seconds in which the fork server must have made a worker, or it hangs
TRIES = 3  # servers that may die of one launch, beyond the first
DIED, HUNG = "the worker died", "the worker hung"


class Pool:
    """Gives launches to workers; tells through callbacks what became of each.

    ``started(launch, pid)``; ``ended(launch, verdict)``; ``unable(launch, why)`` if no process can be had for it;
    ``has_room(workers)``: are there descriptors for so many workers? A worker that died or hung has ended its launch
    with cause rsh-failed, or what the watcher says.
    """

    def __init__(
        self,
        loop: Loop,
        server: ForkServer,
        settings: LaunchSettings,
        lookout: Lookout,
        started: Callable[[int, int], None],
        ended: Callable[[int, Verdict], None],
        unable: Callable[[int, str], None],
        has_room: Callable[[int], bool],
    ) -> None:
        self._loop = loop
        self._server = server
        self._lookout = lookout
        self._limit = settings.timeout + BACKUP + MARGIN
        self._started = started
        self._ended = ended
        self._unable = unable
        self._has_room = has_room
        self._idle: List[Worker] = []
        self._busy: Dict[int, Worker] = {}  # by their launches
        self._stopping = False
        self._handlers: Dict[type, Callable[[Worker, Any], None]] = {
            Started: self._has_started,
            Ended: self._carried,
            NoFork: self._no_process,
        }
        server.configure(settings)

    @property
    def busy(self) -> int:
        """How many launches are under way."""
        return len(self._busy)

    def submit(self, order: LaunchOrder) -> None:
        """Have a launch carried out, by an idle worker or a new one. OSError if none can be had."""
        while self._idle:
            worker = self._idle.pop()
            try:
                worker.carry(order)
            except OSError:
                self._discard(worker)  # it has died, and no launch with it
                continue
            self._busy[order.launch] = worker
            worker.limit(self._loop, self._limit, self._hung)
            return
        if self._busy and not self._has_room(len(self._busy) + 1):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self._make(order, 0)

    def cancel(self, launch: int) -> None:
        """End a launch; its verdict comes all the same (cause interrupted)."""
        worker = self._busy.get(launch)
        if worker is not None:
            worker.limit(self._loop, MARGIN, self._hung)
            try:
                worker.cancel()
            except OSError:
                return  # it has died: the loop is about to see that

    def agent_up(self, launch: int) -> None:
        """The agent is up: from now on its rsh may live as long as it likes."""
        worker = self._busy.get(launch)
        if worker is not None:
            worker.agent_up = True
            worker.no_limit()
            self._lookout.forget(launch)

    def halt(self) -> None:
        """Have all workers end but those whose agents are up: their rsh may carry what an agent says."""
        self._stopping = True
        for worker in [*self._busy.values(), *self._idle]:
            if not worker.agent_up:
                worker.no_limit()
                self._loop.forget(worker.fd)
                worker.forked.close_orders()

    def stop(self) -> None:
        """End all launches and workers; returns when they are gone. Nothing of theirs is left."""
        self._stopping = True
        workers = [*self._busy.values(), *self._idle]
        self._server.read_pids()
        if not all(worker.forked.pid for worker in workers):
            self._server.kill()  # it hangs, or is just at it: else what it was sent would stay open
        for worker in workers:
            worker.no_limit()
            self._loop.forget(worker.fd)
            worker.forked.close_orders()
        until = monotonic() + STOP_GRACE
        for worker in workers:
            if not worker.forked.ends(until - monotonic()):
                worker.kill()
            worker.forked.close()
        self._busy.clear()
        self._idle.clear()
        self._lookout.stop()
        self._server.stop()

    # -- workers -----------------------------------------------------------------------------------

    def _make(self, order: LaunchOrder, tries: int) -> None:
        """Have a worker made for a launch. OSError."""
        worker = Worker(self._server.fork(WORKER, order), order, tries)
        self._loop.watch(worker.fd, READ, lambda _: self._heard(worker))
        self._busy[order.launch] = worker
        worker.limit(self._loop, FORKED_IN, self._not_made_in_time)

    def _not_made_in_time(self, worker: Worker) -> None:
        """Nothing has come of it in all this time: its own fault, or is it the server that does not fork?"""
        self._server.read_pids()
        if worker.forked.pid:
            worker.limit(self._loop, self._limit - FORKED_IN, self._hung)
        elif not self._made_again(worker):
            self._lost(worker, HUNG)

    def _made_again(self, worker: Worker) -> bool:
        """If the server died or hung before it made this worker, have another make it; else False."""
        self._server.read_pids()
        order = worker.order
        if worker.forked.pid or order is None or worker.cancelled or self._stopping or worker.tries >= TRIES:
            return False
        self._server.give_up(worker.forked)
        self._discard(worker)
        try:
            self._make(order, worker.tries + 1)
        except OSError as error:
            self._unable(order.launch, error.strerror or str(error))
        return True

    def _discard(self, worker: Worker) -> None:
        """Use a worker no more, and keep nothing of it; it ends by itself, if it is there at all."""
        self._loop.forget(worker.fd)
        worker.forked.close()
        if worker in self._idle:
            self._idle.remove(worker)
        self._free(worker)

    def _free(self, worker: Worker) -> None:
        if worker.order is not None:
            self._lookout.forget(worker.launch)
            self._busy.pop(worker.launch, None)
        worker.free()

    # -- what comes of launches --------------------------------------------------------------------

    def _heard(self, worker: Worker) -> None:
        while worker.forked.results >= 0:
            try:
                result = worker.result()
            except (EOFError, OSError):
                if worker.spoke or not self._made_again(worker):
                    self._lost(worker, DIED)
                return
            except ValueError:
                self._lost(worker, DIED)
                return
            if result is None:
                return
            self._said(worker, result)

    def _said(self, worker: Worker, result: Union[Started, Ended, NoFork]) -> None:
        if result.launch == worker.launch or type(result) is NoFork:
            self._handlers[type(result)](worker, result)
        else:
            self._lost(worker, DIED)  # no worker speaks of a launch that is not its own

    def _has_started(self, worker: Worker, result: Started) -> None:
        worker.rsh = (result.rsh_pid, result.rsh_start)
        worker.forked.pid = result.worker_pid
        if worker.order is not None and not (worker.agent_up or worker.cancelled):
            self._lookout.started(worker.order, result.rsh_pid, result.fed, worker.begin)
            worker.limit(self._loop, self._limit, self._hung)
        self._started(result.launch, result.rsh_pid)

    def _carried(self, worker: Worker, result: Ended) -> None:
        verdict = self._lookout.agreed(result.launch, result.verdict)
        self._free(worker)
        if self._has_room(len(self._busy) + len(self._idle) + 1):
            self._idle.append(worker)
        else:  # what it takes is needed for children
            self._discard(worker)
        self._ended(result.launch, verdict)

    def _no_process(self, worker: Worker, result: NoFork) -> None:
        launch = worker.launch
        self._discard(worker)
        if launch and not self._stopping:
            self._unable(launch, os.strerror(result.errno))

    def _hung(self, worker: Worker) -> None:
        self._lost(worker, HUNG)

    def _lost(self, worker: Worker, why: str) -> None:
        """Kill a worker and what it had launched; the next launch has another made."""
        launch, cancelled = worker.launch, worker.cancelled
        self._server.read_pids()
        self._server.give_up(worker.forked)
        worker.kill()
        if cancelled:
            verdict = Verdict(causes.INTERRUPTED, "", "cancelled", [], "")
        else:
            verdict = Verdict(causes.RSH_FAILED, "connect", why, [], "")
        verdict = self._lookout.agreed(launch, verdict)
        self._discard(worker)
        if launch and not self._stopping:
            self._ended(launch, verdict)
