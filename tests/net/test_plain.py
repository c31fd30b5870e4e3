"""JSON without json: the same values, the same texts, and ValueError for everything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net import plain

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_reads_and_writes_as_json_does(value: Any) -> None:
    assert plain.dumps(value) == json.dumps(value, separators=(",", ":")).encode()
    assert plain.loads(plain.dumps(value)) == value
    assert plain.loads(json.dumps(value).encode()) == value


@given(st.binary(max_size=40))
def test_takes_what_json_takes_and_nothing_else(data: bytes) -> None:
    try:
        wanted = json.loads(data.decode(), parse_constant=int)
    except (ValueError, RecursionError):
        with pytest.raises(ValueError, match=r"."):
            plain.loads(data)
    else:
        if data.strip() == data:  # no peer of ours puts space around it
            assert plain.loads(data) == wanted


@pytest.mark.parametrize("text", ["", "nul", "[1,", "{} x", "NaN", "-Infinity", '{"a":Infinity}', "[" * 100_000])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        plain.loads(text.encode())


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, float("nan"), float("inf")])
def test_what_json_has_no_word_for(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        plain.dumps(value)
