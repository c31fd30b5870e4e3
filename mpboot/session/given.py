"""What a program gives the library's calls, checked before a session is asked: ValueError where it is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, Union

from mpboot.net.fields import MOST
from mpboot.session.requests import LONGEST_LIMIT
from mpboot.session.sets import labels_of

LAST_SIGNAL = 64
Input = Union[bytes, bytearray, memoryview, Iterable[bytes], None]  # a command's standard input: all of it, or pieces


def text(name: str, value: Any) -> str:
    """A text that a host can be given."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text, not {value!r}")
    if "\0" in value:
        raise ValueError(f"{name} can't hold a NUL character ({value!r})")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"{name} can't hold half of a character ({value!r})") from None
    return value


def words(name: str, value: Any) -> list[str]:
    """One word or more."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        what = "one string " if isinstance(value, (str, bytes)) else ""
        raise ValueError(f"{name} must be a list of words, not {what}{f'({value!r})' if what else repr(value)}")
    found = [text(f"a word of {name}", word) for word in value]
    if not found:
        raise ValueError(f"{name} has no word in it")
    return found


def command(value: Any) -> list[str]:
    """A command: the name of a program, which is not empty, and its words."""
    found = words("argv", value)
    if not found[0]:
        raise ValueError("argv names no program: its first word is empty")
    return found


def hosts(value: Any) -> list[str] | None:
    """The labels of a set that is not empty; None for all."""
    found = labels_of(value)
    if found == []:
        raise ValueError("the set of hosts is empty")
    return found


def number(name: str, value: Any) -> int:
    """A whole number that counts something."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise ValueError(f"{name} must be a whole number, 0 or more, not {value!r}")
    return value


def signal(value: Any) -> int:
    """The number of a signal."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LAST_SIGNAL:
        raise ValueError(f"a signal is a number from 1 to {LAST_SIGNAL}, not {value!r}")
    return int(value)


def variables(value: Any) -> dict[str, str] | None:
    """The environment of a command: names and values; None if nothing is given."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError(f"env must be a mapping of names to values, not {value!r}")
    found = {text("a name in env", name): text("a value in env", each) for name, each in value.items()}
    for name in found:
        if not name or "=" in name:
            raise ValueError(f"a name in env is not empty and has no = in it, not {name!r}")
    return found


def limit(value: Any) -> float | None:
    """Seconds, 0 for no limit; None if nothing is given."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value) or value < 0:
        raise ValueError(f"timeout must be a number of seconds, 0 or more, not {value!r}")
    if value > LONGEST_LIMIT:
        raise ValueError(f"timeout can be {LONGEST_LIMIT:g} seconds at most, not {value!r}")
    return value


def pieces(stdin: Input) -> Iterator[bytes] | None:
    """A command's standard input, piece by piece, each of which may be a ValueError, too; None if there is none."""
    found: Any = stdin
    if found is None:
        return None
    if isinstance(found, (bytes, bytearray, memoryview)):
        return iter([bytes(found)])
    if isinstance(found, str) or not isinstance(found, Iterable):
        raise ValueError(f"stdin must be bytes, or pieces of bytes, not {found!r}")
    return map(_bytes, found)


def _bytes(piece: Any) -> bytes:
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        raise ValueError(f"a piece of stdin must be bytes, not {piece!r}")
    return bytes(piece)
