"""A job's messages: what was packed comes out again, and nothing that is cut or wrong is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net.commands import Exit
from mpboot.net.jobs import (
    Run,
    job_of,
    pack_exits,
    pack_signal,
    pack_stdin,
    unpack_signal,
    unpack_stdin,
)

WORD = st.binary(max_size=30).map(lambda word: word.decode("utf-8", "surrogateescape"))
NAME = st.text("ABCä_1", min_size=1, max_size=5)
JOBS = st.integers(1, 2**31 - 1)
LIMITS = st.integers(0, 4_000_000_000).map(lambda milliseconds: milliseconds / 1000)
RUNS = st.builds(
    Run, JOBS, st.lists(WORD, min_size=1), st.lists(st.tuples(NAME, WORD)), st.booleans(), JOBS, st.just("") | NAME,
    LIMITS, st.booleans(), st.booleans(),
)  # fmt: skip


def values(run: Run) -> tuple[object, ...]:
    return run.job, run.argv, run.env, run.here, run.oldest, run.cwd, run.limit, run.stdin, run.again


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
    [
        (0, b"\0\0\0\0"),
        (0, b"\xff\0\0\0"),
        (4, b"\0\0\0\x20"),
        (8, b"\0\0\0\0"),
        (8, b"\xff\0\0\0"),
        (16, b"\0\0\0\3"),
        (16, b"\0\0\0\0"),
        (20, b"\0\0\0\5"),
    ],
)
def test_numbers_that_can_not_be(at: int, value: bytes) -> None:
    body = Run(1, ["true"], [("A", "b")], True).pack()
    with pytest.raises(ValueError, match=r"order that is cut|whole number|a variable without a value"):
        Run.unpack(body[:at] + value + body[at + 4 :])


EXITS = st.tuples(
    st.integers(0, 2**31 - 1), JOBS, st.none() | st.integers(0, 255), st.integers(0, 64),
    st.integers(0, 10**9).map(lambda number: number / 10_000), st.integers(0, 1 << 60),
)  # fmt: skip


@given(st.lists(EXITS))
def test_exits_are_as_a_parent_takes_them(exits: list[tuple[int, int, int | None, int, float, int]]) -> None:
    assert [tuple(one.row()) for one in Exit.unpack_all(pack_exits(exits))] == exits


@given(JOBS, st.integers(1, 64), st.booleans(), st.integers(0, 1 << 60), st.binary(max_size=50))
def test_a_signal_and_a_piece_of_input_and_back(job: int, number: int, last: bool, offset: int, data: bytes) -> None:
    signal, piece = pack_signal(job, number, last), pack_stdin(job, offset, data)
    assert (job_of(signal), job_of(piece)) == (job, job)
    assert (unpack_signal(signal), unpack_stdin(piece)) == ((number, last), (offset, data))


@pytest.mark.parametrize(
    "body", [b"", b"\0\0\0\1", b"\0\0\0\1\x0f\2", b"\0\0\0\1\0\1", b"\0\0\0\1\x41\1", b"\0\0\0\1\x0f\1x"]
)
def test_what_is_no_signal(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"signal|whole number|short"):
        unpack_signal(body)


def test_what_is_about_no_job() -> None:
    for body in (b"", b"\0\0\0", bytes(12)):
        with pytest.raises(ValueError, match=r"short|whole number"):
            job_of(body)
    with pytest.raises(ValueError, match="short"):
        unpack_stdin(bytes(11))
