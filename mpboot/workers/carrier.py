"""A worker as its pool knows it: the process, the launch that it carries, and its time limit."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
from time import monotonic

from mpboot.net.work import Cancel, worker_result
from mpboot.workers.pipes import Results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional, Tuple, Union

    from mpboot.net.loop import Loop, Timer
    from mpboot.net.work import Ended, LaunchOrder, NoFork, Started
    from mpboot.workers.forker import Forked
    from mpboot.workers.processes import Process

END = 1.0  # seconds that a killed process may take to end


class Worker:
    """A worker, forked (or about to be) with its first order; ``tries``: how often one was asked for in vain before."""

    def __init__(self, forked: Forked, order: LaunchOrder, tries: int = 0) -> None:
        self.forked = forked
        self.fd = forked.results  # what the parent's loop is to watch: results, and the process's end
        self.tries = tries
        self.order: Optional[LaunchOrder] = order
        self.begin = monotonic()  # of the launch
        self.rsh: Optional[Tuple[int, int]] = None  # its number and start, see family.py
        self.spoke = False  # has it ever said anything?
        self.cancelled = False
        self.agent_up = False
        self._timer: Optional[Timer] = None
        self._process: Optional[Process] = None
        self._results = Results(forked.results)

    @property
    def launch(self) -> int:
        """The number of its launch; 0: it is idle."""
        return self.order.launch if self.order is not None else 0

    def carry(self, order: LaunchOrder) -> None:
        """Carry a further launch. OSError if it has died."""
        self._queues().orders.put(order.plain())
        self.order, self.begin = order, monotonic()

    def cancel(self) -> None:
        """Have it end its launch. OSError if it has died."""
        self.cancelled = True
        self._queues().orders.put(Cancel().plain())

    def result(self) -> Union[Started, Ended, NoFork, None]:
        """What it says next; None if that is nothing. EOFError, OSError if it has died, ValueError for nonsense."""
        said = self._results.take()
        if said is None:
            return None
        self.spoke = True
        return worker_result(said)

    def free(self) -> None:
        """Its launch has ended: it is as it was before."""
        self.order, self.rsh = None, None
        self.agent_up = self.cancelled = False
        self.no_limit()

    def limit(self, loop: Loop, seconds: float, call: Callable[[Worker], None]) -> None:
        """``call`` with this worker after so many seconds; any limit before counts no more."""
        self.no_limit()
        self._timer = loop.later(seconds, lambda: call(self))

    def no_limit(self) -> None:
        """Let it take as long as it likes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def kill(self) -> None:
        """Kill it, its rsh, and all that came of that."""
        from mpboot.workers.family import family, send, start_of  # seldom needed

        # One that is stopped may have started an rsh that it has not told of.
        known = []
        if self.order is not None and self.forked.runs:
            known = family(*(self.rsh or (self.forked.pid, start_of(self.forked.pid))))
        self.forked.kill()
        self.forked.ends(END)
        send({*known, *(family(*self.rsh) if self.rsh is not None else ())}, _signal.SIGKILL)

    def _queues(self) -> Process:
        if self._process is None:
            from mpboot.workers.processes import Process

            self._process = Process(self.forked, self._results)
        return self._process
