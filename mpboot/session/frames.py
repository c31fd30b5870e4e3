"""What a session's daemon and its clients say to each other: frames on a stream. Sans I/O: bytes in, messages out.

A frame is 4 bytes length of the rest, 1 byte kind, body. Everything but output and standard input is a JSON object.
"""

from __future__ import annotations

import json
from typing import Any

PROTOCOL = 1  # goes up when an older client could misread it
TELL, OUTPUT, STDIN = range(1, 4)  # a JSON object; a piece of output; of standard input, empty at its end
MOST = 1 << 26  # bytes in a frame
_LENGTH, _INDEX = 4, 4

Message = tuple[int, Any]  # kind; an object, (index, stream, data), or bytes


class FrameError(ValueError):
    """The other side talks nonsense."""


def pack(told: dict[str, Any]) -> bytes:
    """An object as a frame."""
    return _frame(TELL, json.dumps(told, separators=(",", ":")).encode())


def pack_output(index: int, stream: int, data: bytes) -> bytes:
    """Output as a frame: of the host with this number in the job's list, on stdout (1) or stderr (2)."""
    return _frame(OUTPUT, index.to_bytes(_INDEX, "big") + bytes((stream,)) + data)


def pack_stdin(data: bytes) -> bytes:
    """Standard input as a frame."""
    return _frame(STDIN, data)


def _frame(kind: int, body: bytes) -> bytes:
    return (len(body) + 1).to_bytes(_LENGTH, "big") + bytes((kind,)) + body


class Reader:
    """Cuts what comes into messages."""

    def __init__(self, most: int = MOST) -> None:
        """``most``: bytes in a frame that are taken."""
        self._most = most
        self._in = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that this completes. FrameError."""
        self._in += data
        found = []
        while len(self._in) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._in[:_LENGTH], "big")
            if not _LENGTH < end <= self._most + _LENGTH:
                raise FrameError("a frame of no possible length")
            if len(self._in) < end:
                break
            found.append(_unpack(self._in[_LENGTH], bytes(self._in[_LENGTH + 1 : end])))
            del self._in[:end]
        return found


def _unpack(kind: int, body: bytes) -> Message:
    if kind == STDIN:
        return kind, body
    if kind == OUTPUT:
        if len(body) <= _INDEX or body[_INDEX] not in (1, 2):
            raise FrameError("no output")
        return kind, (int.from_bytes(body[:_INDEX], "big"), body[_INDEX], body[_INDEX + 1 :])
    if kind != TELL:
        raise FrameError("no such kind")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise FrameError("no JSON") from None
    if not isinstance(told, dict):
        raise FrameError("no object")
    return kind, told
