"""The pool: OS processes from multiprocessing, forked as needed and used again, each carrying one launch at a time.

Every worker has two multiprocessing queues of its own. With a queue that all share, a worker killed while it
holds the queue's lock would stop all the others for ever; so a worker's death costs its own launch and no more.
A SimpleQueue needs no feeder thread, and its reading end is a descriptor for the parent's selector.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import signal
from select import POLLIN, POLLOUT, poll
from time import monotonic, sleep

from mpboot.node.family import family, send
from mpboot.node.loop import READ
from mpboot.tree import causes
from mpboot.workers import watch, watcher
from mpboot.workers.diagnosis import agree
from mpboot.workers.launch import BACKUP, Launch, Settings, Verdict
from mpboot.workers.rsh import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from typing import Any, Callable, Dict, List, Optional, Tuple

    from mpboot.node.loop import Loop, Timer
    from mpboot.workers.launch import Target

MARGIN = 4.0  # seconds beyond the timeout and its backup in which a worker must have ended its launch, or it hangs
RSH_ENDS = 2.0  # seconds that stop() gives workers to end their rsh
FIRST_LOOK = 2.0  # seconds that a launch may take before it is watched
LOOKS = 0.5  # seconds between two turns of handing launches to the watcher

_context = multiprocessing.get_context("fork")


def _queue() -> Any:
    return _context.SimpleQueue()  # Any: its ends, _reader and _writer, are nowhere declared


class Process:
    """The parent's end of a process with a queue for orders to it and one for its results."""

    def __init__(self, target: Callable[..., None], settings: Settings, name: str) -> None:
        """Fork it. OSError if that can't be."""
        self.orders = _queue()
        self.results = _queue()
        self.process: BaseProcess = _context.Process(
            target=_run, args=(target, settings, self.orders, self.results), name=name
        )
        self.process.start()
        # Only the child may hold these ends, so that either side sees the other's death as an end of file.
        self.orders._reader.close()
        self.results._writer.close()

    @property
    def fd(self) -> int:
        """What the parent's selector is to watch: results, and the process's end."""
        return int(self.results._reader.fileno())

    def close(self) -> None:
        """Close the parent's ends."""
        self.orders._writer.close()
        self.results._reader.close()

    def wait(self, seconds: float) -> bool:
        """Has it ended, or does it in so many seconds? What it still has to say is lost.

        multiprocessing's own join() waits for ever here, whatever its timeout: it takes a descriptor that the child
        has closed for the child's end.
        """
        until = monotonic() + seconds
        speaks = poll()
        speaks.register(self.fd, POLLIN)
        while self.process.exitcode is None:
            left = until - monotonic()
            if left <= 0:
                return False
            if speaks.poll(left * 1000 + 1) and not os.read(self.fd, 1 << 16):
                sleep(0.001)  # its descriptors are closed: it ends this moment
        return True

    def kill(self) -> None:
        """Kill and reap it, if it still runs."""
        if self.process.exitcode is None:
            self.process.kill()
            self.wait(1.0)


class Worker(Process):
    """A worker, and the launch that it carries."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(_work, settings, "mpboot worker")
        self.target: Optional[Target] = None
        self.rsh_pid = 0
        self.fed = 0
        self.begin = 0.0
        self.watched = False
        self.settled = False
        self.timer: Optional[Timer] = None


def _run(target: Callable[..., None], settings: Settings, orders: Any, results: Any) -> None:
    """In the child of the fork: keep nothing of the parent's but the two queues."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    orders._writer.close()
    results._reader.close()
    kept = sorted({0, 1, 2, orders._reader.fileno(), results._writer.fileno()})
    for fd, following in zip(kept, [*kept[1:], _highest() + 1]):
        os.closerange(fd + 1, following)
    target(settings, orders, results)


def _highest() -> int:
    try:
        return max(int(name) for name in os.listdir("/proc/self/fd"))
    except OSError:
        return 4096


def _work(settings: Settings, orders: Any, results: Any) -> None:
    """A worker's life: take an order, carry it out, report; end when the parent is gone."""
    wake, wake_write = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
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

        def say(what: str, value: Any, launch: int = target[0]) -> None:
            results.put((launch, what, value))

        try:
            verdict = Launch(settings, target, wake, fd, heed, say).run()
            results.put((target[0], "ended", verdict))
        except (BrokenPipeError, EOFError):
            os._exit(0)


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
        self._watcher: Optional[Process] = None
        self._can_watch = True
        self._watching = False
        self._decided: Dict[int, Tuple[str, str, str]] = {}
        self.has_room: Callable[[int], bool] = lambda _: True  # are there descriptors for so many workers?
        self.blind: Callable[[], None] = lambda: None  # called when there is no psutil here
        self.told: Callable[[List[Dict[str, Any]]], None] = lambda _: None

    @property
    def busy(self) -> int:
        """How many launches are under way."""
        return len(self._busy)

    def submit(self, target: Target) -> None:
        """Have a launch carried out, by an idle worker or a new one. OSError if none can be had."""
        if not self._idle and self._busy and not self.has_room(len(self._busy) + 1):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        worker = self._idle.pop() if self._idle else self._new()
        worker.target = target
        self._busy[target[0]] = worker
        worker.begin = monotonic()
        worker.timer = self._loop.later(self._settings.timeout + BACKUP + MARGIN, lambda: self._hung(worker))
        self._watch_later()
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
        if worker is not None:
            worker.settled = True
            if worker.timer is not None:
                worker.timer.cancel()
            self._unwatch(worker)

    def ask(self) -> bool:
        """Have ``told`` called with what is known of the launches under way; False if nobody can tell."""
        self._hand_to_watcher(0.0)
        return self._watcher is not None and self._order_watcher(("tell",))

    def stop(self) -> None:
        """End all launches and workers; returns when they are gone. Nothing of theirs is left."""
        self._stopping = True
        workers = [*self._busy.values(), *self._idle]
        for worker in workers:
            self._loop.forget(worker.fd)
            worker.orders._writer.close()
        until = monotonic() + RSH_ENDS
        for worker in workers:
            if not worker.wait(max(0.01, until - monotonic())):
                self._destroy(worker)
            worker.results._reader.close()
        self._busy.clear()
        self._idle.clear()
        if self._watcher is not None:
            self._loop.forget(self._watcher.fd)
            self._watcher.kill()
            self._watcher.close()

    # -- workers -----------------------------------------------------------------------------------

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
            worker.rsh_pid, worker.fed = value
            self._unwatch(worker)  # it was the shell's probe
            self._started(launch, worker.rsh_pid)
            return
        self._hear_watcher()
        decided = self._decided.pop(launch, None)
        if value.cause and decided is not None:
            value.cause, value.phase, value.detail = agree(decided, value.states, value.stderr)
        self._free(worker)
        if self.has_room(len(self._busy) + len(self._idle) + 1):
            self._idle.append(worker)
        else:
            self._dismiss(worker)
        self._ended(launch, value)

    def _free(self, worker: Worker) -> Optional[int]:
        launch = worker.target[0] if worker.target is not None else None
        if launch is not None:
            self._unwatch(worker)
            self._busy.pop(launch, None)
        worker.target, worker.rsh_pid, worker.settled = None, 0, False
        if worker.timer is not None:
            worker.timer.cancel()
            worker.timer = None
        return launch

    def _dismiss(self, worker: Worker) -> None:
        """What it takes is needed for children: it ends by itself when nobody can give it orders any more."""
        self._loop.forget(worker.fd)
        worker.close()
        worker.process.join(1.0)

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
            # A worker that hangs leaves it to the watcher to say what its launch died of.
            cause, phase, detail = self._decided.pop(launch, (causes.RSH_FAILED, "connect", how))
            self._ended(launch, Verdict(cause, phase, detail, [], ""))

    def _destroy(self, worker: Worker) -> None:
        # One that is stopped may have started an rsh that it has not told of.
        known = worker.rsh_pid or worker.process.pid or 0
        before = family(known) if worker.target is not None and worker.process.exitcode is None else []
        worker.kill()
        send({*before, *(family(worker.rsh_pid) if worker.rsh_pid else ())}, signal.SIGKILL)

    # -- the watcher -------------------------------------------------------------------------------

    def _watch_later(self) -> None:
        if not self._watching and self._can_watch:
            self._watching = True
            self._loop.later(FIRST_LOOK, self._watch_slow)

    def _watch_slow(self) -> None:
        self._watching = False
        if self._stopping:
            return
        self._hand_to_watcher(FIRST_LOOK)
        if any(not worker.settled for worker in self._busy.values()) and self._can_watch:
            self._watching = True
            self._loop.later(LOOKS, self._watch_slow)

    def _hand_to_watcher(self, age: float) -> None:
        """Have the launches watched that are older than ``age`` seconds."""
        now = monotonic()
        for launch, worker in self._busy.items():
            if worker.watched or worker.settled or not worker.rsh_pid or now - worker.begin < age:
                continue
            assert worker.target is not None
            order = ("watch", launch, worker.target[5], worker.rsh_pid, worker.fed, worker.begin)
            if not self._order_watcher(order):
                return
            worker.watched = True

    def _unwatch(self, worker: Worker) -> None:
        if worker.watched and worker.target is not None:
            worker.watched = False
            self._order_watcher(("forget", worker.target[0]))

    def _order_watcher(self, order: Tuple[Any, ...]) -> bool:
        """Tell the watcher, started if need be, unless that could block."""
        if not self._can_watch or self._stopping:
            return False
        try:
            if self._watcher is None:
                self._watcher = Process(watcher.run, self._settings, "mpboot watcher")
                self._loop.watch(self._watcher.fd, READ, lambda _: self._hear_watcher())
            room = poll()
            room.register(self._watcher.orders._writer.fileno(), POLLOUT)
            if not room.poll(0):
                return False  # it is busy; the next turn will do
            self._watcher.orders.put(order)
        except OSError:
            return False
        return True

    def _hear_watcher(self) -> None:
        while self._watcher is not None:
            try:
                if not self._watcher.results._reader.poll(0):
                    return
                launch, what, value = self._watcher.results.get()
            except (EOFError, OSError):
                self._drop_watcher()
                return
            if what == "tell":
                self.told(value)
            elif launch in self._busy:
                self._decided[launch] = value

    def _drop_watcher(self) -> None:
        """It died. Without psutil it does so at once, and there is no other; else the next look starts one."""
        assert self._watcher is not None
        self._loop.forget(self._watcher.fd)
        self._watcher.kill()
        self._watcher.close()
        self._can_watch = self._watcher.process.exitcode != 0
        self._watcher = None
        for worker in self._busy.values():
            worker.watched = False
        if not self._can_watch:
            self.blind()

    def see(self, directory: str) -> None:
        """There is a psutil now, in ``directory``: watch after all."""
        watch.search.append(directory)
        self._can_watch = True
        self._watch_later()
