"""Which launches are under way: how many answers follow, then the launches, and the question for the parents below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from mpboot.net import plain, wire
from mpboot.net.hello import Hello
from mpboot.net.messages import LaunchSeen, UnderWay
from mpboot.node.launcher import Launcher
from mpboot.node.offspring import Offspring
from mpboot.node.survey import GLANCE, Survey
from tests.node.conftest import Up
from tests.node.played import Rounds, line

SEEN = LaunchSeen(8, 5, 1, 2.5, "connect", 1.0, [["SYN_SENT", "10.0.0.8:22"]], ["sleeping"], "")


class Looks:
    """Stands for the launcher, whose answer needs a watcher and takes its time: keeps what it is to be told to."""

    def __init__(self) -> None:
        self.asked: list[Callable[[list[LaunchSeen]], None]] = []
        self.closely: list[bool] = []

    def tell(self, answer: Callable[[list[LaunchSeen]], None], closely: bool) -> None:
        self.asked.append(answer)
        self.closely.append(closely)


class Child(Offspring):
    """A child, and its own end of the line."""

    __slots__ = ("end",)

    def __init__(self, loop: Rounds, rank: int, **more: Any) -> None:
        link, self.end = line(loop)
        hello = Hello(plain.dumps({"id": 1, "rank": rank, "pid": 77, "python": "3.8.1", **more}))
        super().__init__(hello, link, {})


def parts(up: Up) -> list[UnderWay]:
    return [UnderWay.unpack(body) for body in up.parent.bodies(wire.TOLD)]


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest.fixture
def survey(looks: Looks, up: Up) -> Survey:
    return Survey(cast(Launcher, looks), up.uplink.send)


def test_one_answer_at_once_and_one_when_the_watcher_has_looked(
    survey: Survey, looks: Looks, up: Up, loop: Rounds
) -> None:
    survey.tell([])
    loop.until(lambda: parts(up))
    assert parts(up) == [UnderWay([], 1)]
    looks.asked[0]([SEEN, SEEN])
    loop.until(lambda: len(parts(up)) == 2)
    assert parts(up)[1] == UnderWay([SEEN, SEEN], 0)
    assert len(looks.asked) == 1


@pytest.mark.parametrize("body", [b"", GLANCE])
def test_a_glance_is_passed_on_and_no_more_than_that(
    survey: Survey, looks: Looks, up: Up, loop: Rounds, body: bytes
) -> None:
    child = Child(loop, 1, below="4")
    survey.tell([child], body)
    loop.until(lambda: parts(up) and wire.TELL in child.end.kinds)
    assert child.end.bodies(wire.TELL) == [body]
    assert looks.closely == [body == b""]


def test_another_question_is_none(survey: Survey) -> None:
    with pytest.raises(ValueError, match="asks for what nobody knows"):
        survey.tell([], b"2")


def test_the_parents_among_the_children_are_asked_and_counted(survey: Survey, up: Up, loop: Rounds) -> None:
    children = [Child(loop, 1, below=""), Child(loop, 2), Child(loop, 3, below="4")]
    survey.tell(children)
    for child in children:
        child.link.send(wire.PING)
    loop.until(lambda: parts(up) and all(wire.PING in child.end.kinds for child in children))
    assert parts(up) == [UnderWay([], 3)]
    assert [child.end.heard for child in children] == [
        [(wire.TELL, b""), (wire.PING, b"")],
        [(wire.PING, b"")],
        [(wire.TELL, b""), (wire.PING, b"")],
    ]


def test_who_asks_again_meanwhile_gets_the_one_answer(survey: Survey, looks: Looks, up: Up, loop: Rounds) -> None:
    survey.tell([])
    survey.tell([])
    assert len(looks.asked) == 1
    looks.asked[0]([])
    survey.tell([])
    assert len(looks.asked) == 2
    loop.until(lambda: len(parts(up)) == 3)
    assert parts(up) == [UnderWay([], 1), UnderWay([], 0), UnderWay([], 1)]
