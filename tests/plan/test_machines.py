"""Machines that are thought up: which are slow or dead, how long each takes, and how soon all could be up at best."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mpboot.plan.machines import Machines, bound

# -- the bound -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hosts", "seconds"), [(1, 0.362), (147, 0.88), (1000, 1.18), (10000, 1.494), (100000, 1.83)])
def test_bound(hosts: int, seconds: float) -> None:
    assert bound(hosts, 0.012, 0.35) == pytest.approx(seconds, abs=0.003)


@pytest.mark.parametrize(
    ("hosts", "seconds"),
    # Who is up ends a launch every second, and two seconds later there is one more: the head ends launches at 1, 2, 3,
    # 4 …; who is up at 3 ends them at 4, 5 …; who is up at 4 at 5 …
    [(0, 3), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (6, 7), (7, 7), (8, 7), (9, 8)],
)
def test_bound_by_hand(hosts: int, seconds: int) -> None:
    assert bound(hosts, 1, 2) == seconds


@given(hosts=st.integers(1, 60), cost=st.integers(1, 5), latency=st.integers(0, 20))
def test_bound_is_when_as_many_are_up_if_all_do_what_they_can(hosts: int, cost: int, latency: int) -> None:
    ups, now = [0], 0  # when each was up, the head first; all in whole seconds
    while len(ups) <= hosts:
        now += 1
        ups += [now] * sum((now - latency - up) % cost == 0 and now - latency > up for up in list(ups))
    assert bound(hosts, cost, latency) == sorted(ups)[hosts]


# -- what machines there are -----------------------------------------------------------------------


def test_what_is_not_said() -> None:
    machines = Machines(7)
    assert (machines.hosts, machines.cost, machines.typical_latency()) == (7, 0.012, 0.35)
    assert (machines.startup, machines.lead, machines.delay) == (0.015, 0.0, 0.001)
    assert (machines.slowness, machines.timeout, machines.retries) == (10.0, 30.0, 1)
    assert (machines.slow, machines.dead, machines.good) == (frozenset(), frozenset(), 7)
    assert [machines.latency(rank) for rank in range(7)] == [0.35] * 7
    assert Machines(99, dead=0.5).dead == Machines(99, dead=0.5, seed=1).dead


def test_what_is_said() -> None:
    machines = Machines(8, 2, 3, startup=4, lead=5, delay=6, slowness=7, timeout=8, retries=9)
    assert (machines.hosts, machines.cost, machines.typical_latency(), machines.startup) == (8, 2, 3, 4)
    assert (machines.lead, machines.delay, machines.slowness, machines.timeout, machines.retries) == (5, 6, 7, 8, 9)
    assert (machines.slow, machines.dead, machines.good) == (frozenset(), frozenset(), 8)


@example(hosts=3, slow=50, dead=50, seed=1)  # two and two, rounded
@given(hosts=st.integers(1, 200), slow=st.integers(0, 50), dead=st.integers(0, 50), seed=st.integers(0, 9))
def test_so_many_are_slow_and_so_many_dead(hosts: int, slow: int, dead: int, seed: int) -> None:
    machines = Machines(hosts, slow=slow / 100, dead=dead / 100, seed=seed)
    assert len(machines.dead) == round(hosts * (dead / 100))
    assert len(machines.slow) == min(round(hosts * (slow / 100)), hosts - len(machines.dead))
    assert machines.good == hosts - len(machines.slow | machines.dead)
    assert not machines.slow & machines.dead
    assert machines.slow | machines.dead <= set(range(hosts))


def test_the_seed_says_which() -> None:
    kinds = [(one.slow, one.dead) for one in (Machines(50, slow=0.2, dead=0.2, seed=seed) for seed in (1, 1, 2))]
    assert kinds[0] == kinds[1] != kinds[2]


# -- latencies -------------------------------------------------------------------------------------


def test_a_slow_host_takes_a_multiple() -> None:
    machines = Machines(10, latency=0.5, slow=0.3, dead=0.1, slowness=4.0)
    assert [rank for rank in range(10) if machines.latency(rank) == 2.0] == sorted(machines.slow)
    assert {machines.latency(rank) for rank in range(10)} == {0.5, 2.0}
    assert machines.typical_latency() == 0.5


def test_latencies_are_drawn_from_samples() -> None:
    machines = Machines(500, 0.001, [0.9, 0.1, 0.4])
    assert {machines.latency(rank) for rank in range(500)} == {0.1, 0.4, 0.9}
    assert machines.typical_latency() == 0.4
    assert Machines(1, 1, [4.0, 1.0, 3.0, 2.0]).typical_latency() == 3.0


def test_latencies_are_drawn_by_a_function() -> None:
    drawn: list[float] = []

    def draw(dice: random.Random) -> float:
        drawn.append(dice.random())
        return drawn[-1]

    machines, same = Machines(3, 1, draw, seed=5), random.Random(5)
    same.sample(range(3), 0)
    assert [machines.latency(rank) for rank in range(3)] == [same.random() for _ in range(3)]
    drawn.clear()
    assert machines.typical_latency() == sorted(drawn)[499]
    known = random.Random(0)
    assert drawn == [known.random() for _ in range(999)]


# -- what can't be ---------------------------------------------------------------------------------

NONE = "there must be hosts, and no time may be negative"
TOO_MANY = "the slow and the dead hosts together can't be more than all"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hosts": 0}, NONE),
        ({"cost": 0.0}, NONE),
        ({"cost": float("nan")}, NONE),
        ({"startup": -0.01}, NONE),
        ({"lead": -0.01}, NONE),
        ({"delay": -0.01}, NONE),
        ({"timeout": 0.0}, NONE),
        ({"retries": -1}, NONE),
        ({"dead": 0.6, "slow": 0.5}, TOO_MANY),
        ({"slow": -0.1, "dead": 0.5}, TOO_MANY),
        ({"dead": -0.1, "slow": 0.5}, TOO_MANY),
        ({"latency": -0.01}, "the latency can't be negative"),
    ],
)
def test_what_can_not_be(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Machines(**{"hosts": 3, **wrong})  # type: ignore[arg-type]


def test_what_can_just_be() -> None:
    machines = Machines(1, 1e-9, 0.0, startup=0.0, lead=0.0, delay=0.0, slow=0.0, dead=0.0, timeout=1e-9, retries=0)
    assert (machines.good, machines.latency(0)) == (1, 0.0)
    none = Machines(4, 0.5, startup=0.5, lead=0.5, delay=0.5, slow=0.5, dead=0.5)
    assert (none.good, len(none.slow), len(none.dead)) == (0, 2, 2)
