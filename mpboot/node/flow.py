"""A job's standard input on its way through a parent: each piece once to each child that leads on, at the pace of all.

What has come is kept until the slowest has it, and never more than a window of it: the sender waits for that.
"""

from __future__ import annotations

from _collections import deque  # type: ignore[import-not-found]

from mpboot.net.jobs import STDIN_WINDOW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Collection, Deque, Tuple


class Flow:
    """One job's. ``send(target, piece)`` passes a piece on; ``taken(count)`` tells what is out of our hands."""

    def __init__(
        self, targets: Collection[int], send: Callable[[int, bytes], None], taken: Callable[[int], None]
    ) -> None:
        """``targets``: the children that lead on, or the node itself, by rank."""
        self._send = send
        self._taken = taken
        self._pieces: Deque[Tuple[bytes, int]] = deque()  # and how many bytes of stdin are in each
        self._first = 0  # how many pieces came before those that are kept
        self._next = dict.fromkeys(targets, 0)  # the number of the next piece for each
        self._credit = dict.fromkeys(targets, STDIN_WINDOW)  # bytes that each may still be sent
        self._kept = 0  # bytes
        self._owed = 0  # bytes that were taken, and not told
        self._passing = False

    def put(self, piece: bytes, size: int) -> None:
        """A piece has come, with ``size`` bytes of stdin. ValueError for more than a window."""
        if self._kept + self._owed + size > STDIN_WINDOW:
            raise ValueError("more of a standard input than was asked for")
        self._pieces.append((piece, size))
        self._kept += size
        self._pass_on()

    def credit(self, target: int, count: int) -> None:
        """``target`` has taken so many bytes. ValueError for more than it was sent."""
        if target in self._credit:
            if self._credit[target] + count > STDIN_WINDOW:
                raise ValueError("it has taken more than it was sent")
            self._credit[target] += count
            self._pass_on()

    def drop(self, target: int) -> None:
        """``target`` is gone: nobody waits for it."""
        if self._next.pop(target, None) is not None:
            del self._credit[target]
            self._pass_on()

    def _pass_on(self) -> None:
        if self._passing:
            return  # the node itself has taken at once what it was sent
        self._passing = True
        for target in list(self._next):
            self._pass_to(target)
        self._passing = False
        first = min(self._next.values(), default=self._first + len(self._pieces))
        while self._first < first:
            size = self._pieces.popleft()[1]
            self._first += 1
            self._kept -= size
            self._owed += size
        if self._owed * 4 >= STDIN_WINDOW:
            owed, self._owed = self._owed, 0
            self._taken(owed)

    def _pass_to(self, target: int) -> None:
        while self._next[target] - self._first < len(self._pieces):
            piece, size = self._pieces[self._next[target] - self._first]
            if size > self._credit[target]:
                return
            self._next[target] += 1
            self._credit[target] -= size
            self._send(target, piece)
