"""Ranks as text: thousands in a few characters, and no text that makes much of little."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net import ranges

MOST = 1 << 20


@given(st.lists(st.integers(0, 60) | st.integers(0, 999_999_999)))
def test_there_and_back(ranks: list[int]) -> None:
    assert ranges.unpack(ranges.pack(ranks), MOST) == sorted(set(ranks))


@pytest.mark.parametrize(
    ("ranks", "text"),
    [([], ""), ([3], "3"), ([3, 4], "3-4"), ([4, 2, 3, 3, 9, 0], "0,2-4,9"), (range(10_000), "0-9999")],
)
def test_the_text(ranks: list[int], text: str) -> None:
    assert ranges.pack(ranks) == text


@pytest.mark.parametrize(
    "text",
    ["x", "-", "1-", "-1", "1-2-3", "2-1", "1,1", "3,2", "0-3,3", "1,", ",1", "1,,2", " 1", "1 ", "+1", "1_0", "0x1",
     "1.0", "٣", "²", "1234567890", "1-1234567890", "1\n"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(no ranks|too many ranks, or in no order)$"):
        ranges.unpack(text, MOST)


@given(st.text(alphabet="0123456789-, ", max_size=30))
def test_any_text_is_a_list_in_rising_order_or_refused(text: str) -> None:
    try:
        ranks = ranges.unpack(text, 1000)
    except ValueError:
        return
    assert len(ranks) <= 1000
    assert ranks == sorted(set(ranks))


def test_at_most_so_many() -> None:
    assert ranges.unpack("0-3", 4) == [0, 1, 2, 3]
    assert ranges.unpack("", 0) == []
    for text, most in (("0-4", 4), ("0-1,3,5,7", 4), ("0", 0)):
        with pytest.raises(ValueError, match="too many"):
            ranges.unpack(text, most)


def test_more_than_that_is_never_made() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="too many"):
            ranges.unpack("0-9,20-999999999", 1000)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
