"""How many launches a launcher begins: as many as the machine bears, and what it does when that is none."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from time import monotonic

import pytest

from mpboot.net import work
from mpboot.node import launcher as module
from mpboot.node import pace
from mpboot.workers.forker import Forked, ForkServer
from mpboot.workers.pipes import ResultsWriter, pipes
from tests.node.launching import Launching


@pytest.fixture
def node(launchers: Callable[..., Launching]) -> Launching:
    return launchers()


def test_so_many_begin_at_once_and_the_others_when_those_have_started(node: Launching) -> None:
    node.launch(*(f"hang{rank}" for rank in range(12)))
    node.loop.once()
    node.loop.until(lambda: node.launcher._launches)
    assert node.launcher._launches == 8
    node.loop.until(lambda: node.launcher._launches == 12)
    node.until_started(*(f"hang{rank}" for rank in range(12)))


def test_one_that_fails_makes_room_for_the_next(node: Launching) -> None:
    node.launch(*(f"deny{rank}" for rank in range(20)))
    node.loop.until(lambda: len(node.boss.failed) == 20)


def test_when_all_has_begun_and_more_could_the_employer_is_told(node: Launching) -> None:
    node.boss.on_keeps_up = lambda _: node.launch("hang4") if len(node.boss.more) == 1 else None
    node.launch("hang1", "hang2", "hang3")
    node.loop.until(lambda: node.launcher._launches)
    assert node.boss.more == [5]
    assert node.launcher._launches == 4  # what was ordered then began as well
    node.until_started("hang1", "hang2", "hang3", "hang4")
    node.loop.once()
    assert node.boss.more == [5]  # nobody wants any


def test_an_employer_that_wants_more_is_told_when_one_has_started(node: Launching) -> None:
    node.boss.wants = True
    node.launch("hang1")
    node.until_started("hang1")
    node.loop.until(lambda: 8 in node.boss.more)


def test_on_a_busy_machine_nothing_begins_but_one_after_another(
    node: Launching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "runnable", lambda: 10_000)
    monkeypatch.setattr(pace, "EACH", 0.05)
    begin = monotonic()
    node.launch("hang1", "hang2")
    node.loop.until(lambda: node.launcher._launches)
    assert monotonic() - begin >= 0.05
    node.loop.until(lambda: node.launcher._launches == 2)
    assert monotonic() - begin >= 0.1
    assert node.boss.more in ([], [1])


def test_where_there_are_no_descriptors_for_more_workers(node: Launching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.02)
    node.launch("hang1")
    node.until_started("hang1")
    node.boss.room = False
    node.launch("hang2", "deny3")
    node.loop.until(lambda: node.boss.told)
    assert node.boss.told == ["no room for 2", "no room for 3"]
    node.boss.room = True
    node.boss.more.clear()
    node.boss.wants = True
    node.loop.until(lambda: "room again" in node.boss.told)
    node.loop.until(lambda: node.boss.more)
    node.boss.wants = False
    assert node.launcher._launches == 1
    node.launch("deny3")
    node.loop.until(lambda: node.boss.failed)
    assert [rank for rank, _ in node.boss.failed] == [3]


class Barren(ForkServer):
    """A server that can't be asked: no descriptor is left."""

    def fork(self, kind: int, first: work.Message) -> Forked:  # noqa: ARG002
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class Spent(ForkServer):
    """A server that can fork no more: it says so in the results of what it was asked for."""

    spent = True

    def fork(self, kind: int, first: work.Message) -> Forked:
        if not self.spent:
            return super().fork(kind, first)
        (orders, ours), (results, theirs) = pipes(2)
        ResultsWriter(theirs).put(work.NoFork(0, errno.EAGAIN).plain())
        os.close(theirs)
        os.close(orders)
        return Forked(kind, self.generation, ours, results)


@pytest.mark.parametrize("server", [Barren, Spent])
def test_a_node_without_a_single_worker_gives_up_in_the_end(
    launchers: Callable[..., Launching], server: type[ForkServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(module, "STARVED", 3)
    node = launchers(server)
    node.boss.on_room_again = lambda: node.launch("hang1")
    node.launch("hang1")
    node.loop.until(lambda: node.boss.failed)
    assert node.boss.told == ["no room for 1", "room again"] * 3
    ((rank, verdict),) = node.boss.failed
    assert (rank, verdict.cause, verdict.phase) == (1, "rsh-failed", "connect")
    why = os.strerror(errno.EMFILE if server is Barren else errno.EAGAIN)
    assert verdict.detail == "no worker can be started: " + why
    assert node.launcher._launches == 0
    assert node.boss.more == ([] if server is Barren else [7])  # not since it is known that there is no room


def test_a_process_that_could_not_be_had_is_had_later(
    launchers: Callable[..., Launching], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(module, "STARVED", 3)
    monkeypatch.setattr(Spent, "spent", True)
    node = launchers(Spent)

    def again() -> None:
        if len(node.boss.told) == 4:
            Spent.spent = False
        node.launch("deny1")

    node.boss.on_room_again = again
    node.launch("deny1")
    node.loop.until(lambda: node.boss.failed)
    assert [verdict.cause for _, verdict in node.boss.failed] == ["auth"]
    Spent.spent = True
    node.boss.told.clear()
    node.boss.on_room_again = lambda: None
    node.launch("deny1", "deny2")  # an idle worker takes the first of them; the other is no failure
    node.loop.until(lambda: node.boss.told)
    assert node.boss.told[0] == "no room for 2"


def test_who_was_cancelled_needs_no_room(launchers: Callable[..., Launching]) -> None:
    node = launchers(Spent)
    node.launch("hang1")
    node.loop.until(lambda: node.launcher._launches)
    node.launcher.cancel(1)
    node.loop.until(lambda: not node.launcher._launches)
    assert (node.boss.told, node.boss.failed) == ([], [])
