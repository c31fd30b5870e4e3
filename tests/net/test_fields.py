"""Checks of what came from others: what is in range passes as it is, and everything else is refused in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net import fields
from mpboot.net.fields import each, flag, maybe, raw, real, record, row, text, whole


class Int(int):
    """A number that is of another type."""


whole_3_9 = partial(whole, least=3, most=9)
real_3_9 = partial(real, least=3, most=9)
text_3 = partial(text, most=3)
raw_3 = partial(raw, most=3)
row_2 = partial(row, size=2)
each_2 = partial(each, check=whole, most=2)
person = partial(record, names={"name": text, "age": whole, "nick": text}, optional="nick age")
nothing_optional = partial(record, names={"name": text})

TAKEN: list[tuple[Callable[[Any], Any], Any]] = [
    (whole, 0), (whole, (1 << 31) - 1), (whole_3_9, 3), (whole_3_9, 9),
    (real, 0.0), (real, 1e9), (real_3_9, 3), (real_3_9, 9.0),
    (flag, True), (flag, False),
    (text, ""), (text, "ü" * (1 << 14)), (text_3, "abc"),
    (raw_3, b""), (raw_3, b"abc"),
    (row_2, [1, "a"]), (each_2, []), (each_2, [1, 2]),
    (person, {"name": "a"}), (person, {"name": "a", "age": 1, "nick": "b"}), (person, {"name": "a", "nick": "b"}),
    (nothing_optional, {"name": "a"}),
    (maybe(flag), None), (maybe(flag), True),
]  # fmt: skip

REFUSED: list[tuple[Callable[[Any], Any], Any, str]] = [
    (whole, -1, "no whole number from 0 to 2147483647"),
    (whole, 1 << 31, "no whole number from 0 to 2147483647"),
    *((whole, value, "no whole number") for value in (True, 1.0, "1", None, Int(1), [1])),
    (whole_3_9, 2, "no whole number from 3 to 9"),
    (whole_3_9, 10, "no whole number from 3 to 9"),
    (real, -0.1, "no number from 0 to 1e+09"),
    (real, 1e9 + 0.5, "no number from 0 to 1e+09"),
    *((real, value, "no number") for value in (True, "1", None, float("nan"), float("inf"), Int(1))),
    (real_3_9, 2.9, "no number from 3 to 9"),
    (real_3_9, 9.1, "no number from 3 to 9"),
    *((flag, value, "neither true nor false") for value in (0, 1, None, "true")),
    (text, "x" * ((1 << 14) + 1), "no text of at most 16384 characters"),
    (text_3, "abcd", "no text of at most 3 characters"),
    *((text, value, "no text") for value in (b"a", 1, None, ["a"])),
    (raw_3, b"abcd", "no string of at most 3 bytes"),
    *((raw_3, value, "no string of at most 3 bytes") for value in ("a", bytearray(b"a"), None)),
    *((row_2, value, "no list of 2 values") for value in ([1], [1, 2, 3], "ab", {1, 2}, None)),
    (each_2, [1, 2, 3], "no list of at most 2 values"),
    *((each_2, value, "no list of at most 2 values") for value in ("a", {1, 2}, None)),
    (each_2, [1, -1], "no whole number"),
    (partial(each, check=flag), [True] * ((1 << 20) + 1), "no list of at most 1048576 values"),
    (person, {"name": "a", "x": 1}, "no object with the fields name, age, nick"),
    (person, [], "no object with the fields name, age, nick"),
    (person, None, "no object with the fields name, age, nick"),
    (person, {}, "no "),
    (person, {"age": 1}, "no name"),
    (person, {"name": 1}, "no text"),
    (nothing_optional, {}, "no name"),
    (partial(record, names={"b": flag, "a": flag}), {}, "no a, b"),
    (maybe(flag), 0, "neither true nor false"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "value"), TAKEN)
def test_what_holds_comes_back_as_it_was(check: Callable[[Any], Any], value: Any) -> None:
    assert check(value) == value
    assert type(check(value)) is (float if check in (real, real_3_9) else type(value))


@pytest.mark.parametrize(("check", "value", "why"), REFUSED)
def test_what_does_not_hold_is_refused(check: Callable[[Any], Any], value: Any, why: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(why)):
        check(value)


@pytest.mark.parametrize("check", [row_2, each_2])
def test_a_tuple_is_a_list(check: Callable[[Any], Any]) -> None:
    assert check((1, 2)) == [1, 2]


def test_what_each_and_record_check_they_give_back() -> None:
    assert each([1, 2], real) == [1.0, 2.0]
    assert all(type(one) is float for one in each([1, 2], real))
    assert record({"a": [1]}, {"a": lambda value: tuple(row(value, 1))}) == {"a": (1,)}


def test_the_limits() -> None:
    assert (fields.MOST, fields.LONG, fields.MANY) == (2147483647, 16384, 1048576)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
CHECKS = [whole, real, flag, text, raw_3, row_2, each_2, person, nothing_optional, maybe(text)]


@given(st.sampled_from(CHECKS), ANYTHING)
def test_whatever_comes_there_is_no_other_error(check: Callable[[Any], Any], value: Any) -> None:
    try:
        found = check(value)
    except ValueError:
        return
    assert found == value
