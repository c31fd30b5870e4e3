"""What a client may ask: checked before anything is done."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.session import requests

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def test_a_job() -> None:
    asked = requests.unpack({"ask": "run", "argv": ["ls", ""], "on": ["a"], "env": [["A", "b"]], "limit": 3})
    assert (asked.ask, asked.argv, asked.on, asked.env, asked.limit) == ("run", ["ls", ""], ["a"], [("A", "b")], 3.0)
    assert (asked.cwd, asked.without, asked.stdin, asked.detach, asked.barrier) == ("", (), False, False, False)
    with pytest.raises(AttributeError):
        asked.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, "no such request: 'None'"),
        ({"ask": "fly"}, "no such request: 'fly'"),
        ({"ask": ["run"]}, "no such request"),
        ({"ask": "run"}, "run needs argv"),
        ({"ask": "run", "argv": []}, "run: argv: no command"),
        ({"ask": "run", "argv": [""]}, "run: argv: no command"),
        ({"ask": "run", "argv": ["a\0b"]}, "NUL"),
        ({"ask": "run", "argv": "ls"}, "run: argv: no list"),
        ({"ask": "run", "argv": ["ls"], "env": [["A=", "b"]]}, "run: env: no variable"),
        ({"ask": "run", "argv": ["ls"], "env": [["A"]]}, "run: env: no variable"),
        ({"ask": "run", "argv": ["ls"], "limit": -1}, "run: limit: no number"),
        ({"ask": "run", "argv": ["ls"], "limit": float("nan")}, "run: limit: no number"),
        ({"ask": "run", "argv": ["ls"], "on": [7]}, "run: on: no text"),
        ({"ask": "run", "argv": ["ls"], "more": 1}, "run knows no more"),
        ({"ask": "kill"}, "kill needs job"),
        ({"ask": "kill", "job": 2, "number": 65}, "kill: number: no whole number"),
        ({"ask": "shrink"}, "shrink needs on"),
        ({"ask": "grow", "hosts": ["a"]}, "grow: hosts: "),
    ],
)
def test_what_makes_no_sense(told: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        requests.unpack(told)


@given(st.sampled_from(sorted(requests.FIELDS)), st.data())
def test_whatever_is_asked_it_is_a_request_or_refused(ask: str, data: st.DataObject) -> None:
    names = st.sampled_from([*requests.FIELDS[ask], "other"])
    told = data.draw(st.dictionaries(names, ANY, max_size=4))
    try:
        found = requests.unpack({**told, "ask": ask})
    except ValueError:
        return
    assert found.ask == ask
    assert found.values.keys() == requests.FIELDS[ask].keys()
