"""EXIT and NOTE as records: the news of a command's end."""

from __future__ import annotations

from mpboot.net.fields import maybe, real, whole
from mpboot.net.records import Record, name, node, rank, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

MOST_SENT = 1 << 60  # bytes


class Exit(Record):
    """EXIT: the command has ended on a host, with this exit code; None where nobody knows it.

    ``signal``: mpboot's own, which it had been sent before it ended; 0 where it ended by itself. ``seconds`` that it
    ran; ``sent``: bytes of output that went up before this, so that whoever got fewer knows that some are lost.
    """

    CHECKS = {"rank": rank, "job": lambda value: whole(value, 1), "code": maybe(lambda value: whole(value, 0, 255)),
              "signal": lambda value: whole(value, 0, 64), "seconds": real,
              "sent": lambda value: whole(value, 0, MOST_SENT)}  # fmt: skip
    __slots__ = tuple(CHECKS)
    rank: int
    job: int
    code: Optional[int]
    signal: int
    seconds: float
    sent: int


SLOW = "slow"
# What is said of a host that is not slow any more, and of one that is.
PACES = ("is heard again", "said nothing for a while, though its kernel answered: overloaded, or stopped")


class Note(Record):
    """NOTE: what a node can't do, or does otherwise (``what``: leaf or watch).

    Or of its command: what became of its ``output``, or what it has ``left``. Or of a child: that it is ``slow``.
    """

    CHECKS = {"rank": node, "what": name, "text": told}
    __slots__ = tuple(CHECKS)
    rank: int
    what: str
    text: str
