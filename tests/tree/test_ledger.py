"""The ledger: every host in one place, the numbers of each, and who waits comes out as they went in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.tree import ledger
from mpboot.tree.ledger import (
    FAILED,
    LAUNCHING,
    ORPHANED,
    PAUSED,
    PENDING,
    PLACES,
    TAKEN,
    UNFINISHED,
    UP,
    URGENT,
    Ledger,
)

CHILD = 0  # the least rank: whoever is handed to it
HERE = [place for place in PLACES if place != TAKEN]


def filled(place: int, count: int = 3) -> Ledger:
    hosts = Ledger()
    for rank in range(count):
        hosts.put(rank, place)
    return hosts


@pytest.mark.parametrize("name", ["pending", "paused", "launching", "up", "failed", "orphaned", "taken", "urgent"])
def test_each_place_has_its_name_and_is_no_rank(name: str) -> None:
    place = getattr(ledger, name.upper())
    assert PLACES[place] == name
    assert place < 0


def test_the_manual_has_these_places() -> None:
    page = (Path(__file__).parents[2] / "docs/architecture.md").read_text()
    table = page.partition("## Places of a host")[2].partition("##")[0]
    told = set(re.findall(r"^\| (\w+) \|", table, re.MULTILINE)) - {"place"}
    assert told == {*PLACES.values(), "handed"} - {"taken"}


def test_unfinished_is_what_may_still_come_up_by_this_node() -> None:
    assert sorted(UNFINISHED) == sorted([PENDING, URGENT, PAUSED, LAUNCHING, ORPHANED])


def test_a_new_ledger_is_empty() -> None:
    hosts = Ledger()
    assert hosts.counts == dict.fromkeys(PLACES, 0)
    kept = (hosts.place, hosts.attempts, hosts.pending, hosts.urgent, hosts.late, hosts.own, hosts.own_launches)
    assert not any(kept)
    assert hosts.begun == 0


def test_who_is_kept_is_this_node_s_and_stays_so() -> None:
    hosts = Ledger()
    hosts.keep([3, 4])
    hosts.keep(iter([5]))
    assert hosts.own == hosts.kept == {3, 4, 5}
    hosts.wait(3)
    assert hosts.place[3] == URGENT


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from([*PLACES, CHILD, 1]))))
def test_numbers_add_up_wherever_hosts_go(moves: list[tuple[int, int]]) -> None:
    hosts = Ledger()
    where: dict[int, int] = {}
    for rank, place in moves:
        hosts.put(rank, place)
        where[rank] = place
        assert hosts.place == where
        assert hosts.counts == {each: [*where.values()].count(each) for each in PLACES}


def test_leaving_for_good_is_counted() -> None:
    hosts = filled(FAILED)
    hosts.forget(0, hosts.place.pop(0))
    assert hosts.counts[FAILED] == 2


@pytest.mark.parametrize(("place", "other"), [(PENDING, URGENT), (URGENT, PENDING)])
def test_those_that_wait_are_taken_in_their_order(place: int, other: int) -> None:
    hosts = filled(place, 5)
    hosts.put(9, other)
    assert hosts.take(2, place) == [0, 1]
    assert [hosts.place[rank] for rank in range(3)] == [TAKEN, TAKEN, place]
    assert hosts.counts[place] == 3
    assert hosts.take(0, place) == []
    assert hosts.take(9, place) == [2, 3, 4]
    assert hosts.take(9, place) == []
    assert hosts.place[9] == other


def test_without_a_place_what_is_pending_is_taken() -> None:
    hosts = filled(PENDING)
    hosts.put(9, URGENT)
    assert hosts.take(9) == [0, 1, 2]


def test_who_has_left_the_queue_is_passed_over_and_who_came_back_is_there_once() -> None:
    hosts = filled(PENDING, 4)
    hosts.put(0, UP)
    hosts.put(2, PAUSED)
    hosts.put(2, PENDING)
    assert hosts.take(9) == [1, 2, 3]
    del hosts.place[3]
    assert hosts.take(9) == []


@pytest.mark.parametrize("place", HERE)
def test_only_those_that_wait_are_taken(place: int) -> None:
    hosts = filled(place)
    assert hosts.take(9) == ([0, 1, 2] if place == PENDING else [])
    assert hosts.take(9, URGENT) == ([0, 1, 2] if place == URGENT else [])


def test_what_a_child_tried_in_vain_waits_for_this_node_alone() -> None:
    hosts = Ledger()
    hosts.own.add(1)
    hosts.wait(0)
    hosts.wait(1)
    assert (hosts.place[0], hosts.place[1]) == (PENDING, URGENT)


def test_late_launches_are_not_fresh() -> None:
    hosts = filled(LAUNCHING, 5)
    assert hosts.fresh() == 5
    hosts.late.update((1, 2))
    assert hosts.fresh() == 3


@pytest.mark.parametrize("place", [UP, FAILED, PAUSED, PENDING, CHILD])
def test_a_launch_that_has_ended_is_neither_late_nor_this_nodes_own(place: int) -> None:
    hosts = filled(LAUNCHING)
    hosts.late.update((0, 1))
    hosts.own_launches.update((0, 1))
    hosts.put(0, place)
    assert hosts.late == hosts.own_launches == {1}
    assert hosts.fresh() == 1


def test_late_is_forgotten_with_the_launch_alone() -> None:
    hosts = filled(PAUSED)
    hosts.late.add(0)
    hosts.put(0, LAUNCHING)
    assert hosts.late == {0}


def test_all_that_wait_are_taken_the_urgent_ones_last() -> None:
    hosts = filled(PENDING)
    hosts.put(1, URGENT)
    hosts.put(7, UP)
    assert hosts.take_all() == [0, 2, 1]
    assert hosts.counts[TAKEN] == 3
    assert hosts.take_all() == []


def test_the_last_that_are_pending() -> None:
    hosts = filled(PENDING, 5)
    hosts.put(4, UP)
    assert hosts.last_pending(0) == []
    assert hosts.last_pending(2) == [3, 2]
    assert (hosts.place[3], hosts.counts[PENDING]) == (PENDING, 4)
    assert hosts.last_pending(9) == [1, 0]


def test_handed_is_all_that_children_have() -> None:
    hosts = filled(PENDING, 5)
    hosts.put(0, CHILD)
    hosts.put(1, 9)
    assert hosts.handed() == 2


def test_the_head_is_no_host() -> None:
    assert ledger.HEAD == -1
