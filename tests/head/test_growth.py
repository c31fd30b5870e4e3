"""Hosts that come to a tree, those that are to leave it, and those of the latter that do not hear of it."""

from __future__ import annotations

import pytest

from mpboot.head.growth import Growth
from mpboot.head.options import Options
from mpboot.head.report import BootReport, HostReport
from mpboot.hosts.host import Host, HostError
from mpboot.net import wire
from mpboot.net.messages import Share
from mpboot.node.dispatch import unpack_to


class Grown:
    """A tree of three hosts, and what its root was sent."""

    def __init__(self) -> None:
        self.labels = ["a", "b", "c"]
        self.hosts = [Host(label) for label in self.labels]
        self.report = BootReport("adaptive", 0, hosts={label: HostReport(state="up") for label in self.labels})
        self.sent: list[tuple[int, bytes]] = []
        self.growth = Growth(
            self.hosts, self.labels, self.report, Options(), 0.0, lambda kind, body: self.sent.append((kind, body))
        )

    def state(self, label: str, state: str) -> None:
        self.report.hosts[label].state = state

    def left(self) -> list[list[int]]:
        """The ranks that each message tells to leave."""
        told = [(kind, unpack_to(body)) for kind, body in self.sent]
        assert all(kind == wire.TO and (inner, body) == (wire.LEAVE, b"") for kind, (_, inner, body) in told)
        return [ranks for _, (ranks, _, _) in told]


@pytest.fixture
def tree() -> Grown:
    return Grown()


def test_a_new_host_has_the_next_rank_and_is_booted(tree: Grown) -> None:
    assert tree.growth.add([Host("d", "joe"), Host("e")]) == [3, 4]
    assert tree.labels == ["a", "b", "c", "d", "e"]
    assert [host.name for host in tree.hosts] == tree.labels
    assert [tree.report.hosts[label].state for label in ("d", "e")] == ["pending", "pending"]
    ((kind, body),) = tree.sent
    assert kind == wire.SHARE
    assert [(host.rank, host.name, host.user) for host, _ in Share.unpack(body).each()] == [
        (3, "d", "joe"),
        (4, "e", None),
    ]


@pytest.mark.parametrize("state", ["failed", "lost"])
def test_one_that_is_not_up_is_booted_again_under_its_rank(tree: Grown, state: str) -> None:
    tree.state("b", state)
    again = Host("b", port=2222)
    assert tree.growth.add([again]) == [1]
    assert tree.labels == ["a", "b", "c"]
    assert tree.hosts[1] is again
    assert tree.report.hosts["b"].state == "pending"


@pytest.mark.parametrize("state", ["up", "pending"])
def test_one_that_is_there_or_on_its_way_is_left_as_it_is(tree: Grown, state: str) -> None:
    tree.state("b", state)
    before = tree.report.hosts["b"]
    assert tree.growth.add([Host("d"), Host("b", port=2222)]) == [3]
    assert (tree.labels, len(tree.sent), tree.hosts[1].port) == (["a", "b", "c", "d"], 1, None)
    assert tree.report.hosts["b"] is before
    assert tree.growth.add([Host("b")]) == []
    assert len(tree.sent) == 1


def test_one_that_is_named_twice_is_refused(tree: Grown) -> None:
    with pytest.raises(HostError, match=r"^d is named twice$"):
        tree.growth.add([Host("d"), Host("e"), Host("d")])
    assert (tree.labels, tree.sent) == (["a", "b", "c"], [])


def test_no_hosts_are_no_share(tree: Grown) -> None:
    assert tree.growth.add([]) == []
    assert tree.sent == []


def test_it_is_under_way_until_the_root_has_finished_each_share(tree: Grown) -> None:
    seen = [tree.growth.under_way]  # of the boot's own share
    tree.growth.finished(b"1")
    seen.append(tree.growth.under_way)
    tree.growth.add([Host("d")])
    tree.growth.add([Host("e")])
    for said in (b"2", b"3", b"2"):  # the last one late
        tree.growth.finished(said)
        seen.append(tree.growth.under_way)
    assert seen == [True, False, True, False, False]
    with pytest.raises(ValueError, match=r"."):
        tree.growth.finished(b"x")


def test_who_is_to_leave_is_told_if_it_is_up(tree: Grown) -> None:
    tree.state("c", "failed")
    tree.growth.part_with(["a", "c"])
    assert (tree.left(), tree.growth.left) == ([[0]], {"a", "c"})
    tree.growth.part_with(["c"])
    assert tree.left() == [[0]], "nobody is there to be told"


def test_who_was_to_leave_and_turns_up_below_another_parent_is_told_again(tree: Grown) -> None:
    tree.growth.moved(1)
    assert tree.sent == []
    tree.growth.part_with(["b"])
    tree.growth.moved(0)
    tree.growth.moved(1)
    assert tree.left() == [[1], [1]]


def test_who_comes_again_is_to_leave_no_more(tree: Grown) -> None:
    tree.growth.part_with(["b"])
    tree.state("b", "lost")
    tree.growth.add([Host("b")])
    assert tree.growth.left == set()
    tree.sent.clear()
    tree.growth.moved(1)
    assert tree.sent == []
