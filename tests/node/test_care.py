"""Whose word counts for which host, and how much a child may say."""

from __future__ import annotations

import pytest

from mpboot.net import plain
from mpboot.net.hello import Hello
from mpboot.node import care as module
from mpboot.node import offspring
from mpboot.node.care import DEEP, NEARER, PAUSES, STANDSTILL, TRIES, WORDS, WORDS_A_HOST, Care, Limits
from mpboot.node.offspring import Offspring
from mpboot.tree import ledger
from mpboot.tree.policy import Policy
from mpboot.tree.state import SILENT_GRACE, BootState
from tests.node.played import Rounds, line, settings


@pytest.fixture
def state() -> BootState:
    """1 has 2 and 3 in its care; 4 is a child without, 5 is launched by the node itself."""
    made = BootState(Policy("flat"))
    made.add([1, 2, 3, 4, 5])
    for rank in (1, 4):
        made.connected(rank)
    made.children.hand(1, [2, 3], made)
    return made


@pytest.fixture
def child(loop: Rounds) -> Offspring:
    link, _ = line(loop)
    return Offspring(Hello(plain.dumps({"id": 1, "rank": 1, "pid": 77, "python": ""})), link, {})


def never(*_: int) -> bool:
    return False


def always(*_: int) -> bool:
    return True


# -- whose word --------------------------------------------------------------------------------------


def test_a_child_speaks_for_what_is_in_its_care(state: BootState) -> None:
    care = Care(state, never, never)
    assert care.has(1, 2)
    assert care.has(1, 3)


@pytest.mark.parametrize(("child", "rank"), [(1, 4), (1, 5), (1, 1), (1, 77), (1, -1), (4, 2), (4, 4), (9, 2)])
def test_who_speaks_for_what_it_never_had_is_lost(state: BootState, child: int, rank: int) -> None:
    for care in (Care(state, never, never), Care(state, always, never)):
        with pytest.raises(ValueError, match=r"^it speaks for a host that it was not given$"):
            care.has(child, rank)


def test_for_what_it_has_no_more_its_word_does_not_count(state: BootState) -> None:
    """It may not know yet."""
    state.children.drop(1, 2)
    for place in (ledger.PENDING, ledger.FAILED, ledger.ORPHANED, ledger.LAUNCHING, 4):
        state.put(2, place)
        assert not Care(state, never, never).has(1, 2)
    state.place.pop(2)
    assert not Care(state, never, never).has(1, 2)


def test_a_command_runs_on_a_child_and_in_its_care(state: BootState) -> None:
    care = Care(state, lambda rank, job: rank != 3 and job == 5, never)
    assert care.runs(1, 1, 5)
    assert care.runs(1, 2, 5)
    assert care.writes(1, 2, 5)
    for rank, job in ((3, 5), (2, 4)):  # a host that only passes it on; another job
        with pytest.raises(ValueError, match="no such command runs on the host"):
            care.runs(1, rank, job)
    for rank in (4, 77):
        with pytest.raises(ValueError, match="was not given"):
            care.runs(1, rank, 5)
    with pytest.raises(ValueError, match="no such command runs"):
        Care(state, never, never).runs(1, 1, 5)


def test_a_command_writes_until_it_has_ended(state: BootState) -> None:
    care = Care(state, always, lambda rank, job: (rank, job) == (2, 5))
    assert care.writes(1, 1, 5)
    assert care.writes(1, 3, 5)
    assert care.runs(1, 2, 5)
    with pytest.raises(ValueError, match=r"^output of a command that has ended$"):
        care.writes(1, 2, 5)


def test_what_ended_under_another_parent_is_not_its_fault(state: BootState) -> None:
    state.children.drop(1, 2)
    state.put(2, 4)
    assert not Care(state, always, always).writes(1, 2, 5)


# -- how much ----------------------------------------------------------------------------------------


def test_the_numbers() -> None:
    assert (WORDS, WORDS_A_HOST, TRIES) == (1 << 16, 1 << 13, 16)
    assert (STANDSTILL, NEARER, DEEP, PAUSES) == (60.0, 15.0, 12, 11.0)


def test_a_leaf_says_only_so_much(child: Offspring) -> None:
    limits = Limits(settings(), 1)
    assert limits.words(child, 0, WORDS)
    with pytest.raises(ValueError, match=r"^it talks without end$"):
        limits.words(child, 0, 1)


def test_of_a_parent_only_so_much_is_passed_on(child: Offspring) -> None:
    """It may be those below it who talk: it is not lost for that."""
    limits = Limits(settings(), 1)
    assert limits.words(child, 3, WORDS + 3 * WORDS_A_HOST)
    assert not limits.words(child, 3, 1)
    assert limits.words(child, 4, WORDS_A_HOST - 1)  # it was given one more
    assert not limits.words(child, 4, 1)


@pytest.mark.parametrize(("retries", "wait_for", "each"), [(0, 0.0, 16), (3, 0.0, 19), (1, 60.0, 17 + 300)])
def test_so_many_launches_can_be(child: Offspring, retries: int, wait_for: float, each: int) -> None:
    limits = Limits(settings(retries=retries, wait_for=wait_for), 1)
    assert limits.launches(child, 2, each) == each
    assert limits.launches(child, 2, 5 * each) == each
    assert limits.launches(child, 2, 1) == 0
    assert limits.launches(child, 3, 1) == 1
    assert child.launches == 2 * each + 1


def test_who_has_no_hosts_launches_none(child: Offspring) -> None:
    limits = Limits(settings(), 1)
    assert limits.launches(child, 0, 0) == 0
    with pytest.raises(ValueError, match=r"^it launches nobody knows what$"):
        limits.launches(child, 0, 1)


def test_who_is_nearer_to_the_root_waits_longer() -> None:
    """So whoever stands still is given up by its own parent, and that one is not given up for it."""
    waits = [Limits(settings(timeout=10.0), level).standstill for level in (0, 1, 11, 12, 40)]
    assert waits == [260.0, 245.0, 95.0, 80.0, 80.0]
    assert waits[-1] == module.STANDSTILL + 20.0


# -- launches as news --------------------------------------------------------------------------------


@pytest.mark.parametrize(("retries", "wait_for", "most"), [(0, 0.0, 16 * 21.0), (2, 0.0, 18 * 21.0), (0, 600.0, 936.0)])
def test_launches_are_news_for_as_long_as_one_host_may_take(retries: int, wait_for: float, most: float) -> None:
    for level in (DEEP, DEEP + 1, 99):
        assert Limits(settings(timeout=10.0, retries=retries, wait_for=wait_for), level).launching == most


def test_who_has_given_up_a_child_has_time_to_launch_its_hosts() -> None:
    """Those above have heard of nothing but launches meanwhile, and hear of nothing else while these begin."""
    all_levels = [Limits(settings(timeout=10.0), level) for level in range(DEEP + 1)]
    for above, below in zip(all_levels, all_levels[1:]):
        assert above.launching > below.launching + below.standstill + SILENT_GRACE


def test_launches_put_off_the_limit_only_for_so_long(child: Offspring, monkeypatch: pytest.MonkeyPatch) -> None:
    now = begin = child.settled
    monkeypatch.setattr(offspring, "monotonic", lambda: now)
    for now in (begin + 50.0, begin + 100.0):
        child.begins(100.25)
        assert child.moved == now
    now = begin + 100.5
    child.begins(100.25)
    assert child.moved == begin + 100.0, "of its hosts themselves there was no news for too long"
    child.moves()
    now = begin + 200.0
    child.begins(100.25)
    assert child.moved == now
