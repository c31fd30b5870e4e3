"""What a program gives the library: right, or a ValueError before a session is asked."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable

import pytest
from hypothesis import given as whatever
from hypothesis import strategies as st

from mpboot.session import given
from mpboot.session.sets import labels_of

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "check",
    [
        lambda value: given.text("it", value),
        lambda value: given.words("it", value),
        lambda value: given.number("it", value),
        given.command,
        given.hosts,
        given.signal,
        given.variables,
        given.limit,
        lambda value: list(given.pieces(value) or ()),
        labels_of,
    ],
)
@whatever(value=ANYTHING)
def test_whatever_it_is_it_is_right_or_a_value_error(check: Callable[[Any], Any], value: Any) -> None:
    with suppress(ValueError):
        check(value)


def test_what_is_right_stays_as_it_is() -> None:
    assert given.text("it", "a\udcff") == "a\udcff"  # a byte of a command line
    assert given.words("it", ("a", "")) == ["a", ""]
    assert given.variables({"A": "b"}) == {"A": "b"}
    assert given.variables(None) is None
    assert [given.limit(value) for value in (None, 0, 2.5)] == [None, 0, 2.5]
    assert given.pieces(None) is None
    assert [list(given.pieces(value) or ()) for value in (b"a", bytearray(b"a"), memoryview(b"a"))] == [[b"a"]] * 3
    assert list(given.pieces(iter([b"a", b""])) or ()) == [b"a", b""]
    assert labels_of(iter(["a", "b"])) == labels_of({"a": 1, "b": 2}) == ["a", "b"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "value", "why"),
    [
        (lambda value: given.text("cwd", value), 5, "cwd must be a text, not 5"),
        (lambda value: given.text("cwd", value), "a\0", r"cwd can't hold a NUL character \('a\\x00'\)"),
        (lambda value: given.text("cwd", value), "\ud800", "cwd can't hold half of a character"),
        (lambda value: given.words("argv", value), "a b", r"argv must be a list of words, not one string \('a b'\)"),
        (lambda value: given.words("argv", value), 5, "argv must be a list of words, not 5"),
        (lambda value: given.words("argv", value), [b"true"], "a word of argv must be a text, not b'true'"),
        (lambda value: given.words("argv", value), [], "argv has no word in it"),
        (given.variables, [("A", "b")], "env must be a mapping of names to values"),
        (given.variables, {"A": 5}, "a value in env must be a text, not 5"),
        (given.variables, {"A=B": "c"}, "a name in env is not empty and has no = in it, not 'A=B'"),
        (given.variables, {"": "c"}, "a name in env is not empty"),
        (given.command, ["", "a"], "argv names no program: its first word is empty"),
        (given.hosts, "", "the set of hosts is empty"),
        (given.hosts, [], "the set of hosts is empty"),
        (given.signal, 65, "a signal is a number from 1 to 64, not 65"),
        (given.signal, "TERM", "a signal is a number from 1 to 64, not 'TERM'"),
        (lambda value: given.number("job", value), "1", "job must be a whole number, 0 or more, not '1'"),
        (given.limit, float("nan"), "timeout must be a number of seconds, 0 or more, not nan"),
        (given.limit, 1e300, r"timeout can be 4e\+06 seconds at most, not 1e\+300"),
        (given.limit, True, "timeout must be a number of seconds"),
        (given.limit, -1, "timeout must be a number of seconds"),
        (given.pieces, "text", "stdin must be bytes, or pieces of bytes, not 'text'"),
        (lambda value: list(given.pieces(value) or ()), [b"a", "b"], "a piece of stdin must be bytes, not 'b'"),
        (labels_of, 5, r"a set of hosts is a text such as node\[1-3\], or a list of names, not 5"),
        (labels_of, b"h1", "a set of hosts is a text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(call: Callable[[Any], Any], value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        call(value)
