"""Hosts that get files from each other: relays that are killed, that die, that are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.kept import Kept, kept
from tests.support.pushing import left_over, nameless, outcomes, spotted
from tests.support.waiting import until

FIRST = os.urandom(1 << 20)
SIZE = 400 << 20


def receiver(user: Kept, host: str, there: Path) -> int:
    """The process that receives on a host."""
    agent = psutil.Process(user.nodes()[host]["pid"])
    return until(lambda: [one.pid for one in agent.children(recursive=True) if one.pid in nameless(there)], 20.0)[0]


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Kept]:
    """Nine hosts: each but the first gets what others have."""
    spotted(tmp_path / "big", SIZE, FIRST)
    (tmp_path / "there").mkdir()
    with kept("h[1-9]") as made:
        yield made


def begun(user: Kept, tmp_path: Path) -> subprocess.Popen[bytes]:
    return user.start("push", str(tmp_path / "big"), str(tmp_path / "there"), "--json", str(tmp_path / "report"))


def whole(tmp_path: Path) -> None:
    """It is there; blocks were checked on their way."""
    there = tmp_path / "there" / "big"
    with there.open("rb") as file:
        assert file.read(len(FIRST)) == FIRST
    assert there.stat().st_size == SIZE


@pytest.mark.long
def test_a_relay_that_is_killed_is_gone_round(many: Kept, tmp_path: Path) -> None:
    push = begun(many, tmp_path)
    os.kill(receiver(many, "h1", tmp_path), signal.SIGKILL)
    assert push.wait(60) == 1
    found = outcomes(tmp_path)
    assert found.pop("h1") == {"state": "failed", "cause": "interrupted", "detail": "its process was killed"}
    assert all(one == {"state": "done"} for one in found.values())
    whole(tmp_path)
    assert left_over(tmp_path) == []


@pytest.mark.long
def test_a_relay_whose_agent_dies(many: Kept, tmp_path: Path) -> None:
    agent = many.nodes()["h2"]["pid"]
    push = begun(many, tmp_path)
    receiver(many, "h2", tmp_path)
    os.kill(agent, signal.SIGKILL)
    assert push.wait(60) == 1
    found = outcomes(tmp_path)
    assert found.pop("h2")["cause"] == "lost"
    assert all(one == {"state": "done"} for one in found.values())
    until(lambda: not left_over(tmp_path), 10.0)


@pytest.mark.long
def test_a_relay_that_is_stopped_is_gone_round_and_given_up(many: Kept, tmp_path: Path) -> None:
    push = begun(many, tmp_path)
    stopped = receiver(many, "h3", tmp_path)
    os.kill(stopped, signal.SIGSTOP)
    assert push.wait(100) == 1
    found = outcomes(tmp_path)
    assert found.pop("h3") == {"state": "failed", "cause": "lost", "detail": "it has said nothing for 20 s"}
    assert all(one == {"state": "done"} for one in found.values())
    until(lambda: not psutil.pid_exists(stopped), 10.0)
