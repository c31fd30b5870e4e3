"""The way of commands' output towards the root: as fast as the reader reads, and never more than a window held.

Each connection lets its lower end send WINDOW bytes of OUT; the upper end gives back credit for what it has
passed on. So a reader that stops, stops the commands in the end, and nothing in between fills up.
"""

from __future__ import annotations

from _collections import deque  # type: ignore[import-not-found]

from mpboot.net import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Deque, List, Optional, Tuple

    from mpboot.net.link import Link

WINDOW = 1 << 15  # bytes
SLACK = 1 << 14  # bytes that a sender may be ahead of its credit: it sends a whole body while any is left
VOID = 1 << 60  # bytes of credit that no command uses up
STDOUT, STDERR = 1, 2


HEAD = 9  # bytes before the text in an OUT frame


def pack_out(rank: int, job: int, stream: int, text: bytes) -> bytes:
    """The body of an OUT frame."""
    return rank.to_bytes(4, "big") + job.to_bytes(4, "big") + bytes((stream,)) + text


def unpack_out(body: bytes) -> Tuple[int, int, int, bytes]:
    """(rank, job, stream, text) of an OUT frame. ValueError if it is none."""
    if len(body) < HEAD:
        raise ValueError("too short")
    return int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big"), body[8], body[HEAD:]


class Credits:
    """What a receiver owes a sender: counts what was passed on, says so in few frames, and sees that it is kept to."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._owed = 0
        self._left = WINDOW + SLACK  # bytes that the sender may send before it is told of more

    def taken(self, count: int) -> None:
        """``count`` bytes of the sender's have come. ValueError if it had no credit for them."""
        self._left -= count
        if self._left < 0:
            raise ValueError("more output than it has credit for")

    def passed_on(self, count: int) -> None:
        """``count`` bytes of the sender's are out of our hands."""
        self._owed += count
        if self._owed * 2 >= WINDOW:
            self._link.send(wire.CREDIT, b"%d" % self._owed)
            self._left += self._owed
            self._owed = 0


class Outlet:
    """A queue of OUT bodies for the connection to the parent, within the credit that the parent gave."""

    def __init__(self, send: Callable[[int, bytes], None]) -> None:
        """``send`` as Link.send; ``eased()`` may be set: called when there is room again."""
        self._send = send
        self._credit = WINDOW
        self._queue: Deque[Tuple[int, bytes, Optional[Credits]]] = deque()
        self.moved = 0  # how many bodies have been sent
        self.eased: Callable[[], None] = lambda: None

    @property
    def room(self) -> int:
        """How many bytes a command of this host's own may add now."""
        return 0 if self._queue else max(0, self._credit)

    @property
    def empty(self) -> bool:
        """Has everything been sent?"""
        return not self._queue

    def put(self, body: bytes, credits: Optional[Credits] = None) -> None:
        """Pass an OUT body on; ``credits`` are the sender's, where it came from a child."""
        self._queue.append((wire.OUT, body, credits))
        self._drain()

    def put_exit(self, body: bytes) -> None:
        """Pass an EXIT on; it needs no credit, but never overtakes output that came before it."""
        self._queue.append((wire.EXIT, body, None))
        self._drain()

    def grant(self, count: int) -> None:
        """The parent passed on ``count`` bytes."""
        self._credit += count
        self._drain()
        if self.room:
            self.eased()

    def renew(self, send: Callable[[int, bytes], None]) -> None:
        """There is a new parent: it owes a whole window."""
        self._send = send
        self._credit = WINDOW
        self._drain()

    def wait(self) -> None:
        """The parent goes: send it no more output, until there is another."""
        self._credit = 0

    def void(self) -> None:
        """Nobody is left to read it: whatever is put here vanishes, and nobody waits."""
        self._send = lambda _kind, _body: None
        self.grant(VOID)

    def cut(self) -> List[int]:
        """Wait for no more credit: output that had to wait is lost, exit codes are sent. The ranks whose it was."""
        queue, self._queue = self._queue, deque()
        for kind, body, _ in queue:
            if kind == wire.EXIT:
                self._send(kind, body)
        return sorted({unpack_out(body)[0] for kind, body, _ in queue if kind == wire.OUT})

    def _drain(self) -> None:
        while self._queue and (self._credit > 0 or self._queue[0][0] == wire.EXIT):
            kind, body, credits = self._queue.popleft()
            self._credit -= len(body) if kind == wire.OUT else 0
            self.moved += 1
            self._send(kind, body)
            if credits is not None:
                credits.passed_on(len(body))
