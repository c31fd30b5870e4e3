"""Checks of values that came from somebody else: type, range, length. ValueError where one does not hold.

Used where a body is unpacked (messages.py, work.py), before anything is done with what is in it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, TypeVar

    Item = TypeVar("Item")

MOST = (1 << 31) - 1  # the largest rank, pid, or count of anything
LONG = 1 << 14  # characters of a text, unless a field says otherwise
MANY = 1 << 20  # items of a list, unless a field says otherwise


def whole(value: Any, least: int = 0, most: int = MOST) -> int:
    """A whole number from ``least`` to ``most``."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError("no whole number from %d to %d" % (least, most))
    return value


def real(value: Any, least: float = 0.0, most: float = 1e9) -> float:
    """A number from ``least`` to ``most``; NaN is none."""
    if type(value) not in (int, float) or not least <= value <= most:
        raise ValueError("no number from %g to %g" % (least, most))
    return float(value)


def flag(value: Any) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise ValueError("neither true nor false")
    return value


def text(value: Any, most: int = LONG) -> str:
    """A text of at most ``most`` characters."""
    if type(value) is not str or len(value) > most:
        raise ValueError("no text of at most %d characters" % most)
    return value


def raw(value: Any, most: int) -> bytes:
    """At most ``most`` bytes."""
    if type(value) is not bytes or len(value) > most:
        raise ValueError("no string of at most %d bytes" % most)
    return value


def row(value: Any, size: int) -> List[Any]:
    """A list (or tuple) of exactly ``size`` values, each to be checked by itself."""
    if type(value) not in (list, tuple) or len(value) != size:
        raise ValueError("no list of %d values" % size)
    return list(value)


def each(value: Any, check: Callable[[Any], Item], most: int = MANY) -> List[Item]:
    """A list (or tuple) of at most ``most`` values, every one of which ``check`` takes."""
    if type(value) not in (list, tuple) or len(value) > most:
        raise ValueError("no list of at most %d values" % most)
    return [check(one) for one in value]


def record(value: Any, names: Dict[str, Callable[[Any], Any]], optional: str = "") -> Dict[str, Any]:
    """An object with these fields and no others, each checked; those named in ``optional`` may be missing."""
    if type(value) is not dict or not value.keys() <= names.keys():
        raise ValueError("no object with the fields %s" % ", ".join(names))
    missing = names.keys() - value.keys()
    if missing and not missing <= set(optional.split()):
        raise ValueError("no %s" % ", ".join(sorted(missing)))
    return {name: names[name](one) for name, one in value.items()}


def maybe(check: Callable[[Any], Item]) -> Callable[[Any], Any]:
    """A check that takes None as well."""
    return lambda value: None if value is None else check(value)


def number(body: bytes, least: int = 0, most: int = MOST) -> int:
    """The body of DONE, RECLAIM, CREDIT or STOP: a decimal number."""
    if not body.isdigit() or len(body) > 10:
        raise ValueError("no decimal number")
    return whole(int(body), least, most)
