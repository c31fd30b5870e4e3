"""The parent's end of the fork server: has processes forked, and knows their pids. Light, since every parent needs it

before its first launch; what multiprocessing makes of such a process is in processes.py, loaded a little later.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import marshal
import os
from select import POLLIN
from time import monotonic

from mpboot.workers import forkserver
from mpboot.workers.forkserver import HEAD, numbers, pack, packed, ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

FAREWELL = 0.5  # seconds that the server has to end, when all that it forked has ended
BIRTHS = 64  # answers that are read at once


class Forked:
    """A process that the server was asked for. ``orders``, ``results``: the parent's ends of its queues."""

    def __init__(self, kind: int, generation: int, orders: int, results: int) -> None:
        self.kind = kind
        self.generation = generation  # the server that was asked: the first, the second, …
        self.pid = 0  # not forked yet, as far as is known
        self.orders = orders
        self.results = results

    @property
    def runs(self) -> bool:
        """Has it been forked, and not ended?"""
        return bool(self.pid) and not ready(self.results, 0, 0.0)

    def ends(self, seconds: float) -> bool:
        """Has it ended, or does it in so many seconds? What it still has to say is lost."""
        until = monotonic() + seconds
        while ready(self.results, POLLIN, until - monotonic()):
            if not os.read(self.results, 1 << 16):
                return True
        return False

    def kill(self) -> None:
        """Kill it, if it runs: its pid is its own for as long as it holds its end of the results."""
        if self.runs:
            try:
                os.kill(self.pid, _signal.SIGKILL)
            except OSError:
                return

    def close_orders(self) -> None:
        """There will be no more for it to do: it ends."""
        if self.orders >= 0:
            os.close(self.orders)
            self.orders = -1

    def let_go(self) -> None:
        """Close the parent's ends; it ends when it sees that."""
        self.close_orders()
        if self.results >= 0:
            os.close(self.results)
            self.results = -1


class ForkServer:
    """The server: running when this is made, and started again with the next order when it has died."""

    def __init__(self, started: Tuple[int, int]) -> None:
        """``started``: what forkserver.start() gave."""
        self.generation = 1
        self._settings = b""
        self._asked: Dict[int, Forked] = {}  # not known to be forked yet
        self._count = 0
        self._pid, fd = started
        self._channel = _socket.socket(fileno=fd)

    def settle(self, settings: Dict[str, Any]) -> None:
        """What all processes are to know; before the first of them."""
        self._settings = pack(settings)
        self._tell()

    def fork(self, kind: int, first: Any) -> Forked:
        """Have a process forked, and give it its first order. OSError if it can't be asked for.

        That it can't be forked is told by its results (NO_FORK).
        """
        ends = [*os.pipe(), *os.pipe()]
        try:
            self._ask(kind, marshal.dumps(first), packed(ends[0], ends[3]))
        except OSError:
            for fd in (ends[1], ends[2]):
                os.close(fd)
            raise
        finally:
            for fd in (ends[0], ends[3]):
                os.close(fd)
        forked = self._asked[self._count] = Forked(kind, self.generation, ends[1], ends[2])
        return forked

    def hear(self) -> None:
        """Learn the pids of what was forked since."""
        while self._pid:
            try:
                told = self._channel.recv(len(packed(0, 0)) * BIRTHS)
            except BlockingIOError:
                return
            except OSError:
                told = b""
            if not told:
                self.drop()
            each = iter(numbers(told))
            for number, pid in zip(each, each):
                forked = self._asked.pop(number, None)
                if forked is not None:
                    forked.pid = pid

    def drop(self) -> None:
        """Kill the server; what it has forked lives on."""
        self._channel.close()
        self._asked.clear()
        if self._pid:
            try:
                os.kill(self._pid, _signal.SIGKILL)
                os.waitpid(self._pid, 0)
            except OSError:
                pass  # somebody else has reaped it
            self._pid = 0

    def stop(self) -> None:
        """End the server, when all that it forked has ended."""
        if self._pid:
            self._channel.shutdown(_socket.SHUT_WR)
            until = monotonic() + FAREWELL
            while ready(self._channel.fileno(), POLLIN, until - monotonic()) and self._channel.recv(1 << 12):
                pass
        self.drop()

    # -- inside ------------------------------------------------------------------------------------

    def _ask(self, kind: int, first: bytes, descriptors: bytes) -> None:
        self.hear()
        self._count += 1
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)
        order = packed(self._count, kind, len(first)) + first
        assert len(order) >= HEAD
        for last_try in (False, True):
            if not self._pid:
                self._start()
            try:
                self._channel.sendmsg([order], [rights])
                return
            except BlockingIOError:
                raise  # it hangs, which will be found out
            except OSError:
                self.drop()
                if last_try:
                    raise

    def _start(self) -> None:
        self._pid, fd = forkserver.start()
        self._channel = _socket.socket(fileno=fd)
        self.generation += 1
        self._tell()

    def _tell(self) -> None:
        self._channel.setblocking(False)
        try:
            self._channel.sendall(self._settings)
        except OSError:
            self.drop()  # it is dead: the next order starts another
