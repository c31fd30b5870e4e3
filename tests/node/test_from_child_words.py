"""What a child says for people, and what it says again and again: about hosts in its care, within limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mpboot.net import wire
from mpboot.net.commands import Note
from mpboot.net.messages import LaunchSeen, UnderWay, Up
from mpboot.net.outlet import pack_out
from mpboot.node.care import WORDS, WORDS_A_HOST
from tests.node import conftest
from tests.node.played import Rounds
from tests.node.test_from_child import Node, is_up

NOT_GIVEN = r"^it speaks for a host that it was not given$"


@pytest.fixture
def node(loop: Rounds, up: conftest.Up) -> Iterator[Node]:
    """A node that has handed 1, 2 and 3 to its child 0, and launches 4 and 5 itself."""
    made = Node(loop, up)
    yield made
    made.link.close()
    made.end.close()


def seen(rank: int, launcher: int) -> LaunchSeen:
    return LaunchSeen(rank, launcher, 1, 2.0, "connect", None, [], ["sleeping"], "")


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_a_note_is_about_the_child_or_a_host_in_its_care(node: Node, rank: int) -> None:
    note = Note(rank, "output", "cut").pack()
    node.hears(wire.NOTE, note)
    assert node.told() == [(wire.NOTE, note)]


@pytest.mark.parametrize("rank", [4, 99])
def test_a_note_about_anybody_else_is_refused(node: Node, rank: int) -> None:
    with pytest.raises(ValueError, match=NOT_GIVEN):
        node.hears(wire.NOTE, Note(rank, "output", "cut").pack())
    assert node.told() == []


@pytest.mark.parametrize(("rank", "launcher"), [(1, 0), (1, 2)])
def test_launches_under_way_are_of_hosts_in_its_care_by_nodes_there(node: Node, rank: int, launcher: int) -> None:
    said = UnderWay([seen(rank, launcher)], 0).pack()
    node.hears(wire.TOLD, said)
    assert node.told() == [(wire.TOLD, said)]


@pytest.mark.parametrize(("rank", "launcher"), [(4, 0), (99, 0), (1, 4), (1, 99)])
def test_launches_of_others_are_refused(node: Node, rank: int, launcher: int) -> None:
    with pytest.raises(ValueError, match=NOT_GIVEN):
        node.hears(wire.TOLD, UnderWay([seen(1, 0), seen(rank, launcher)], 0).pack())
    assert node.told() == []


def test_output_is_of_one_of_two_streams(node: Node) -> None:
    for stream in (0, 3):
        with pytest.raises(ValueError, match=r"^no such stream$"):
            node.hears(wire.OUT, pack_out(1, 1, stream, b"x"))
    assert node.told() == []


def test_what_is_no_news_is_passed_on_within_limits(node: Node) -> None:
    """One that says again and again that its hosts are up costs those above no more than words may."""
    node.hears(wire.UP, Up.pack_all([is_up(1)]))
    node.told()
    node.hears(wire.UP, Up.pack_all([is_up(1)]))
    assert [kind for kind, _ in node.told()] == [wire.UP]
    node.child.words = WORDS + 3 * WORDS_A_HOST
    node.hears(wire.UP, Up.pack_all([is_up(1)]))
    assert node.told() == []
    node.hears(wire.LOG, b"a line")
    assert node.told() == []
    node.hears(wire.UP, Up.pack_all([is_up(2)]))
    assert [kind for kind, _ in node.told()] == [wire.UP], "news is not words"
