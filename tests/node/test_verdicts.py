"""Why launches failed: kept until it is told upward, with what belongs to it."""

from __future__ import annotations

import pytest

from mpboot.net.answer import Answer
from mpboot.net.commands import Note
from mpboot.net.messages import Failed, HostBack, HostOrder, Returned, Why
from mpboot.net.records import NAME, TOLD
from mpboot.net.work import Verdict
from mpboot.node.verdicts import Verdicts
from mpboot.tree.orders import Fail, Return

DENIED = Verdict("auth", "handshake", "denied", [("started", 1.0)], "Permission denied")
LOST = Verdict("lost", "up", "the agent was up, then gone", [], "")


@pytest.fixture
def verdicts() -> Verdicts:
    return Verdicts(5)


def test_what_is_told_of_a_host_that_failed(verdicts: Verdicts) -> None:
    verdicts.keep(1, DENIED)
    assert verdicts.failed(Fail(1, "auth"), 2) == Failed(1, "auth", "handshake", 2, 5, "denied", "Permission denied")


def test_the_latest_verdict_counts(verdicts: Verdicts) -> None:
    verdicts.keep(1, DENIED)
    verdicts.keep(1, LOST)
    assert verdicts.failed(Fail(1, "lost"), 2) == Failed(1, "lost", "up", 2, 5, "the agent was up, then gone", "")


def test_what_belongs_to_another_cause_is_left_out(verdicts: Verdicts) -> None:
    verdicts.keep(1, DENIED)
    assert verdicts.failed(Fail(1, "deadline"), 2) == Failed(1, "deadline", "", 2, 5, "", "")
    assert verdicts.failed(Fail(2, "auth"), 0) == Failed(2, "auth", "", 0, 5, "", "")


def test_hosts_that_were_tried_go_back_with_the_reason(verdicts: Verdicts) -> None:
    verdicts.keep(1, DENIED)
    told = verdicts.returned(Return([1, 2], True, False), {1: 3, 2: 4, 3: 9})
    why = Why("auth", "handshake", "denied", "Permission denied")
    assert told == [Returned([HostBack(1, 3, why), HostBack(2, 4, None)], True, False)]


def test_hosts_that_were_not_tried_go_back_without(verdicts: Verdicts) -> None:
    verdicts.keep(1, DENIED)
    assert verdicts.returned(Return([1], False, True), {1: 0}) == [Returned([HostBack(1, 0, None)], False, True)]


def test_who_gives_nothing_back_says_so(verdicts: Verdicts) -> None:
    assert verdicts.returned(Return([], False, False), {}) == [Returned([], False, False)]


def test_hosts_that_do_not_fit_into_a_frame_go_back_in_several(verdicts: Verdicts) -> None:
    ranks = list(range(20))
    for rank in ranks:
        verdicts.keep(rank, Verdict("auth", "handshake", "d" * 4000, [], "e" * 4000))
    told = verdicts.returned(Return(ranks, True, False), dict.fromkeys(ranks, 1))
    assert len(told) > 1
    assert all(len(one.pack()) < Answer.LIMIT and one.tried and not one.disabled for one in told)
    assert [host.rank for one in told for host in one.hosts] == ranks


def test_what_a_child_tried_in_vain_is_kept_here(verdicts: Verdicts) -> None:
    verdicts.take_back(HostBack(1, 1, Why("auth", "handshake", "denied", "err")))
    assert verdicts.failed(Fail(1, "auth"), 1) == Failed(1, "auth", "handshake", 1, 5, "denied", "err")
    verdicts.take_back(HostBack(1, 1, None))  # it did not say why: what was known remains
    assert verdicts.failed(Fail(1, "auth"), 1).detail == "denied"


def test_why_this_node_can_not_launch_is_told_by_the_first_host_that_shows_it(verdicts: Verdicts) -> None:
    verdicts.keep(2, DENIED)
    verdicts.keep(3, LOST)
    verdicts.keep(4, DENIED)
    hosts = {rank: HostOrder(rank, f"h{rank}", "", None, None, 1, True, "0" * 32, None, None) for rank in range(1, 5)}
    assert verdicts.why_disabled(Return([1, 2, 3, 4], True, True), hosts) == "auth: launching h2,h4: denied"
    assert verdicts.why_disabled(Return([3, 2], True, True), hosts) == "lost: launching h3: the agent was up, then gone"
    assert verdicts.why_disabled(Return([1], False, True), hosts) == ""


def test_why_this_node_can_not_launch_is_never_more_than_may_be_told(verdicts: Verdicts) -> None:
    """Else its parent would take it for nonsense, and the node for lost."""
    for rank in range(9):
        verdicts.keep(rank, Verdict("auth", "handshake", "d" * TOLD, [], ""))
    hosts = {rank: HostOrder(rank, "h" * NAME, "", None, None, 1, True, "0" * 32, None, None) for rank in range(9)}
    Note.unpack(Note(5, "leaf", verdicts.why_disabled(Return([0], True, True), hosts)).pack())
