"""What a session does for a program: all that the command line does on one, since that uses nothing else."""

from __future__ import annotations

import os
import signal
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mpboot
from mpboot.session.run import Output
from mpboot.session.transfer import Transfer
from tests.support.kept import Kept, attached, kept
from tests.support.waiting import until


@pytest.fixture
def user() -> Iterator[Kept]:
    with kept("h[1-4]") as made:
        yield made


def test_hosts_that_are_left_out(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("what is pushed")
    with attached(user) as session:
        assert list(session.run(["true"], without="h[2-3]").exit_codes) == ["h1", "h4"]
        assert list(session.run(["true"], on="h[1-3]", without=["h1"]).exit_codes) == ["h2", "h3"]
        assert {host for host, _, _ in session.stream(["echo", "x"], without="h4")} == {"h1", "h2", "h3"}
        pushed = session.push([str(tmp_path / "file")], str(tmp_path / "copy"), without="h[2-4]")
        pulled = session.pull([str(tmp_path / "copy")], str(tmp_path / "came"), on="h[1-2]", without="h2")
    assert (list(pushed.hosts), pushed.good) == (["h1"], True)
    assert (list(pulled.hosts), pulled.good) == (["h1"], True)
    assert (tmp_path / "came" / "h1" / "copy").read_text() == "what is pushed"


def test_a_job_is_begun_and_followed(user: Kept) -> None:
    with attached(user) as session:
        with session.begin(["sh", "-c", "cat; exit 3"], on="h[1-2]", stdin=True) as job:
            job.feed(b"some input")
            job.feed(b"")
            said = {event.host: event.data for event in job.events() if isinstance(event, Output)}
        assert said == {"h1": b"some input", "h2": b"some input"}
        assert job.exit_code == 3
        with session.begin(["sleep", "600"], detach=True) as detached:
            pass
        assert [(one["job"], one["detached"]) for one in session.jobs()] == [(detached.number, True)]
        session.kill(detached.number)


def test_what_would_spoil_a_job_is_refused_and_the_job_goes_on(user: Kept) -> None:
    with attached(user) as session:
        with session.begin(["wc", "-c"], on="h1", stdin=True) as job:
            job.feed(b"some input")
            with pytest.raises(ValueError, match="input is bytes, not 'text'"):
                job.feed("text")  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="a signal is a number from 1 to 64, not 77"):
                job.signal(77)
            job.feed(memoryview(array("H", [1, 2])))  # type: ignore[arg-type]
            job.feed(b"")
            with pytest.raises(ValueError, match="its input has ended already"):
                job.feed(b"more")
            assert [event.data for event in job.events() if isinstance(event, Output)] == [b"14\n"]
        with session.begin(["cat"], on="h1") as job:
            with pytest.raises(ValueError, match="this job gets no input"):
                job.feed(b"x")
            list(job.events())
        with pytest.raises(ValueError, match="detached"):
            session.begin(["cat"], stdin=True, detach=True)
        with session.begin(["true"], on="h1") as job:
            pass
        with pytest.raises(mpboot.SessionError, match="this connection to it was closed"):
            list(job.events())
        until(lambda: session.jobs() == [])


def test_a_block_whose_session_has_ended_ends_as_it_would(user: Kept) -> None:
    def block(error: Exception | None) -> None:
        with mpboot.session("h1", name="other", rsh="local") as session:
            session.halt()
            if error is not None:
                raise error

    with attached(user):
        block(None)
        with pytest.raises(KeyError):
            block(KeyError("the block's own"))


def test_a_detached_job_says_where_it_does_not_run(user: Kept) -> None:
    os.kill(user.nodes()["h2"]["pid"], signal.SIGKILL)
    until(lambda: user.nodes()["h2"]["state"] == "lost", 10.0)
    done = user.exec("true", options=("--detach", "-w", "h[1-2]"))
    assert (done.returncode, done.stdout.strip().isdigit()) == (255, True)
    assert done.stderr == "mpboot: warning: not up, so the command does not run there: h2\n"
    assert user.exec("true", options=("--detach", "-w", "h1")).returncode == 0


def test_behind_a_barrier_nothing_runs_where_a_host_is_lost(user: Kept) -> None:
    os.kill(user.nodes()["h2"]["pid"], signal.SIGKILL)
    until(lambda: user.nodes()["h2"]["state"] == "lost", 10.0)
    with attached(user) as session:
        with pytest.raises(mpboot.SessionError, match="h2"):
            session.run(["true"], barrier=True)
        assert session.run(["true"], without="h2", barrier=True).exit_code == 0


def test_how_far_files_are(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(4 << 20))
    seen: list[int] = []
    rounds: list[Transfer] = []

    def watched(one: Transfer) -> None:
        rounds.append(one)
        one.run()

    with attached(user) as session:
        done = session.push(
            [str(tmp_path / "file")], str(tmp_path / "copy"), on="h1", watched=watched,
            progress=lambda one: seen.append(one.going().got),
        )  # fmt: skip
    assert done.good
    assert len(rounds) == 1
    assert seen == sorted(seen)
    assert 0 < seen[-1] <= 4 << 20


@pytest.mark.parametrize("wrong", ["uname -a", b"uname"])
def test_one_string_is_no_list_of_words(wrong: Any) -> None:
    session = mpboot.Session("nobody's")
    for call in (session.run, session.begin, lambda one: list(session.stream(one))):
        with pytest.raises(ValueError, match="argv must be a list of words, not one string"):
            call(wrong)
    for move in (session.push, session.pull):
        with pytest.raises(ValueError, match="sources must be a list of words, not one string"):
            move(wrong, "there")


def test_text_is_no_input() -> None:
    wrong: Any = "text"
    with pytest.raises(ValueError, match="stdin must be bytes"):
        mpboot.Session("nobody's").run(["cat"], stdin=wrong)


def test_the_sessions_there_are(user: Kept) -> None:
    user.begin("a", "--name", "other")
    with attached(user):
        assert mpboot.sessions() == ["default", "other"]
        mpboot.attach("other").halt()
        assert mpboot.sessions() == ["default"]
