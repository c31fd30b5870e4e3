"""What may come in frames: a right body of each kind, the places in it, and values to put there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mpboot.net import fields, wire
from mpboot.net.jobs import FIRST, Run, pack_signal, pack_stdin
from mpboot.net.link import KINDS
from mpboot.net.login import pack_window
from mpboot.net.outlet import pack_out
from mpboot.node.dispatch import pack_to

Path = tuple[Any, ...]  # of a place in a value: an index or a name for each level

DOWN = (
    wire.SHARE, wire.CODE, wire.RECLAIM, wire.GO, wire.RUN, wire.CREDIT, wire.PING, wire.STOP, wire.TELL, wire.PSUTIL,
    wire.TO, wire.SIGNAL, wire.STDIN, wire.HOLD, wire.MOVE, wire.LEAVE, wire.WINDOW,
)  # fmt: skip
UP = tuple(kind for kind in KINDS if kind not in (*DOWN, wire.HELLO))
MOST = fields.MOST
BEYOND = "@beyond@"  # stands for a number that no float can hold
NASTY: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, -2, 255, 256, 65536, MOST, MOST + 1, 1 << 20, (1 << 20) + 1, 1 << 63, -(1 << 63),
    10**400, 0.5, -0.0, 1e9, 1.1e9, 1e308, float("inf"), float("nan"), BEYOND, "", "x", "0-3", "1-2,2", "0-99999999999",
    "auth", "\ud800", "\udfff\0\x1b[2J", "\u202e", "٣", "²", "x" * 301, "x" * 5000, [], [[]], {}, {"rank": 0},
    [None] * 9,
)  # fmt: skip


class Speaker(NamedTuple):
    """Who speaks: its rank, hosts in its care, and hosts that are none of its business."""

    me: int
    care: Sequence[int] = ()
    others: Sequence[int] = ()

    @property
    def host(self) -> int:
        """A host that it may speak for, if there is one."""
        return self.care[0] if self.care else self.me


def right(kind: int, by: Speaker) -> Any:
    """A body that fits: bytes as they are, or a value for JSON."""
    host = by.host
    why = ["auth", "handshake", "denied", "Permission denied"]
    key = "ab" * wire.KEY_BYTES
    settings = ["tree", 2, 5.0, 1, 0.0, "local", ["local"], "auto", "none", False, 1.0, False, False, [], "py"]
    bodies: dict[int, Any] = {
        wire.HELLO: {"id": 1, "rank": by.me, "pid": 4711, "python": "3.11.2"},
        wire.SHARE: [settings, 1, 0.5, [[[[-1, 1]], 1]], [[host, "h", "h", None, None, 0, True, key, None]]],
        wire.LAUNCHED: [1, 1],
        wire.UP: [[host, by.me, 2, 0.1, 0.2, 4711, 1, "3.11.2"]],
        wire.FAILED: [[host, why[0], why[1], 2, by.me, *why[2:]]],
        wire.RETURN: [[[host, 3, why]], True, False],
        wire.RECLAIM: b"2",
        wire.DONE: b"1",
        wire.RUN: Run(FIRST, ["true"], [("A", "b")], False).pack(),
        wire.OUT: pack_out(max(0, by.me), FIRST, 1, b"text\n"),
        wire.EXIT: [[max(0, by.me), FIRST, 0, 0, 0.5, 6]],
        wire.CREDIT: b"20000",
        wire.STOP: b"15",
        wire.LOG: b"a line",
        wire.TOLD: [[[host, by.me, 1, 1.0, "connect", 0.5, [["SYN_SENT", "a:22"]], ["sleeping"], ""]], 0],
        wire.NOTE: [by.me, "leaf", "auth: denied"],
        wire.WANT: [["0" * 64]],
        wire.TO: pack_to([host], wire.SIGNAL, pack_signal(FIRST, 15, True)),
        wire.SIGNAL: pack_signal(FIRST, 15, True),
        wire.STDIN: pack_stdin(FIRST, 0, b"text"),
        wire.TAKEN: bytes((0, 0, 0, FIRST, 0, 0, 0, 4)),
        wire.HOLD: bytes((0, 0, 0, FIRST, 1)),
        wire.WINDOW: pack_window(FIRST, (24, 80, 0, 0)),
    }
    return bodies.get(kind, b"")


def packed(value: Any) -> bytes:
    """The value as a body."""
    if isinstance(value, bytes):
        return value
    return json.dumps(value).replace(f'"{BEYOND}"', "1e400").encode()


def places(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in a value, the whole first."""
    yield at
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*at, key))


def changed(value: Any, at: Path, new: Any) -> Any:
    """The value with another one at a place."""
    if not at:
        return new
    copy = value.copy()
    copy[at[0]] = changed(value[at[0]], at[1:], new)
    return copy


def found(value: Any, at: Path) -> Any:
    """What is at a place."""
    for key in at:
        value = value[key]
    return value
