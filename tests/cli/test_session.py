"""The commands about sessions: what they write for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mpboot.cli.exec import _tell_ends
from mpboot.session.registry import ENDED
from mpboot.session.run import HostEnd
from tests.support.run_mpboot import LOCAL, mpboot


class User:
    """Somebody who keeps sessions in a directory of their own."""

    def __init__(self, runtime: Path) -> None:
        self.runtime = runtime

    def told(self, *words: str) -> Any:
        """The JSON that a command writes."""
        run = self.types(*words, "--json", "-")
        return json.loads(run.stdout)

    def types(self, *words: str) -> Any:
        return mpboot(*words, XDG_RUNTIME_DIR=str(self.runtime))


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    made = User(tmp_path)
    assert made.types("-w", "a,b", *LOCAL, "--keep", "--quiet").returncode == 0
    yield made
    assert made.types("halt").returncode == 0


@pytest.mark.long
def test_sessions_and_jobs_as_json(user: User) -> None:
    job = int(user.types("exec", "--detach", "--", "sleep", "60").stdout)
    about = user.told("sessions")["sessions"]["default"]
    assert (about["up"], about["lost"], about["failed"], about["jobs"]) == (2, 0, 0, 1)
    told = user.told("jobs")
    assert told["session"] == "default"
    assert [(one["job"], one["command"], one["hosts"], one["detached"]) for one in told["jobs"]] == [
        (job, ["sleep", "60"], 2, True)
    ]
    assert list(user.told("nodes")["hosts"]) == ["a", "b"]
    for command in ("sessions", "jobs", "nodes"):
        assert user.types(command, "--json", "/dev/full").returncode == 74
        assert user.types(command, "--json", "/nonexistent/x").returncode == 2


@pytest.mark.long
def test_hosts_that_come_as_json(user: User) -> None:
    told = user.told("grow", "-w", "c,d", "-x", "d")
    assert (told["session"], list(told["hosts"])) == ("default", ["c"])
    assert told["hosts"]["c"] == user.told("nodes")["hosts"]["c"]


def test_whose_exit_code_it_is(user: User) -> None:
    run = user.types("exec", "--", "sh", "-c", "[ $MPBOOT_HOST = a ] || exit 2")
    assert (run.returncode, run.stderr) == (2, "mpboot: exit 2: b (the command's own)\n")


def test_a_command_that_is_one_word(user: User) -> None:
    run = user.types("exec", "-w", "a", "--", "/bin/nosuch -l")
    assert run.returncode == 127
    assert run.stderr.splitlines()[-1] == (
        "mpboot: '/bin/nosuch -l' is one word, and no shell splits it: type -- /bin/nosuch -l"
    )


@pytest.mark.long
def test_letters_of_pdsh_and_clush(user: User) -> None:
    run = user.types("exec", "-w", "a,b", "-x", "b", "-u", "9", "-n", "-S", "-b", "--", "echo", "x")
    assert (run.returncode, run.stdout.splitlines()) == (0, ["-" * 15, "a", "-" * 15, "x"])
    assert user.types("exec", "--hosts", "b", "--exclude", "a", "--", "echo", "x").stdout == "b: x\n"


@pytest.mark.long
def test_a_variable_for_a_boots_hosts_chooses_none_of_a_session(user: User) -> None:
    run = mpboot("exec", "-b", "--", "true", XDG_RUNTIME_DIR=str(user.runtime), MPBOOT_HOSTS="c", MPBOOT_EXCLUDE="a")
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(("typed", "said"), [("-9 3", "9"), ("-TERM 3", "S"), ("-s KILL 3", "S")])
def test_a_signal_as_kill_has_it(tmp_path: Path, typed: str, said: str) -> None:
    run = mpboot("kill", *typed.split(), XDG_RUNTIME_DIR=str(tmp_path))
    assert run.returncode == 2
    assert f": a signal is given as --signal {said}; see mpboot kill --help" in run.stderr


@pytest.mark.parametrize("detail", [ENDED, "the connection was closed"])
def test_a_command_on_a_session_that_halts_is_told_so(detail: str) -> None:
    said: list[str] = []
    follow: Any = SimpleNamespace(why="", notes={}, say=said.append, signal=0)
    ends = {host: HostEnd(None, cause="lost", detail=detail) for host in ("h1", "h2")}
    job: Any = SimpleNamespace(ends=ends, argv=["true"])
    _tell_ends(follow, job, [])
    assert said == ["exit 255 (lost): h[1-2]", *[ENDED] * (detail == ENDED)]
