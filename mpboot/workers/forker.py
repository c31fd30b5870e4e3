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
from mpboot.workers.pipes import numbers, pack, packed, pipes, ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

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
        """``started``: what forkserver.start() gave, or (0, -1) if it could not yet."""
        self.generation = 1
        self._settings = b""
        self._asked: Dict[int, Forked] = {}  # not known to be forked yet
        self._count = 0
        self._dead: List[int] = []  # killed, and not reaped yet
        self._pid, fd = started
        self._channel = _socket.socket(fileno=fd) if self._pid else None

    def settle(self, settings: Dict[str, Any]) -> None:
        """What all processes are to know; before the first of them."""
        self._settings = pack(settings)
        if self._channel is not None:
            self._tell(self._channel)

    def fork(self, kind: int, first: Any) -> Forked:
        """Have a process forked, and give it its first order. OSError if it can't be asked for.

        That it can't be forked is told by its results (NO_FORK).
        """
        (their_orders, orders), (results, their_results) = pipes(2)
        try:
            self._ask(kind, marshal.dumps(first), packed(their_orders, their_results))
        except OSError:
            os.close(orders)
            os.close(results)
            raise
        finally:
            os.close(their_orders)
            os.close(their_results)
        forked = self._asked[self._count] = Forked(kind, self.generation, orders, results)
        return forked

    def hear(self) -> None:
        """Learn the pids of what was forked since."""
        self._reap()
        while self._channel is not None:
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
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            self._dead.append(self._pid)
            try:
                os.kill(self._pid, _signal.SIGKILL)  # not reaped before: its number is still its own
            except OSError:
                pass
        self._asked.clear()
        self._reap()

    def stop(self) -> None:
        """End the server, when all that it forked has ended."""
        channel = self._channel
        if channel is not None:
            until = monotonic() + FAREWELL
            try:
                channel.shutdown(_socket.SHUT_WR)
                while ready(channel.fileno(), POLLIN, until - monotonic()):
                    if not channel.recv(1 << 12):
                        os.waitpid(self._pid, 0)  # it ends this moment
                        break
            except OSError:
                pass  # it is dead
        self.drop()

    # -- inside ------------------------------------------------------------------------------------

    def _ask(self, kind: int, first: bytes, descriptors: bytes) -> None:
        self.hear()
        self._count += 1
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)
        order = packed(self._count, kind, len(first)) + first
        for last_try in (False, True):
            channel = self._channel or self._start()
            try:
                channel.sendmsg([order], [rights])
                return
            except BlockingIOError:
                raise  # it hangs, which will be found out
            except OSError:
                self.drop()
                if last_try:
                    raise

    def _start(self) -> _socket.socket:
        self._pid, fd = forkserver.start()
        self._channel = channel = _socket.socket(fileno=fd)
        self.generation += 1
        self._tell(channel)
        return channel

    def _tell(self, channel: _socket.socket) -> None:
        channel.setblocking(False)
        try:
            channel.sendall(self._settings)
        except OSError:
            return  # it is dead, as the next order will find

    def _reap(self) -> None:
        for pid in list(self._dead):
            try:
                if not os.waitpid(pid, os.WNOHANG)[0]:
                    continue  # not even KILL has ended it yet
            except OSError:
                pass  # somebody else has reaped it
            self._dead.remove(pid)
