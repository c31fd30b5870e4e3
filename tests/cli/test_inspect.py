"""The command `mpboot inspect`: what it hands over, and what it says of a machine without a client."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mpboot.cli.main import app
from mpboot.inspect import command
from mpboot.inspect.judge import INTERVAL, PATIENCE
from tests.support.run_mpboot import MPBOOT, environment, mpboot

NAME = "mpboot-test-client"  # of a program that does not run


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the command hands to the package that does the work; its exit code is then 1."""
    got: list[Any] = []

    def run(*given: Any) -> int:
        got.extend(given)
        return 1

    monkeypatch.setattr(command, "run", run)
    for name in [name for name in os.environ if name.startswith("MPBOOT_")]:
        monkeypatch.delenv(name)
    return got


def inspect(*words: str) -> Any:
    return app(["inspect", *words], prog_name="mpboot", standalone_mode=False)


def test_without_options(handed_over: list[Any]) -> None:
    assert inspect() == 1
    inspector, *rest = handed_over
    assert rest[:-1] == [INTERVAL, PATIENCE, None, False, False]
    assert (inspector.everybody, list(inspector.pids)) == (False, [])
    assert NAME not in inspector.names


def test_every_option_arrives(handed_over: list[Any]) -> None:
    here = str(os.getpid())
    words = ("--all", "--name", f"{NAME},other third", "--interval", "0.5", "--patience", "2.5")
    inspect(here, *words, "--json", "--kill-hung", "--yes")
    inspector, *rest = handed_over
    assert rest[:2] == [0.5, 2.5]
    assert rest[3:-1] == [True, True]
    assert rest[2]("{}") == 0
    assert (inspector.everybody, list(inspector.pids)) == (True, [os.getpid()])
    assert {NAME, "other", "third"} <= inspector.names


@pytest.mark.parametrize("words", [("--json",), ("--kill-hung",), ("--kill-hung", "--yes")])
def test_each_flag_is_its_own(handed_over: list[Any], words: tuple[str, ...]) -> None:
    inspect(*words)
    assert (handed_over[3] is not None) == ("--json" in words)
    assert handed_over[4:-1] == ["--kill-hung" in words, "--yes" in words]


def test_a_file_for_the_json(tmp_path: Path) -> None:
    target = tmp_path / "found"
    run = mpboot("inspect", "--json", str(target), str(os.getpid()), "--interval", "0.01", "--patience", "0.01")
    assert run.stdout == ""
    assert [client["pid"] for client in json.loads(target.read_text())["clients"]] == [os.getpid()]
    assert mpboot("inspect", "--json", "/dev/full", "--interval", "0.01", "--patience", "0.01").returncode == 74
    assert mpboot("inspect", "--json", str(tmp_path)).returncode == 2


def test_one_process_that_is_no_client() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        try:
            run = mpboot("inspect", str(process.pid), "--json", "--interval", "0.01", "--patience", "0.01")
        finally:
            process.kill()
    told = json.loads(run.stdout)
    assert [client["pid"] for client in told["clients"]] == [process.pid]
    assert run.returncode == int(told["hung"] > 0)


@pytest.mark.long
def test_what_is_no_client_is_never_ended() -> None:
    quick = ("--interval", "0.01", "--patience", "0.01", "--kill-hung", "--yes")
    with subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL) as process:
        try:
            run = mpboot("inspect", str(process.pid), *quick)
            assert process.poll() is None
            assert f"mpboot: {process.pid} (sleep) is no ssh or rsh client: this is a guess; --name sleep" in run.stderr
            assert "ended: " not in run.stderr
            if run.returncode:
                assert f"mpboot: left alone: {process.pid}, sleep 1000: no ssh or rsh client" in run.stderr
            named = mpboot("inspect", str(process.pid), "--name", "sleep", *quick)
            assert "is no ssh or rsh client" not in named.stderr
        finally:
            process.kill()


def test_a_reader_that_went_away() -> None:
    with subprocess.Popen(
        [*MPBOOT, "inspect", str(os.getpid()), "--interval", "0.01", "--patience", "0.01"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as run:  # fmt: skip
        assert run.stdout is not None
        run.stdout.close()
        assert run.wait(20) == 141
        assert run.stderr is not None
        assert run.stderr.read() == b""
