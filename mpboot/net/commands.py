"""The command's messages, RUN and EXIT, and those that are a number: all that an agent needs which launches nobody."""

from __future__ import annotations

from mpboot.net import fields
from mpboot.net.fields import each, flag, text, whole
from mpboot.net.records import Record, rank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Tuple


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
    """EXIT: the command has ended on a host, with this exit code."""

    CHECKS = {"rank": rank, "code": lambda value: whole(value, 0, 255)}
    __slots__ = tuple(CHECKS)
    rank: int
    code: int
