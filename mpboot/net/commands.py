"""The command's messages, RUN and EXIT, and those that are a number: all that an agent needs which launches nobody."""

from __future__ import annotations

from mpboot.net import fields
from mpboot.net.fields import each, flag, maybe, text, whole
from mpboot.net.records import Record, name, node, rank, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple


def number(body: bytes, least: int = 0, most: int = fields.MOST) -> int:
    """The body of DONE, RECLAIM, CREDIT or STOP: a decimal number."""
    if not body.isdigit() or len(body) > 10:
        raise ValueError("no decimal number")
    return whole(int(body), least, most)


class Run(Record):
    """RUN: the command; ``here``: false on a host that only passes it on."""

    CHECKS = {"argv": lambda value: each(value, lambda word: text(word, 1 << 20)),
              "env": lambda value: each(value, lambda pair: (text(fields.row(pair, 2)[0]), text(pair[1], 1 << 20))),
              "here": flag}  # fmt: skip
    __slots__ = tuple(CHECKS)
    argv: List[str]
    env: List[Tuple[str, str]]
    here: bool


class Exit(Record):
    """EXIT: the command has ended on a host, with this exit code; None where nobody knows it.

    ``signal``: mpboot's own, which it had been sent before it ended; 0 where it ended by itself.
    """

    CHECKS = {"rank": rank, "code": maybe(lambda value: whole(value, 0, 255)),
              "signal": lambda value: whole(value, 0, 64)}  # fmt: skip
    __slots__ = tuple(CHECKS)
    rank: int
    code: Optional[int]
    signal: int


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
