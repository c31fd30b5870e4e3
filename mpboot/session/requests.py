"""What a client may ask of a daemon: unpacked and checked before anything is done. ValueError where that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mpboot.net.fields import each, flag, maybe, real, text, whole
from mpboot.text import shown

WORD = 1 << 17  # characters of a word, as much as the kernel takes
LABELS = 1 << 20  # hosts in a request
LONGEST_LIMIT = 4e6  # seconds that a command may be given


def _word(value: Any) -> str:
    word = text(value, WORD)
    if "\0" in word:
        raise ValueError("a word can't hold a NUL character")
    return word


def _words(value: Any) -> list[str]:
    found = each(value, _word)
    if not found or not found[0]:
        raise ValueError("no command")
    return found


def _variable(value: Any) -> tuple[str, str]:
    pair = each(value, _word, 2)
    if len(pair) != 2 or not pair[0] or "=" in pair[0]:
        raise ValueError("no variable")
    return pair[0], pair[1]


def _labels(value: Any) -> list[str]:
    return each(value, lambda one: text(one, 1 << 10), LABELS)


def _limit(value: Any) -> float:
    return real(value, 0.0, LONGEST_LIMIT)


NEEDED: Any = object()  # in place of the value that a field has which is missing

# What each request has; what is missing has the value that stands beside the check.
FIELDS: Mapping[str, Mapping[str, tuple[Callable[[Any], Any], Any]]] = {
    "watch": {},
    "eased": {},
    "stop": {"signal": (lambda value: whole(value, 1, 64), 15)},
    "launches": {},
    "look": {},
    "run": {
        "argv": (_words, NEEDED), "on": (maybe(_labels), None), "without": (_labels, ()),
        "env": (lambda value: each(value, _variable), ()), "cwd": (_word, ""), "limit": (_limit, 0.0),
        "stdin": (flag, False), "login": (flag, False), "detach": (flag, False), "barrier": (flag, False),
    },
    "signal": {"number": (lambda value: whole(value, 1, 64), 15), "last": (flag, True)},
    "kill": {"job": (lambda value: whole(value, 1), NEEDED), "number": (lambda value: whole(value, 1, 64), 15),
             "last": (flag, True)},
    "jobs": {},
    "nodes": {},
    "about": {},
    "grow": {"hosts": (lambda value: each(value, dict), NEEDED)},
    "shrink": {"on": (_labels, NEEDED)},
    "halt": {},
    "ride": {},
    "riders": {},
    "ping": {},
}  # fmt: skip


@dataclass
class Request:
    """What is asked (``ask``), and with which values."""

    ask: str
    values: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


def unpack(told: Mapping[str, Any]) -> Request:
    """The request in an object that a client has sent. ValueError."""
    ask = told.get("ask")
    fields = FIELDS.get(ask) if isinstance(ask, str) else None
    if fields is None:
        raise ValueError(f"no such request: {shown(str(ask))}")
    more = told.keys() - fields.keys() - {"ask"}
    if more:
        raise ValueError(f"{ask} knows no {', '.join(sorted(more))}")
    values = {}
    for name, (check, missing) in fields.items():
        if name not in told and missing is NEEDED:
            raise ValueError(f"{ask} needs {name}")
        try:
            values[name] = check(told[name]) if name in told else missing
        except (ValueError, TypeError) as error:
            raise ValueError(f"{ask}: {name}: {error}") from None
    return Request(str(ask), values)
