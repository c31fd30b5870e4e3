"""JSON without json: the same values, the same texts, and ValueError for everything else."""

from __future__ import annotations

import importlib.util
import json
import sys
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net import plain

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def on_another_interpreter() -> ModuleType:
    """The module as it is where there is no C code for JSON."""
    assert plain.__spec__ is not None
    spec = importlib.util.spec_from_file_location("plain_without_c", plain.__spec__.origin)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {"_json": None}):
        spec.loader.exec_module(made)
    return made


MODULES = {"with C code": plain, "without": on_another_interpreter()}
both = pytest.mark.parametrize("module", MODULES.values(), ids=MODULES.keys())


@both
@given(VALUES)
def test_reads_and_writes_as_json_does(module: ModuleType, value: Any) -> None:
    assert module.dumps(value) == json.dumps(value, separators=(",", ":")).encode()
    assert module.loads(module.dumps(value)) == value
    assert module.loads(json.dumps(value).encode()) == value


@both
@given(st.binary(max_size=40))
def test_takes_what_json_takes_and_nothing_else(module: ModuleType, data: bytes) -> None:
    try:
        wanted = json.loads(data.decode(), parse_constant=int)
    except (ValueError, RecursionError):
        with pytest.raises(ValueError, match=r"."):
            module.loads(data)
    else:
        if data.strip() == data:  # no peer of ours puts space around it
            assert module.loads(data) == wanted


BAD = ["", "nul", "[1,", "{} x", "NaN", "-Infinity", '{"a":Infinity}', "[" * 100_000, '"a\nb"', '"\x00"', "\xff"]


@both
@pytest.mark.parametrize("text", BAD)
def test_what_is_no_json(module: ModuleType, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        module.loads(text.encode("latin-1"))


@both
@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, float("nan"), float("inf"), [float("-inf")]])
def test_what_json_has_no_word_for(module: ModuleType, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        module.dumps(value)


@both
def test_what_json_has_no_key_for(module: ModuleType) -> None:
    with pytest.raises(TypeError):
        module.dumps({(1, 2): 3})


@both
def test_fields_stay_in_their_order(module: ModuleType) -> None:
    assert module.dumps({"b": 1, "a": {"d": 2, "c": 3}}) == b'{"b":1,"a":{"d":2,"c":3}}'


@both
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1,", "^(not JSON: |Expecting value)"),
        ("{}x", "^not JSON: more after its end$"),
        ("[NaN]", "^not plain: 'NaN'$"),
    ],
)
def test_why_it_is_refused(module: ModuleType, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        module.loads(text.encode())


@both
def test_why_it_can_not_be_written(module: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"^not plain: b'bytes'(\nwhen serializing .*)?$"):
        module.dumps([b"bytes"])
