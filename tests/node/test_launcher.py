"""Launches from the order to what comes of them: a real fork server, real workers, a shell script as rsh."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import psutil
import pytest

from mpboot.net.messages import LaunchSeen
from mpboot.node import lateness
from mpboot.node import launcher as module
from mpboot.node.launcher import LOOK, PAUSE, SAY_SOMETHING, STARVED
from tests.node.launching import Launching
from tests.node.played import Rounds


@pytest.fixture
def node(launchers: Callable[..., Launching]) -> Launching:
    return launchers()


def test_the_numbers() -> None:
    assert (STARVED, PAUSE, SAY_SOMETHING, LOOK) == (20, 0.5, 5.0, 0.7)


# -- what comes of launches ------------------------------------------------------------------------


def test_a_launch_that_fails(node: Launching) -> None:
    before = monotonic()
    node.launch("deny1", number=2)
    assert node.launcher._launches == 0
    node.loop.until(lambda: node.boss.failed)
    ((rank, verdict),) = node.boss.failed
    assert (rank, verdict.cause, verdict.phase) == (1, "auth", "handshake")
    assert verdict.stderr == "Permission denied (publickey).\n"
    assert node.boss.texts("deny1") == ["queued, attempt 2", "started", f"auth: {verdict.detail}"]
    assert node.launcher._launches == 1
    assert before < node.launcher._first < monotonic()
    times = [when for when, _, _ in node.boss.lines]
    assert before < times[0] < times[1] < times[2] < monotonic()


def test_a_launch_whose_agent_connects(node: Launching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAY_SOMETHING", 0.1)
    node.launch("mute1", "hang2")
    node.until_started("mute1", "hang2")
    begun = node.launcher.connected(1, monotonic())
    node.loop.until(lambda: "tcp" in node.boss.texts("mute1"))
    assert node.launcher._first <= begun < monotonic()
    assert node.launcher.connected(1, 7.0) == 7.0  # that was all
    waited: list[bool] = []
    node.loop.later(0.2, lambda: waited.append(True))
    node.loop.until(lambda: waited)
    assert node.boss.failed == []
    assert node.rsh_of("hang2").is_running()


def test_an_agent_that_connects_and_says_nothing(node: Launching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAY_SOMETHING", 0.05)
    node.launch("mute1")
    node.loop.until(lambda: node.boss.failed)
    ((rank, verdict),) = node.boss.failed
    assert (rank, verdict.cause, verdict.phase) == (1, "lost", "callback")
    assert verdict.detail == "the agent connected, then said nothing"
    assert node.boss.texts("mute1")[-2:] == ["tcp", "lost: the agent connected, then said nothing"]


def test_an_agent_that_speaks_after_its_rsh_has_ended(node: Launching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAY_SOMETHING", 0.2)
    node.launch("mute1")
    node.loop.until(lambda: "tcp" in node.boss.texts("mute1"))
    assert node.launcher.connected(1, monotonic()) < monotonic()
    waited: list[bool] = []
    node.loop.later(0.3, lambda: waited.append(True))
    node.loop.until(lambda: waited)
    assert node.boss.failed == []


def test_an_agent_of_an_earlier_launch(node: Launching) -> None:
    """It comes while the next attempt waits: that one never begins."""
    node.launch("hang1", number=2)
    assert node.launcher.connected(1, 7.0) == 7.0
    node.launch("deny2")
    node.loop.until(lambda: node.boss.failed)
    assert node.boss.texts("hang1") == ["queued, attempt 2"]
    assert node.launcher._launches == 1


def test_who_is_late(node: Launching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lateness, "LEAST", 0.01)
    node.launch("mute1", "hang2")
    node.until_started("mute1", "hang2")
    node.launcher.connected(1, monotonic())
    node.launch("hang3")
    node.loop.until(lambda: 2 in node.boss.late)


def test_who_is_late_by_what_others_took(node: Launching, monkeypatch: pytest.MonkeyPatch) -> None:
    """…though nobody was launched here so far."""
    monkeypatch.setattr(lateness, "LEAST", 0.01)
    node.launcher.lateness.slowest = 0.01
    node.launch("hang1")
    node.loop.until(lambda: 1 in node.boss.late)


# -- cancelled -------------------------------------------------------------------------------------


def test_a_launch_that_is_cancelled_while_it_waits(node: Launching) -> None:
    node.launch("hang1", "deny2")
    node.launcher.cancel(1)
    node.launcher.cancel(99)
    node.loop.until(lambda: node.boss.failed)
    assert [rank for rank, _ in node.boss.failed] == [2]
    assert node.boss.texts("hang1") == ["queued, attempt 1"]


def test_a_launch_that_is_cancelled_under_way(node: Launching) -> None:
    node.launch("hang1")
    node.until_started("hang1")
    rsh = node.rsh_of("hang1")
    node.launcher.cancel(1)
    node.loop.look_until(lambda: not rsh.is_running())
    node.launch("deny2")
    node.loop.until(lambda: node.boss.failed)
    assert [rank for rank, _ in node.boss.failed] == [2]


def test_what_comes_of_a_cancelled_launch_is_not_the_next_one_s(node: Launching) -> None:
    node.launch("hang1")
    node.until_started("hang1")
    node.launcher.cancel(1)
    node.launch("deny1", number=2)
    node.loop.until(lambda: node.boss.failed)
    assert [(rank, verdict.cause) for rank, verdict in node.boss.failed] == [(1, "auth")]


# -- what is under way -----------------------------------------------------------------------------


@pytest.fixture
def answers() -> list[list[LaunchSeen]]:
    return []


def test_nothing_is_under_way(node: Launching, answers: list[list[LaunchSeen]]) -> None:
    node.launcher.tell(answers.append)
    assert answers == [[]]


def test_what_is_seen_of_launches_under_way(
    node: Launching, answers: list[list[LaunchSeen]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK", 60.0)
    node.launch("hang1", number=3)
    node.until_started("hang1")
    node.launch("hang2")
    node.launcher.tell(answers.append)
    assert answers == []
    node.loop.until(lambda: answers)
    ((first, second),) = answers
    assert (first.rank, first.launcher, first.attempt, first.phase, first.tty) == (1, 5, 3, "connect", "")
    assert first.statuses == ["sleeping"]
    assert first.tcp == []
    assert first.still is not None
    assert 0 <= first.still <= first.seconds < 60
    assert (second.rank, second.attempt, second.phase, second.still, second.statuses) == (2, 1, None, None, [])
    assert second.seconds < 60


def test_what_is_not_seen_in_time_is_told_without(
    node: Launching, answers: list[list[LaunchSeen]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK", 0.02)
    monkeypatch.setattr(node.launcher.lookout, "ask", lambda _: True)
    node.launch("hang1")
    node.until_started("hang1")
    node.launcher.tell(answers.append)
    node.loop.until(lambda: answers)
    assert [(one.rank, one.phase, one.tcp, one.statuses, one.tty) for one in answers[0]] == [(1, None, [], [], "")]


def test_who_asks_again_gets_the_watcher_s_answer_too(
    node: Launching, answers: list[list[LaunchSeen]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """…in its own time, and not in what is left of the first one's."""
    monkeypatch.setattr(module, "LOOK", 0.3)
    node.launch("hang1")
    node.until_started("hang1")
    before = set(psutil.Process().children(recursive=True))
    node.launcher.tell(answers.append)
    node.loop.until(lambda: answers)
    (watcher,) = set(psutil.Process().children(recursive=True)) - before
    watcher.suspend()
    monkeypatch.setattr(module, "LOOK", 60.0)
    node.launcher.tell(answers.append)
    waited: list[bool] = []
    node.loop.later(0.4, lambda: waited.append(True))
    node.loop.until(lambda: waited)
    assert len(answers) == 1
    watcher.resume()
    node.loop.until(lambda: len(answers) == 2)
    assert answers[1][0].phase == "connect"


def test_without_psutil_the_employer_is_told(loop: Rounds, rsh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mpboot.workers import sight

    monkeypatch.setattr(sight, "_loaded", [None])
    node = Launching(loop, rsh)
    node.launch("hang1")
    node.until_started("hang1")
    node.launcher.tell(lambda _: None)
    loop.until(lambda: node.boss.blind)
    assert node.boss.blind == 1
    node.launcher.stop()


# -- its end ---------------------------------------------------------------------------------------


def test_when_it_stops_nothing_is_left(loop: Rounds, rsh: str) -> None:
    before = set(psutil.Process().children(recursive=True))
    node = Launching(loop, rsh)
    node.launch("hang1", "hang2")
    node.until_started("hang1", "hang2")
    below = set(psutil.Process().children(recursive=True)) - before
    assert len(below) == 5
    node.launch("hang3")
    node.launcher.stop()
    assert not any(process.is_running() for process in below)
    node.loop.once()
    assert node.boss.texts("hang3") == ["queued, attempt 1"]
    assert node.boss.failed == []
