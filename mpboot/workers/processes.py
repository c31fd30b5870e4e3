"""What the fork server made, as multiprocessing has it: a start method of its own, and queues to and from a process.

Loaded when a worker is to carry a second launch: a parent of a few hosts, all of which it launches at once, never needs
it, and would spend more time on loading it than on launching them.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

from mpboot.workers.pipes import WORKER, Results, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from mpboot.workers.forker import Forked

# What multiprocessing loads and nobody here ever uses: tempfile and locale are a fifth of its cost.
UNUSED = ("tempfile", "locale")


class _NotYet(ModuleType):
    """Stands for a module until somebody wants something of it after all."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            if name.startswith("__"):
                raise AttributeError(name)
            del sys.modules[self.__name__]
        return getattr(__import__(self.__name__), name)


_not_yet = [_NotYet(name) for name in UNUSED if name not in sys.modules]
sys.modules.update((module.__name__, module) for module in _not_yet)
try:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from multiprocessing.queues import SimpleQueue
finally:
    for _module in _not_yet:
        if sys.modules.get(_module.__name__) is _module:
            del sys.modules[_module.__name__]

UNKNOWN = 255  # an exit code that only the server was told, as multiprocessing's own fork server has it
FOREVER = 1e6  # seconds


class Queue(SimpleQueue):  # type: ignore[type-arg]  # not subscriptable in 3.8
    """One end of a SimpleQueue of plain values.

    With one process at each end it needs none of its locks, which are four semaphores a worker.
    """

    def __init__(self, reader: Optional[Results] = None, writer: Optional[Connection] = None) -> None:
        self._reader: Any = reader
        self._writer: Any = writer

    def get(self) -> Any:
        """The next value; waits for it. EOFError if nobody can put any more, ValueError if what came is none."""
        return self._reader.get()

    def put(self, value: Any) -> None:
        """Put a value in. BrokenPipeError if nobody reads."""
        os.write(self._writer.fileno(), pack(value))


class _Popen:
    """What multiprocessing asks of a start method: a handle on a process that was started."""

    method = "mpboot"

    def __init__(self, forked: Forked) -> None:
        self.forked = forked
        self.sentinel = forked.results
        self.returncode: Optional[int] = None

    @property
    def pid(self) -> int:
        return self.forked.pid

    def poll(self) -> Optional[int]:
        if self.returncode is None and self.forked.results < 0:
            self.returncode = UNKNOWN
        return self.returncode

    def wait(self, timeout: Optional[float] = None) -> Optional[int]:
        if self.poll() is None and self.forked.ends(FOREVER if timeout is None else timeout):
            self.returncode = UNKNOWN
        return self.returncode

    def kill(self) -> None:
        self.forked.kill()


class Process(BaseProcess):
    """A process that the server was asked for, with a queue for orders to it and one for its results.

    Its descriptors remain those of ``forked``, which closes them.
    """

    def __init__(self, forked: Forked, results: Optional[Results] = None) -> None:
        """``results``: whoever has read them so far."""
        super().__init__(name="mpboot worker" if forked.kind == WORKER else "mpboot watcher")
        self._forked = forked
        self.orders = Queue(writer=_Borrowed(forked.orders, readable=False))
        self.results = Queue(reader=results or Results(forked.results))
        self.start()

    @staticmethod
    def _Popen(process: Process) -> _Popen:
        return _Popen(process._forked)


class _Borrowed(Connection):
    """A connection whose descriptor is somebody else's to close."""

    def _close(self, *_: Any) -> None:
        return
