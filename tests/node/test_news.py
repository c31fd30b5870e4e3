"""News for the parent: merged round by round, the latest word on each host kept for a new parent."""

from __future__ import annotations

import json

import pytest

from mpboot.net import messages, wire
from mpboot.node.news import News
from tests.node.conftest import Up
from tests.node.played import Rounds


def up_record(rank: int, pid: int = 7) -> messages.Up:
    return messages.Up(rank, 5, 2, 0.1, 0.5, pid, 1, "3.8.1")


def failed(rank: int, cause: str = "auth") -> messages.Failed:
    return messages.Failed(rank, cause, "handshake", 1, 5, "denied", "")


@pytest.fixture
def news(loop: Rounds, up: Up) -> News:
    return News(loop, up.uplink)


def heard(loop: Rounds, up: Up) -> list[tuple[int, object]]:
    """What the parent has heard since it was asked last."""
    up.uplink.log("all")
    loop.until(lambda: (wire.LOG, b"all") in up.parent.heard)
    said = [(kind, json.loads(body)) for kind, body in up.parent.heard if kind != wire.LOG]
    up.parent.heard.clear()
    return said


def test_what_comes_in_one_round_goes_in_one_frame_of_each_kind(loop: Rounds, up: Up, news: News) -> None:
    news.count(launched=2)
    news.failed(failed(3))
    news.up(up_record(1))
    news.count(strangers=1)
    news.up(up_record(2))
    news.failed(failed(4))
    news.count(launched=3)
    assert heard(loop, up) == [
        (wire.UP, [up_record(1).row(), up_record(2).row()]),
        (wire.FAILED, [failed(3).row(), failed(4).row()]),
        (wire.LAUNCHED, [5, 1]),
    ]


def test_nothing_is_told_twice_nor_where_there_is_nothing(loop: Rounds, up: Up, news: News) -> None:
    news.up(up_record(1))
    news.failed(failed(2))
    news.count(1, 1)
    assert len(heard(loop, up)) == 3
    news.send()
    news.count()
    assert heard(loop, up) == []
    news.count(launched=1)
    assert heard(loop, up) == [(wire.LAUNCHED, [1, 0])]
    news.count(strangers=2)
    assert heard(loop, up) == [(wire.LAUNCHED, [0, 2])]


def test_what_must_go_now_goes_now(up: Up, news: News, loop: Rounds) -> None:
    """DONE is not to overtake the news that it counts."""
    news.failed(failed(2))
    news.send()
    up.uplink.done(1)
    assert heard(loop, up) == [(wire.FAILED, [failed(2).row()]), (wire.DONE, 1)]


def test_the_next_round_has_a_frame_of_its_own(loop: Rounds, up: Up, news: News) -> None:
    for rank in (1, 2):
        news.up(up_record(rank))
        assert heard(loop, up) == [(wire.UP, [up_record(rank).row()])]


def test_a_new_parent_is_told_the_latest_word_on_each(loop: Rounds, up: Up, news: News) -> None:
    news.up(up_record(1, pid=10))
    news.failed(failed(2))
    news.up(up_record(3))
    heard(loop, up)
    news.up(up_record(1, pid=11))
    news.up(up_record(2, pid=12))  # a later attempt
    news.failed(failed(3, "lost"))
    heard(loop, up)
    news.again()
    assert heard(loop, up) == [
        (wire.UP, [up_record(1, 11).row(), up_record(2, 12).row()]),
        (wire.FAILED, [failed(3, "lost").row()]),
    ]


def test_what_was_not_told_yet_is_told_a_new_parent_once(loop: Rounds, up: Up, news: News) -> None:
    news.up(up_record(1))
    news.failed(failed(2))
    news.again()
    assert heard(loop, up) == [(wire.UP, [up_record(1).row()]), (wire.FAILED, [failed(2).row()])]


def test_what_was_told_of_a_failure(news: News) -> None:
    news.failed(failed(2))
    news.failed(failed(2, "lost"))
    assert news.failure(2) == failed(2, "lost")


def test_of_a_host_that_was_given_back_a_new_parent_hears_nothing(loop: Rounds, up: Up, news: News) -> None:
    news.up(up_record(1))
    news.up(up_record(2))
    news.failed(failed(3))
    news.part_with([1, 3, 7])
    assert len(heard(loop, up)) == 2
    news.again()
    assert heard(loop, up) == [(wire.UP, [up_record(2).row()])]


def test_of_hosts_that_are_in_its_care_no_more_a_new_parent_hears_nothing(loop: Rounds, up: Up, news: News) -> None:
    """…nor of one below a host that is not, though it will be told of anew."""
    news.up(up_record(1))
    news.up(up_record(2))
    news.up(messages.Up(4, 2, 3, 0.1, 0.5, 7, 1, "3.8.1"))
    news.failed(failed(3))
    news.failed(failed(6))
    assert news.parents() == {5, 2}
    heard(loop, up)
    assert news.keep(5, [1, 4, 6]) == [1, 4, 6]
    news.again()
    assert heard(loop, up) == [(wire.UP, [up_record(1).row()]), (wire.FAILED, [failed(6).row()])]
