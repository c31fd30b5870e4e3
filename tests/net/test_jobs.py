"""A job's messages: what was packed comes out again, and nothing that is cut or wrong is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net.commands import Exit
from mpboot.net.jobs import Run, pack_exits

WORD = st.binary(max_size=30).map(lambda word: word.decode("utf-8", "surrogateescape"))
NAME = st.text("ABCä_1", min_size=1, max_size=5)
RUNS = st.builds(Run, st.integers(1, 2**31 - 1), st.lists(WORD), st.lists(st.tuples(NAME, WORD)), st.booleans())


def values(run: Run) -> tuple[object, ...]:
    return run.job, run.argv, run.env, run.here


@given(RUNS)
def test_an_order_and_back(run: Run) -> None:
    assert values(Run.unpack(run.pack())) == values(run)


@given(RUNS, st.data())
def test_an_order_that_is_cut(run: Run, data: st.DataObject) -> None:
    body = run.pack()
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    try:
        assert len(Run.unpack(cut).env) < len(run.env)  # cut between two variables, it is one of fewer
    except ValueError:
        pass


@given(st.binary(max_size=60))
def test_what_is_no_order(body: bytes) -> None:
    try:
        run = Run.unpack(body)
    except ValueError:
        return
    assert Run.unpack(run.pack()).argv == run.argv


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, b"\0\0\0\0"), (0, b"\xff\0\0\0"), (4, b"\0\0\0\2"), (8, b"\0\0\0\3"), (8, b"\0\0\0\0"), (12, b"\0\0\0\5")],
)
def test_numbers_that_can_not_be(at: int, value: bytes) -> None:
    body = Run(1, ["true"], [("A", "b")], True).pack()
    with pytest.raises(ValueError, match=r"order that is cut|whole number|a variable without a value"):
        Run.unpack(body[:at] + value + body[at + 4 :])


EXITS = st.tuples(
    st.integers(0, 2**31 - 1), st.integers(1, 2**31 - 1), st.none() | st.integers(0, 255), st.integers(0, 64)
)


@given(st.lists(EXITS))
def test_exits_are_as_a_parent_takes_them(exits: list[tuple[int, int, int | None, int]]) -> None:
    assert [tuple(one.row()) for one in Exit.unpack_all(pack_exits(exits))] == exits
