"""Help: whether children that were given hosts make the whole faster, by what has begun and how long it took."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.tree.children import Child
from mpboot.tree.help import CHILD_PART, FEW, FIRST, OWN_PART, SURE, Help
from mpboot.tree.orders import Order, Reclaim, Share
from mpboot.tree.policy import ADAPTIVE, START, Policy
from mpboot.tree.state import BootState

PACE = 0.01


def measured(width: int = 0) -> Policy:
    """An adaptive node that knows its pace, and the time."""
    policy = Policy(ADAPTIVE, width)
    policy.pace = policy.measured = PACE
    policy.now = 100.0
    return policy


def helpers(count: int, begun: int, given: int = 40) -> list[Child]:
    """Children that got hosts at 100 s."""
    made = [Child() for _ in range(count)]
    for child in made:
        child.since, child.begun = 100.0, begun
        child.ever.update(range(given))
    return made


def begun(policy: Policy) -> Help:
    """The first child has got hosts, after 30 launches of this node."""
    ours = Help(policy)
    assert ours.begins(30) == policy.now
    return ours


def test_the_numbers() -> None:
    assert (FEW, FIRST, SURE) == (4, START, 16)
    assert (OWN_PART, CHILD_PART) == (0.5, 0.1)


def test_a_few_get_hosts_before_anything_is_known() -> None:
    ours = begun(measured())
    assert [ours.more(helpers(count, 0), 30) for count in (0, 3, 4)] == [True, True, False]


@pytest.mark.parametrize("now", [0.0, 100.0])
def test_before_it_knows_its_pace_or_the_time_nothing_is_concluded(now: float) -> None:
    policy = Policy(ADAPTIVE)
    ours = Help(policy)
    assert ours.begins(30) == 0.0
    policy.now = now
    if not now:
        policy.measured = PACE
    assert ours.begins(30) == now
    policy.now += 100.0
    assert ours.more(helpers(40, 0), 30)
    assert not ours.in_vain(helpers(40, 0), 30)


def test_one_more_for_each_launch_that_has_begun_since() -> None:
    policy = measured()
    ours = begun(policy)
    policy.now += 0.02
    assert ours.more(helpers(5, 0), 32)
    assert not ours.more(helpers(6, 0), 32)
    assert ours.more(helpers(6, 0), 33)


def test_where_this_node_keeps_its_pace_children_help() -> None:
    policy = measured()
    ours = begun(policy)
    policy.now += 0.3
    assert ours.more(helpers(6, FIRST), 60)  # 30 are at least 15 of its own, and 2.2 of each child
    assert not ours.more(helpers(7, FIRST), 60)
    assert not ours.in_vain(helpers(6, FIRST), 60)


def test_where_it_falls_far_behind_they_do_not() -> None:
    policy = measured()
    ours = begun(policy)
    policy.now += 0.3
    assert not ours.more(helpers(4, FIRST), 40)
    assert ours.in_vain(helpers(4, FIRST), 40)
    assert ours.more(helpers(4, FIRST + 4), 40), "what begins below counts as well"
    assert not ours.in_vain(helpers(4, FIRST + 4), 40)


def test_a_child_need_not_begin_more_than_it_was_given() -> None:
    policy = measured()
    ours = begun(policy)
    policy.now += 0.3
    assert ours.more(helpers(10, FIRST), 45) is False
    assert ours.more(helpers(10, FIRST, given=FIRST), 45) is True


def test_nothing_is_sure_at_once() -> None:
    policy = measured()
    ours = begun(policy)
    policy.now += 0.15
    assert not ours.in_vain(helpers(4, 0), 30)
    policy.now += 0.02
    assert ours.in_vain(helpers(4, 0), 30)
    assert not ours.in_vain(helpers(3, 0), 30)


@pytest.mark.parametrize("missing", ["now", "measured", "width"])
def test_where_it_can_not_be_told_all_help_is_believed_in(missing: str) -> None:
    policy = measured(width=5 if missing == "width" else 0)
    if missing != "width":
        setattr(policy, missing, 0.0)
    ours = Help(policy)
    ours.begins(30)
    policy.now = 500.0
    assert ours.more(helpers(50, 0), 30)
    assert not ours.in_vain(helpers(50, 0), 30)


@given(
    st.integers(0, 60), st.integers(0, 500), st.floats(0.0, 5.0), st.floats(0.5, 1.0), st.floats(0.1, 1.0),
    st.floats(0.0, 0.05),
)  # fmt: skip
def test_on_machines_of_their_own_children_are_never_in_vain(
    count: int, given_hosts: int, passed: float, own: float, part: float, startup: float
) -> None:
    """The node keeps half of its pace at least, and each child has a tenth of it once it has begun its first."""
    policy = measured()
    ours = begun(policy)
    policy.now += passed
    each = min(given_hosts, FIRST + int(max(0.0, passed - startup) / PACE * part + 1)) if passed > startup else 0
    children = helpers(count, each, given_hosts)
    own_begun = 30 + int(passed / PACE * own) + 1
    slack = int(count * CHILD_PART * (startup / PACE)) + 1  # what a start as a parent delays
    assert not ours.in_vain(children, own_begun + slack)


# -- what follows ------------------------------------------------------------------------------------


def booting(hosts: int = 400) -> BootState:
    policy = measured()
    boot = BootState(policy)
    boot.add(range(hosts))
    boot.widen(20)
    return boot


def comes_up(boot: BootState, rank: int) -> list[Order]:
    """A launch has ended, with an agent."""
    boot.narrow(boot.policy.now)
    return boot.connected(rank)


def given_to(orders: list[Order]) -> list[int]:
    return [len(order.ranks) for order in orders if isinstance(order, Share)]


def test_who_comes_up_after_a_few_becomes_a_leaf_until_more_is_known() -> None:
    boot = booting()
    shares = [given_to(comes_up(boot, rank))[0] for rank in range(6)]
    assert all(shares[:FEW])
    assert shares[FEW:] == [0, 0]
    boot.policy.now += 0.1
    boot.widen(40)  # 26 launches since: it keeps its pace
    assert given_to(comes_up(boot, 6)) != [0]


def test_a_leaf_gets_hosts_later_if_help_helps() -> None:
    boot = booting()
    for rank in range(6):
        comes_up(boot, rank)
    boot.policy.now += 0.1
    boot.widen(40)
    assert given_to(boot.child_done(5, 1))[0] > 0


def test_where_help_is_in_vain_the_rest_is_taken_back() -> None:
    boot = booting()
    for rank in range(FEW):
        comes_up(boot, rank)
        boot.child_launched(rank, 8)
    boot.policy.now += 1.0
    orders = boot.child_launched(0, 0) or boot.widen(0)
    asked = {order.child: order.count for order in orders if isinstance(order, Reclaim)}
    assert set(asked) == set(range(FEW))
    assert all(count == boot.children[child].waiting() for child, count in asked.items())
    assert not [order for order in boot.widen(0) if isinstance(order, Reclaim)], "each is asked once"


def test_who_has_hardly_room_itself_asks_for_any_help() -> None:
    boot = booting()
    for rank in range(FEW):
        comes_up(boot, rank)
    assert given_to(comes_up(boot, FEW)) == [0]
    boot.policy.bearable = boot.fresh()
    assert given_to(comes_up(boot, FEW + 1)) != [0]
    boot.policy.bearable, boot.policy.fanout = 0, len(boot.children) + boot.fresh()
    assert given_to(comes_up(boot, FEW + 2)) != [0]
