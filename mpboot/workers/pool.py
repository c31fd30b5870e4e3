"""The pool: OS processes from multiprocessing, forked as needed and used again, each carrying one launch at a time.

Every worker has two multiprocessing queues of its own. With a queue that all share, a worker killed while it
holds the queue's lock would stop all the others for ever; so a worker's death costs its own launch and no more.
A SimpleQueue needs no feeder thread, and its reading end is a descriptor for the parent's selector.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from time import monotonic

from mpboot.node.loop import READ
from mpboot.workers import watch
from mpboot.workers.launch import Launch, Settings, Verdict
from mpboot.workers.rsh import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from typing import Any, Callable, Dict, List, Optional

    from mpboot.node.loop import Loop, Timer
    from mpboot.workers.launch import Target

MARGIN = 5.0  # seconds beyond the timeout in which a worker must have ended its launch, or it hangs itself
RSH_ENDS = 2.0  # seconds that stop() gives workers to end their rsh

_context = multiprocessing.get_context("fork")


class Worker:
    """The parent's end of one worker."""

    def __init__(self, settings: Settings) -> None:
        """Fork it. OSError if that can't be."""
        self.orders: Any = _context.SimpleQueue()
        self.results: Any = _context.SimpleQueue()
        self.launch: Optional[int] = None
        self.rsh_pid = 0
        self.timer: Optional[Timer] = None
        self.process: BaseProcess = _context.Process(
            target=_work, args=(settings, self.orders, self.results), name="mpboot worker"
        )
        self.process.start()
        # Only the child may hold these ends, so that either side sees the other's death as an end of file.
        self.orders._reader.close()
        self.results._writer.close()

    @property
    def fd(self) -> int:
        """What the parent's selector is to watch: results, and the worker's end."""
        return int(self.results._reader.fileno())

    def close(self) -> None:
        """Close the parent's ends."""
        self.orders._writer.close()
        self.results._reader.close()


def _work(settings: Settings, orders: Any, results: Any) -> None:
    """A worker's life: take an order, carry it out, report; end when the parent is gone."""
    wake, wake_write = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    orders._writer.close()
    results._reader.close()
    _close_all_but({0, 1, 2, wake, wake_write, orders._reader.fileno(), results._writer.fileno()})
    fd = orders._reader.fileno()

    def heed() -> None:
        # Anything said during a launch means that it is wanted no more; so does the parent's end.
        with contextlib.suppress(EOFError, OSError):
            orders.get()
        raise Cancelled

    while True:
        try:
            target = orders.get()
        except (EOFError, OSError):
            os._exit(0)
        if target is None:
            continue  # a cancellation that came too late

        def say(what: str, value: int, launch: int = target[0]) -> None:
            results.put((launch, what, value))

        try:
            verdict = Launch(settings, target, wake, fd, heed, say).run()
            results.put((target[0], "ended", verdict))
        except (BrokenPipeError, EOFError):
            os._exit(0)


def _close_all_but(keep: set[int]) -> None:
    """Close every descriptor that came over the fork: other workers' queues, sockets, the selector."""
    start = 0
    for fd in sorted(keep):
        if start < fd:
            os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, start + 1 if start > 1 << 20 else _highest() + 1)


def _highest() -> int:
    try:
        return max(int(name) for name in os.listdir("/proc/self/fd"))
    except OSError:
        return 4096


class Pool:
    """Starts, feeds, replaces and stops workers; tells through callbacks what became of each launch.

    ``started(launch, pid)``, ``ended(launch, verdict)``; a worker that died or hung gives a verdict of its own
    (cause rsh-failed).
    """

    def __init__(
        self,
        loop: Loop,
        settings: Settings,
        started: Callable[[int, int], None],
        ended: Callable[[int, Verdict], None],
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._started = started
        self._ended = ended
        self._idle: List[Worker] = []
        self._busy: Dict[int, Worker] = {}
        self._stopping = False

    def submit(self, target: Target) -> None:
        """Have a launch carried out, by an idle worker or a new one. OSError if none can be had."""
        worker = self._idle.pop() if self._idle else self._new()
        worker.launch = target[0]
        self._busy[target[0]] = worker
        worker.timer = self._loop.later(self._settings.timeout + MARGIN, lambda: self._hung(worker))
        try:
            worker.orders.put(target)
        except OSError:
            self._replace(worker, "the worker died")

    def cancel(self, launch: int) -> None:
        """End a launch; its verdict comes all the same (cause interrupted)."""
        worker = self._busy.get(launch)
        if worker is None:
            return
        if worker.timer is not None:
            worker.timer.cancel()
        worker.timer = self._loop.later(MARGIN, lambda: self._hung(worker))
        try:
            worker.orders.put(None)
        except OSError:
            self._replace(worker, "the worker died")

    def settled(self, launch: int) -> None:
        """The agent is up: from now on its rsh may live as long as it likes."""
        worker = self._busy.get(launch)
        if worker is not None and worker.timer is not None:
            worker.timer.cancel()

    def stop(self) -> None:
        """End all launches and workers; returns when they are gone. Nothing of theirs is left."""
        self._stopping = True
        workers = [*self._busy.values(), *self._idle]
        for worker in workers:
            self._loop.forget(worker.fd)
            worker.orders._writer.close()
        until = monotonic() + RSH_ENDS
        for worker in workers:
            worker.process.join(max(0.01, until - monotonic()))
            if worker.process.exitcode is None:
                self._destroy(worker)
            worker.results._reader.close()
        self._busy.clear()
        self._idle.clear()

    # -- inside ------------------------------------------------------------------------------------

    def _new(self) -> Worker:
        worker = Worker(self._settings)
        self._loop.watch(worker.fd, READ, lambda _: self._heard(worker))
        return worker

    def _heard(self, worker: Worker) -> None:
        try:
            launch, what, value = worker.results.get()
        except (EOFError, OSError):
            self._replace(worker, "the worker died")
            return
        if what == "started":
            worker.rsh_pid = value
            self._started(launch, value)
            return
        self._free(worker)
        self._idle.append(worker)
        self._ended(launch, value)

    def _free(self, worker: Worker) -> Optional[int]:
        launch, worker.launch, worker.rsh_pid = worker.launch, None, 0
        if worker.timer is not None:
            worker.timer.cancel()
            worker.timer = None
        if launch is not None:
            self._busy.pop(launch, None)
        return launch

    def _hung(self, worker: Worker) -> None:
        self._replace(worker, "the worker hung")

    def _replace(self, worker: Worker, why: str) -> None:
        """Kill a worker and what it had launched; the next launch forks another."""
        self._loop.forget(worker.fd)
        self._destroy(worker)
        worker.close()
        if worker in self._idle:
            self._idle.remove(worker)
        code = worker.process.exitcode
        launch = self._free(worker)
        if launch is not None and not self._stopping:
            how = why if code is None else "%s (exit code %d)" % (why, code)
            self._ended(launch, Verdict("rsh-failed", "connect", how, [], ""))

    def _destroy(self, worker: Worker) -> None:
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join(1.0)
        if worker.rsh_pid:
            watch.send(watch.processes(worker.rsh_pid), worker.rsh_pid, signal.SIGKILL)
