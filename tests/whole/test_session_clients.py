"""Clients of a session that ask without end and read nothing, or are to end while an agent is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

import psutil
import pytest

from mpboot.session.connection import Connection, SessionLost
from mpboot.session.desk import UNREAD
from tests.support.kept import Kept, attached, kept
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

MANY = 200_000  # requests: four hosts' nodes are 1 KB


def ask_on(deaf: Connection) -> None:
    for _ in range(MANY):
        deaf.ask("nodes")


def test_a_client_that_asks_and_reads_nothing_is_let_go() -> None:
    with kept("h[1-4]") as user, attached(user) as session:
        daemon = psutil.Process(user.daemon)
        before = daemon.memory_info().rss
        with Connection(session.name) as deaf, Connection(session.name) as other:
            with pytest.raises(SessionLost):
                ask_on(deaf)
            assert daemon.memory_info().rss < before + 4 * UNREAD
            other.ask("nodes")
            assert list(other.answer()["hosts"]) == ["h1", "h2", "h3", "h4"]
        assert session.run(["true"]).exit_code == 0


def test_one_that_reads_late_has_all_that_it_asked_for() -> None:
    with kept("h[1-4]") as user, attached(user) as session, Connection(session.name) as late:
        for _ in range(5):
            for _ in range(5_000):
                late.ask("nodes")
            for _ in range(5_000):
                assert len(late.answer()["hosts"]) == 4


def sleeps(user: Kept) -> int:
    return sum(words == "sleep 311 " for words in user.family().values())


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_is_heeded_though_an_agent_is_stopped(number: signal.Signals, code: int) -> None:
    """The agent of h2 hears of it when it goes on."""
    with kept("h[1-4]") as user:
        job = user.start("exec", "--json", "-", "--", "sleep", "311")
        until(lambda: sleeps(user) == 4)
        stopped = user.nodes()["h2"]["pid"]
        os.kill(stopped, signal.SIGSTOP)
        begun = monotonic()
        job.send_signal(number)
        report, errors = job.communicate(timeout=30)
        assert monotonic() - begun < 10
        assert job.returncode == code
        assert b"mpboot: h2: no answer: whether the command has ended there is not known" in errors
        assert report.count(b'"killed"') == 3
        assert sleeps(user) == 1
        os.kill(stopped, signal.SIGCONT)
        until(lambda: not sleeps(user))
        assert user.exec("true").returncode == 0


@pytest.mark.long
@pytest.mark.parametrize(("what", "comes"), [("push", "out"), ("pull", "out/h1/in")])
def test_so_it_is_with_files(tmp_path: Path, what: str, comes: str) -> None:
    (tmp_path / "in").write_bytes(bytes(1000))
    with kept("h[1-4]") as user:
        stopped = user.nodes()["h2"]["pid"]
        os.kill(stopped, signal.SIGSTOP)
        moves = user.start(what, str(tmp_path / "in"), str(tmp_path / "out"))
        until((tmp_path / comes).exists)
        begun = monotonic()
        moves.send_signal(signal.SIGTERM)
        _, errors = moves.communicate(timeout=60)
        assert monotonic() - begun < 10
        assert moves.returncode == 143
        assert b"h2: interrupted: it was asked to end, and did not answer\n" in errors
        os.kill(stopped, signal.SIGCONT)
        assert user.exec("true").returncode == 0


HURRIED = (
    "import mpboot.session.transfer as t, mpboot.session.pull as p, mpboot.session.push as q, mpboot.cli.main as m; "
)
HURRIED += "t.SILENT = p.SILENT = q.SILENT = 1.0; t.LOOK = 0.1; m.main()"


@pytest.mark.parametrize("what", ["pull", "push"])
def test_who_was_stopped_does_not_take_its_hosts_for_silent(tmp_path: Path, what: str) -> None:
    """…as by Ctrl-Z; meanwhile it is shown by its name among the jobs."""
    with (tmp_path / "large").open("wb") as file:
        for _ in range(300):
            file.write(os.urandom(1 << 20))
    with kept("h[1-2]") as user:
        place = tmp_path / ("out/h1" if what == "pull" else "there")
        words = ["-w", "h1", str(tmp_path / "large"), str(tmp_path / ("out" if what == "pull" else "there"))]
        moves = subprocess.Popen(
            [sys.executable, "-c", HURRIED, what, *words], env=user.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        with attached(user) as session:
            until(session.jobs)
            if what == "pull":
                until(place.exists)
            moves.send_signal(signal.SIGSTOP)
            assert [one["command"] for one in session.jobs()] == [[what]]
            subprocess.run(["sleep", "3"], check=True)
        moves.send_signal(signal.SIGCONT)
        _, errors = moves.communicate(timeout=60)
        assert moves.returncode == 0, errors
        assert b"1 of 1 host done" in errors
