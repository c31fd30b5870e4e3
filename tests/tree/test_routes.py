"""Which child leads to which hosts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mpboot.tree.ledger import UP
from mpboot.tree.routes import ways

OWN = 50
PLACES = st.dictionaries(st.integers(0, 40), st.integers(-6, 40))


def test_the_ways_to_hosts() -> None:
    place = {1: UP, 2: UP, 3: 1, 4: 1, 5: UP - 1}
    assert ways([1, 3, 4, 2, 5, 6, OWN], place, OWN) == {1: [1, 3, 4], 2: [2], OWN: [OWN]}


def test_the_first_host_leads_to_others_as_well() -> None:
    place = {0: UP, 7: 0, 8: -7, OWN: 3}
    assert ways([0, 7, 8, 9, OWN], place, OWN) == {0: [0, 7], OWN: [OWN]}


@given(st.lists(st.integers(0, 45) | st.just(OWN), unique=True), PLACES)
def test_each_host_is_on_one_way_or_none(ranks: list[int], place: dict[int, int]) -> None:
    found = ways(ranks, place, OWN)
    led = [rank for some in found.values() for rank in some]
    assert sorted(led) == sorted(
        rank for rank in ranks if rank == OWN or place.get(rank) == UP or place.get(rank, -1) >= 0
    )  # fmt: skip
    for target, some in found.items():
        assert all(rank == target or place[rank] == target for rank in some)
        assert some == [rank for rank in ranks if rank in some]
