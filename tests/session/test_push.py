"""What a host says while it gets files: whatever it says, it costs nobody but itself."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from mpboot.session.laggards import Laggards
from mpboot.session.push import MOST_LINE, Push


@pytest.fixture
def push() -> Any:
    """A push to two hosts that has nothing of its own but what is said."""
    made: Any = Push.__new__(Push)
    made.outcomes, made._got, made._where, made._needs = {}, {}, {}, {}
    made._manifest, made._laggards = SimpleNamespace(size=7), Laggards(7)
    made._lines, made._ordered, made._ends = {}, True, True
    made._progress = lambda _: None
    made.job = SimpleNamespace(hosts=["h1", "h2"])
    return made


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\n", b"5\n", b"\xff\xfe\n", b"[" * 50000 + b"\n", b"x" * (MOST_LINE + 1), b'{"port": 1}\n',
        b'{"done": -1}\n', b'{"done": "all"}\n', b'{"failed": "x"}\n', b'{"got": NaN}\n',
        json.dumps({"port": 70000, "addresses": []}).encode() + b"\n",
        json.dumps({"port": 7, "addresses": ["x" * 100]}).encode() + b"\n",
    ],
)  # fmt: skip
def test_nonsense_is_its_own_end(push: Any, said: bytes) -> None:
    push.heard("h1", said)
    push.heard("h2", b'{"done": 7}\n')
    assert push.outcomes["h1"].to_dict() == {
        "state": "failed", "cause": "unsupported", "detail": "what it sent can't be read",
    }  # fmt: skip
    assert push.outcomes["h2"].done


def test_a_cause_that_nobody_knows(push: Any) -> None:
    push.heard("h1", json.dumps({"failed": "\x1b[2J", "detail": "x"}).encode() + b"\n")
    assert (push.outcomes["h1"].cause, push.outcomes["h1"].detail) == ("unsupported", "x")
