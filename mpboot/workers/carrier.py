"""A worker as its pool knows it, and what came of a launch."""

from __future__ import annotations

from mpboot.workers.pipes import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from mpboot.net.loop import Timer
    from mpboot.workers.forker import Forked
    from mpboot.workers.processes import Process
    from mpboot.workers.settings import States, Target


class Verdict:
    """How a launch ended. ``cause`` is empty if the agent took over."""

    def __init__(self, cause: str, phase: str, detail: str, states: States, stderr: str) -> None:
        self.cause = cause
        self.phase = phase
        self.detail = detail
        self.states = states
        self.stderr = stderr


class Worker:
    """A worker, and the launch that it carries."""

    def __init__(self, forked: Forked, target: Target) -> None:
        self.forked = forked
        self.fd = forked.results  # what the parent's selector is to watch: results, and the process's end
        self.target: Optional[Target] = target
        self.rsh_pid = 0
        self.fed = 0
        self.begin = 0.0
        self.spoke = False  # has it ever said anything?
        self.births = 0
        self.cancelled = False
        self.watched = False
        self.settled = False
        self.timer: Optional[Timer] = None
        self._process: Optional[Process] = None
        self._said = Reader(forked.results)

    def order(self, what: Any) -> None:
        """Put an order into its queue. OSError if it has died."""
        if self._process is None:
            from mpboot.workers.processes import Process

            self._process = Process(self.forked)
        self._process.orders.put(what)

    def get(self) -> Any:
        """What it says; waits for it. EOFError, OSError if it has died."""
        return (self._process.results if self._process is not None else self._said).get()
