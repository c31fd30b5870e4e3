"""The virtual clock: the order of what is foreseen, and what time it is then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mpboot.plan.clock import Clock


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 7.25])))
def test_things_happen_in_time_and_of_one_time_as_foreseen(times: list[float]) -> None:
    clock, happened = Clock(), []
    for number, when in enumerate(times):
        clock.at(when, lambda one, other: happened.append((clock.now, one, other)), number, when)
    clock.run()
    assert happened == sorted((when, number, when) for number, when in enumerate(times))


def test_what_happens_may_lead_to_more() -> None:
    clock, happened = Clock(), []

    def tick(left: int) -> None:
        happened.append(clock.now)
        if left:
            clock.after(0.25, tick, left - 1)

    clock.after(2.0, tick, 3)
    assert clock.now == 0.0
    clock.run()
    assert happened == [2.0, 2.25, 2.5, 2.75]
    assert clock.now == 2.75
    clock.run()
    assert len(happened) == 4
