"""Which launches are under way: how many answers follow, then the launches, and the question for the parents below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from mpboot.net import plain, wire
from mpboot.net.answer import Answer
from mpboot.net.messages import Hello, LaunchSeen, UnderWay
from mpboot.node.launcher import Launcher
from mpboot.node.offspring import Offspring
from mpboot.node.survey import MOST, Survey
from tests.node.conftest import Up
from tests.node.played import Rounds, line

SEEN = LaunchSeen(8, 5, 1, 2.5, "connect", 1.0, [["SYN_SENT", "10.0.0.8:22"]], ["sleeping"], "")


class Looks:
    """Stands for the launcher, whose answer needs a watcher and takes its time: keeps what it is to be told to."""

    def __init__(self) -> None:
        self.asked: list[Callable[[list[LaunchSeen]], None]] = []

    def tell(self, answer: Callable[[list[LaunchSeen]], None]) -> None:
        self.asked.append(answer)


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


def test_who_was_asked_may_answer_at_length_again(survey: Survey, loop: Rounds) -> None:
    """What a child may say is limited; an answer to each question must fit."""
    child = Child(loop, 1, below="")
    child.words = 1 << 16
    survey.tell([child])
    assert child.words == 0


def test_many_launches_go_in_several_frames(survey: Survey, looks: Looks, up: Up, loop: Rounds) -> None:
    """None longer than a parent takes; of very many only the first are told."""
    long = LaunchSeen(8, 5, 1, 2.5, "x" * 300, 1.0, [["SYN_SENT", "x" * 300]] * 8, ["s" * 300] * 16, "")
    survey.tell([])
    looks.asked[0]([long] * (MOST + 1))
    loop.until(lambda: parts(up) and parts(up)[-1].to_come == 0 and parts(up)[-1].launches)
    first, *rest = parts(up)
    assert first == UnderWay([], 1)
    assert sum(len(part.launches) for part in rest) == MOST
    assert [part.to_come for part in rest] == [1] * (len(rest) - 1) + [0]
    assert max(len(body) for body in up.parent.bodies(wire.TOLD)) < Answer.LIMIT - 100


def test_who_asks_again_meanwhile_gets_the_one_answer(survey: Survey, looks: Looks, up: Up, loop: Rounds) -> None:
    survey.tell([])
    survey.tell([])
    assert len(looks.asked) == 1
    looks.asked[0]([])
    survey.tell([])
    assert len(looks.asked) == 2
    loop.until(lambda: len(parts(up)) == 3)
    assert parts(up) == [UnderWay([], 1), UnderWay([], 0), UnderWay([], 1)]
