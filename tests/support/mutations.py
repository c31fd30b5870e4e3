"""Bodies that are nearly right, or not at all: each class of change by its name, as a die has it."""

from __future__ import annotations

import random
from typing import Any, Callable

from mpboot.net.answer import Answer
from tests.support.frames import BEYOND, NASTY, Speaker, changed, found, packed, places

LARGEST = Answer.LIMIT - 17  # bytes of a body that fits into a frame from below
DEEPEST = LARGEST // 2
CHARACTERS = 'a0,-[]{}"\\\0\n\x1b\x7f\x85\u2028\u202e\ud800\udfff\uffff\U0001f600'


class Mutator:
    """Makes bodies for a speaker; ``right(kind, by)`` makes one that fits."""

    def __init__(self, dice: random.Random, right: Callable[[Any, Speaker], Any]) -> None:
        self._dice = dice
        self._fits = right
        self.classes: dict[str, Callable[[Any, Speaker], bytes]] = {
            "right": self._right,
            "value": lambda kind, by: self._places(kind, by, 1, self._value),
            "values": lambda kind, by: self._places(kind, by, dice.randint(2, 6), self._value),
            "ranks": lambda kind, by: self._places(kind, by, dice.randint(1, 3), lambda _: self._rank(by)),
            "shape": lambda kind, by: self._places(kind, by, dice.randint(1, 2), self._reshaped),
            "number": lambda kind, by: self._places(kind, by, 1, self._number),
            "text": lambda kind, by: self._places(kind, by, 1, self._text),
            "deep": self._deep,
            "bytes": self._bytes,
            "cut": lambda kind, by: self._cut(packed(right(kind, by))),
            "junk": lambda _kind, _by: dice.randbytes(dice.randint(1, 300)),
            "empty": lambda _kind, _by: dice.choice([b"", b" ", b"\0", b"[]", b"{}", b"null", b'""', b"0"]),
            "long": self._long,
            "limit": self._limit,
        }

    def body(self, kind: Any, name: str, by: Speaker) -> bytes:
        """A body of a class."""
        return self.classes[name](kind, by)

    # -- changes in a value ------------------------------------------------------------------------

    def _right(self, kind: Any, by: Speaker) -> bytes:
        value = self._fits(kind, by)
        if isinstance(value, list) and by.care and isinstance(value[0], list) and self._dice.random() < 0.3:
            value = [changed(value[0], (0,), one) for one in by.care]  # as if of all
        return packed(value)

    def _places(self, kind: Any, by: Speaker, count: int, change: Callable[[Any], Any]) -> bytes:
        value = self._fits(kind, by)
        if isinstance(value, bytes):
            other = change("") if self._dice.random() < 0.5 else None
            return self._bytes(kind, by) if other is None else packed(other)
        for _ in range(count):
            at = self._dice.choice(list(places(value)))
            value = changed(value, at, change(found(value, at)))
        return packed(value)

    def _value(self, _: Any) -> Any:
        return self._dice.choice(NASTY)

    def _rank(self, by: Speaker) -> int:
        return self._dice.choice([by.me, *by.care, *by.others, -1, 0, 1, 2, 77_777])

    def _reshaped(self, value: Any) -> Any:
        if isinstance(value, list) and value:
            at = self._dice.randrange(len(value))
            shuffled = self._dice.sample(value, len(value))
            return self._dice.choice(
                [value[:at] + value[at + 1 :], [*value, value[at]], value * 2, shuffled, value[at], {"0": value}]
            )
        if isinstance(value, dict):
            name = self._dice.choice(sorted(value))
            less = {key: one for key, one in value.items() if key != name}
            other = {**less, name.upper(): value[name]}
            return self._dice.choice([less, {**value, "more": 1}, other, list(value.values())])
        return self._dice.choice([[value], [value, value], {"0": value}, str(value), None])

    def _number(self, _: Any) -> Any:
        digits = self._dice.choice([1, 3, 10, 19, 20, 309, 400, 4301, 20_000])
        number = self._dice.choice([1, -1]) * self._dice.randrange(10 ** min(digits, 400))
        return self._dice.choice([number, number / 7 if digits < 300 else BEYOND, BEYOND, self._dice.choice(NASTY)])

    def _text(self, _: Any) -> str:
        size = self._dice.choice([1, 3, 60, 300, 301, 4096, 4097, 16_384])
        return "".join(self._dice.choices(CHARACTERS, k=min(size, 60))) * max(1, size // 60)

    # -- changes in bytes --------------------------------------------------------------------------

    def _bytes(self, kind: Any, by: Speaker) -> bytes:
        body = bytearray(packed(self._fits(kind, by)))
        for _ in range(self._dice.randint(1, 8)):
            at = self._dice.randrange(len(body) + 1)
            more = (
                self._dice.randbytes(self._dice.randint(0, 3))
                if self._dice.random() < 0.5
                else self._dice.choice([b"[", b"]", b"{", b'"', b",", b"\\u", b"-", b"e9", b"\xff", b"\xed\xa0\x80"])
            )
            body[at : at + self._dice.randint(0, 3)] = more
        return bytes(body)

    def _cut(self, body: bytes) -> bytes:
        return body[: self._dice.randrange(len(body) + 1)]

    def _deep(self, kind: Any, by: Speaker) -> bytes:
        depth = self._dice.choice([10, 900, 1100, 20_000, DEEPEST])
        nest = self._dice.choice([(b"[", b"]"), (b'{"a":', b"}"), (b"[", b""), (b"[[],", b"]")])
        count = min(depth, DEEPEST // len(nest[0]))
        inner = nest[0] * count + b"1" + nest[1] * count
        value = self._fits(kind, by)
        if isinstance(value, bytes):
            return inner
        body = packed(changed(value, self._dice.choice(list(places(value))), "@here@"))
        return body.replace(b'"@here@"', inner)

    def _long(self, kind: Any, by: Speaker) -> bytes:
        value = self._fits(kind, by)
        if not isinstance(value, list) or not isinstance(value[0], list):
            return packed(value) * self._dice.randint(2, 50)
        one = self._dice.choice([value[0], changed(value[0], (0,), self._rank(by)) if value[0] else []])
        return packed([*([one] * self._dice.choice([2, 100, LARGEST // (len(packed(one)) + 2) - 2])), *value[1:]])

    def _limit(self, _kind: Any, _by: Speaker) -> bytes:
        size = LARGEST + self._dice.choice([-1, 0, 1, 1000])
        begin, filling, end = self._dice.choice(
            [(b'["', b"x", b'"]'), (b"[", b" ", b"]"), (b"", b"9", b""), (b"\0" * 5, b"\0", b"")]
        )
        return begin + filling * (size - len(begin) - len(end)) + end
