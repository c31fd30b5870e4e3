"""The parent's end of the fork server: has processes forked, and knows their pids.

Light, since every parent needs it before its first launch. What multiprocessing makes of such a process is in
processes.py, which is loaded a little later.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import marshal
import os
from select import POLLIN
from time import monotonic

from mpboot.net.fields import MOST
from mpboot.workers import forkserver
from mpboot.workers.pipes import numbers, pack, packed, pipes, ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Tuple

    from mpboot.net.work import LaunchSettings, Message

STOP_GRACE = 0.5  # seconds that the server has to end, when all that it forked has ended
ANSWERS = 64  # of the server's, that are read at once


class Forked:
    """A process that the server was asked for. ``orders``, ``results``: the parent's ends of its pipes."""

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

    def close(self) -> None:
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
        self._killed: List[int] = []  # servers that are not reaped yet
        self._pid, fd = started
        self._channel = _socket.socket(fileno=fd) if self._pid else None

    def configure(self, settings: LaunchSettings) -> None:
        """Say what all processes are to know; to be done before the first of them is asked for."""
        self._settings = pack(settings.row())
        if self._channel is not None:
            self._send_settings(self._channel)

    def fork(self, kind: int, first: Message) -> Forked:
        """Have a process forked, and give it its first order. OSError if it can't be asked for.

        That it can't be forked is told by its results (NoFork).
        """
        (their_orders, orders), (results, their_results) = pipes(2)
        try:
            self._ask(kind, marshal.dumps(first.plain()), packed(their_orders, their_results))
        except OSError:
            os.close(orders)
            os.close(results)
            raise
        finally:
            os.close(their_orders)
            os.close(their_results)
        forked = self._asked[self._count] = Forked(kind, self.generation, orders, results)
        return forked

    def read_pids(self) -> None:
        """Learn the pids of what was forked since."""
        self._reap()
        while self._channel is not None:
            try:
                answers = self._channel.recv(len(packed(0, 0)) * ANSWERS)
            except BlockingIOError:
                return
            except OSError:
                answers = b""
            if not answers:
                self.kill()
            each = iter(numbers(answers))
            for number, pid in zip(each, each):
                forked = self._asked.pop(number, None)
                if forked is not None and pid <= MOST:
                    forked.pid = pid

    def give_up(self, forked: Forked) -> None:
        """A process is wanted no more. The server that has not forked it hangs: kill it, so that it never does."""
        if not forked.pid and not forked.ends(0.0) and forked.generation == self.generation:
            self.kill()

    def kill(self) -> None:
        """Kill the server; what it has forked lives on."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            self._killed.append(self._pid)
            try:
                os.kill(self._pid, _signal.SIGKILL)  # not reaped before: its number is still its own
            except OSError:
                pass
        self._asked.clear()
        self._reap()

    def stop(self) -> None:
        """End the server, when all that it forked has ended."""
        if self._channel is not None and self._leaves(self._channel):
            self._channel.close()
            self._channel = None
        self.kill()

    # -- inside ------------------------------------------------------------------------------------

    def _ask(self, kind: int, first: bytes, descriptors: bytes) -> None:
        self.read_pids()
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
                self.kill()
                if last_try:
                    raise

    def _start(self) -> _socket.socket:
        self._pid, fd = forkserver.start()
        self._channel = channel = _socket.socket(fileno=fd)
        self.generation += 1
        self._send_settings(channel)
        return channel

    def _send_settings(self, channel: _socket.socket) -> None:
        channel.setblocking(False)
        try:
            channel.sendall(self._settings)
        except OSError:
            return  # it is dead, as the next order will find

    def _leaves(self, channel: _socket.socket) -> bool:
        """Tell the server that there is no more to do, and reap it if it ends by itself."""
        until = monotonic() + STOP_GRACE
        try:
            channel.shutdown(_socket.SHUT_WR)
            while ready(channel.fileno(), POLLIN, until - monotonic()):
                if not channel.recv(1 << 12):
                    os.waitpid(self._pid, 0)  # it ends this moment
                    return True
        except OSError:
            pass  # it is dead
        return False

    def _reap(self) -> None:
        for pid in list(self._killed):
            try:
                if not os.waitpid(pid, os.WNOHANG)[0]:
                    continue  # not even KILL has ended it yet
            except OSError:
                pass  # somebody else has reaped it
            self._killed.remove(pid)
