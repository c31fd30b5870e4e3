"""What the fields of messages may hold, for their tests: values that are just right, and just wrong."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from mpboot.net import ranges

MOST = (1 << 31) - 1
LETTERS = st.text(max_size=20)


class Kind(NamedTuple):
    """What a field may hold: what hypothesis makes of it, what is just right, and what is just wrong."""

    made: st.SearchStrategy[Any]
    right: list[Any]
    wrong: list[Any]


def maybe(kind: Kind) -> Kind:
    return Kind(st.none() | kind.made, [None, *kind.right], [one for one in kind.wrong if one is not None])


def many(kind: Kind, most: int = 3, refused: list[Any] | None = None) -> Kind:
    """A list; ``refused``: lists that are too long."""
    made = st.lists(kind.made, max_size=most)
    right = [[], kind.right[:1] * most]
    return Kind(made, right, [None, "ab", {}, 1, *([one] for one in kind.wrong), *(refused or [])])


def whole(least: int = 0, most: int = MOST) -> Kind:
    wrong = [least - 1, most + 1, 10**30, True, None, "1", 1.0, [1]]
    return Kind(st.integers(least, most), [least, most], wrong)


def real(least: float = 0.0, most: float = 1e9) -> Kind:
    made = st.floats(least, most, allow_nan=False)
    return Kind(made, [least, 0, most], [least - 1, most + 1, 10**400, True, None, "1", [1]])


def text(most: int) -> Kind:
    return Kind(LETTERS, ["", "é" * most], ["x" * (most + 1), None, 1, True, ["x"], {}])


FLAG = Kind(st.booleans(), [True, False], [0, 1, None, "true", []])
RANK, NODE, WHOLE, PID, NAME, TOLD = whole(), whole(-1), whole(), whole(1), text(512), text(4096)
TEXT, LONG_TEXT = text(1 << 14), Kind(LETTERS, ["x" * (1 << 20)], ["x" * ((1 << 20) + 1), None, 1])
KEY = Kind(
    st.binary(min_size=16, max_size=16).map(bytes.hex), ["0" * 32, "9f" * 16],
    ["", "0" * 31, "0" * 33, "g" * 32, "F" * 32, None, 1, ["0" * 32]],
)  # fmt: skip
WAYS = Kind(  # of hosts down the tree: rank and number of each node on it, and for how many of the hosts it is
    st.lists(st.tuples(st.lists(st.tuples(st.integers(-1, MOST), st.integers(1, MOST)), max_size=3),
                       st.integers(1, MOST)), max_size=3),
    [[], [[[[-1, 1], [0, MOST]], 3], [[], 1]]],
    [None, "ab", {}, [[1]], [[[[-1, 1]], 0]], [[[[-2, 1]], 1]], [[[[-1, 0]], 1]], [[[[1, 2, 3]], 1]], [[[1], 1]],
     [[[[-1, 1]]]], [[[["0", 1]], 1]]],
)  # fmt: skip
RANKS = Kind(
    st.sets(st.integers(0, 50)).map(ranges.pack), ["", "0", "0-4,9", "999999998-999999999"],
    [None, 1, [1], "x", "1-", "-1", "2-1", "1,1", "3,2", "1-3,3", "1--2", "1,,2", ",", " 1", "1-2-3", "٣", "+1", "1_0",
     "9999999999", "0-9999999", "0" * ((1 << 16) + 1)],
)  # fmt: skip
ENVIRONMENT = Kind(
    st.lists(st.tuples(LETTERS, LETTERS), max_size=3),
    [[], [("N", "v" * (1 << 20))], [("N" * (1 << 14), "")]],
    [None, {"N": "v"}, [["N"]], [["N", "v", ""]], ["Nv"], [["N", 1]], [[1, "v"]], [["N" * ((1 << 14) + 1), ""]],
     [["N", "v" * ((1 << 20) + 1)]]],
)  # fmt: skip
