"""When a host is given up that moves files, and when nobody waits any more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mpboot.session import transfer
from mpboot.session.push import Push
from mpboot.session.transfer import ENDS, GIVEN_UP, HEEDED, LOOK, SILENT, Outcome


class Clock:
    now = 1000.0


@pytest.fixture
def push(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A push to two hosts, of which the clock is ours."""
    monkeypatch.setattr(transfer, "monotonic", lambda: Clock.now)
    Clock.now = 1000.0
    made: Any = Push.__new__(Push)
    made.stops, made.signals = [], []
    made.loop = SimpleNamespace(later=lambda *_: None, stop=lambda: made.stops.append(Clock.now))
    made.job = SimpleNamespace(hosts=["h1", "h2"], signal=made.signals.append)
    made.outcomes, made._heard_at, made._known, made.signal = {}, {}, 0.0, 0
    made.begun = made._sent_at = made._moved = made._looked = Clock.now
    made._server, made._ordered, made._ends = object(), True, True
    return made


def test_who_says_nothing_is_given_up(push: Any) -> None:
    push._heard_at["h2"] = Clock.now = 1000.0 + SILENT + 1
    push._looked = Clock.now - LOOK
    push._look()
    assert list(push.outcomes) == ["h1"]
    assert push.outcomes["h1"].cause == "lost"


def test_who_was_stopped_itself_gives_nobody_up_for_that(push: Any) -> None:
    """…nor who waited for its own disk; what is silent later is so from then on."""
    push._heard_at["h2"] = 1000.0
    Clock.now += 10 * SILENT
    push._look()
    assert push.outcomes == {}
    for _ in range(int(SILENT / LOOK) - 1):
        Clock.now += LOOK
        push._look()
    assert push.outcomes == {}
    Clock.now += 2 * LOOK
    push._look()
    assert list(push.outcomes) == ["h1", "h2"]


def test_nobody_can_answer_before_he_was_told_all(push: Any) -> None:
    """What is said of many files takes its time on a slow line."""
    push._sent_at = Clock.now = 1000.0 + SILENT + 1
    push._look()
    assert push.outcomes == {}


def test_nobody_waits_for_ever_for_an_end(push: Any) -> None:
    """An agent that lies, or hangs, never says that all has ended."""
    push.outcomes.update(h1=Outcome(done=True), h2=Outcome(cause="hash"))
    push._look()
    assert (push.signals, push.stops) == ([], [])
    Clock.now += ENDS + 1
    push._look()
    assert (push.signals, push.stops) == ([15], [])
    Clock.now += GIVEN_UP
    push._look()
    assert push.stops == [Clock.now]


def test_who_does_not_answer_that_it_is_to_end_is_not_waited_for(push: Any) -> None:
    push.interrupt(15)
    Clock.now += HEEDED
    push._look()
    assert push.stops == []
    Clock.now += 1
    push._look()
    assert push.stops == [Clock.now]
    assert {host: one.cause for host, one in push.outcomes.items()} == {"h1": "interrupted", "h2": "interrupted"}
