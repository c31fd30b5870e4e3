"""Pauses before retries: twice as long each time, up to a bound, and no two hosts' alike."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.tree.retries import LONGEST, pause_before

ranks = st.integers(0, 1_000_000)


@given(ranks, st.integers(0, 40))
def test_within_half_and_one_and_a_half_of_what_the_manual_says(rank: int, attempts: int) -> None:
    usual = [0.5, 0.5, 1.0, 2.0, 4.0][min(attempts, 4)]  # of a host that has been launched so often
    assert 0.5 * usual <= pause_before(rank, attempts) < 1.5 * usual
    assert pause_before(rank, attempts) == pause_before(rank, attempts)


@pytest.mark.parametrize("attempts", [1, 2, 3, 9])
def test_a_thousand_retries_spread_out(attempts: int) -> None:
    pauses = sorted(pause_before(rank, attempts) for rank in range(1000))
    span = pauses[-1] - pauses[0]
    assert span > 0.95 * pauses[500]
    tenths = Counter(int(10 * (pause - pauses[0]) / (span * 1.001)) for pause in pauses)
    assert min(tenths[tenth] for tenth in range(10)) > 60


def test_a_hosts_retries_are_not_all_at_the_same_place_of_their_span() -> None:
    assert len({pause_before(7, attempts) for attempts in range(4, 40)}) > 30


@pytest.mark.parametrize("attempts", [5, 2000, 1 << 20, (1 << 31) - 1])
def test_however_often_it_was_launched(attempts: int) -> None:
    assert LONGEST / 2 <= pause_before(0, attempts) <= LONGEST * 1.5
