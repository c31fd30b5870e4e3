"""How boots end that somebody ends: of every host is said what its command did, and its last output is there."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.chaos import Boot, clear, nothing_left
from tests.support.cluster import Cluster, given
from tests.support.run_mpboot import LOCAL, LOGIN, Running, mpboot, script
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LINES = 3000
# The first ends by itself, the second heeds no signal, all others have much to say when they are told to end.
DEEDS = (
    "case $MPBOOT_RANK in 0) exit 3;; 1) trap '' INT TERM HUP;;"
    f" *) trap 'seq {LINES}; echo last words; exit 5' INT TERM HUP;; esac; echo up; while :; do sleep 0.05; done"
)


def command_runs(run: Running, count: int) -> bool:
    """Does it run on so many hosts, and no other has it still to begin or to end?"""
    return sum(words.startswith("sh -c case") for words in run.family().values()) == count


def told(report: dict[str, Any]) -> dict[str, tuple[int | None, int]]:
    """What each host's command did: its exit code, and the signal of mpboot's that ended it."""
    return {name: (host["exit"], host.get("killed", 0)) for name, host in report["hosts"].items()}


@pytest.mark.parametrize("transport", ["tcp", "stdio"])
@pytest.mark.parametrize("number", STOPS)
def test_every_host_tells_what_its_command_did(number: signal.Signals, transport: str, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    shape = ("--topology", "tree", "--children", "2", "--transport", transport, "--json", str(target))
    with Running("--hosts", "h[1-6]", *LOCAL, *shape, "--", "sh", "-c", DEEDS) as run:
        for _ in range(5):
            assert run.stdout.readline().endswith(b": up\n")
        until(lambda: command_runs(run, 5))
        run.process.send_signal(number)
        output = run.stdout.read().decode()
        errors = run.stderr.read().decode()
        assert run.end(8.0) == 128 + number
    said = {name: [line for line in output.splitlines() if line.startswith(f"{name}: ")] for name in ("h3", "h6")}
    for name, lines in said.items():
        assert lines == [*[f"{name}: {count}" for count in range(1, LINES + 1)], f"{name}: last words"]
    assert told(json.loads(target.read_text())) == {
        "h1": (3, 0), "h2": (137, 9), **{f"h{n}": (5, int(number)) for n in range(3, 7)},
    }  # fmt: skip
    assert "mpboot: exit 3: h1" in errors
    assert "mpboot: exit 137 (ended by mpboot's SIGKILL): h2" in errors
    assert f"mpboot: exit 5 (ended by mpboot's {number.name}): h[3-6]" in errors


@pytest.mark.parametrize(
    ("words", "code", "end"),
    [
        ("exec sleep 100", 124, (143, 15)),
        ("exit 7", 7, (7, 0)),
        ("trap 'exit 0' TERM; while :; do sleep 0.05; done", 124, (0, 15)),
    ],
)
def test_a_deadline_that_ends_commands_is_no_success(
    words: str, code: int, end: tuple[int, int], tmp_path: Path
) -> None:
    """…however many hosts are enough."""
    rsh = script(tmp_path / "rsh", f"[ $host = h3 ] && exec sleep 99; {LOGIN}")
    target = tmp_path / "report.json"
    few = ("--hosts", "h[1-3]", "--rsh", rsh, "--deadline", "2", "--quorum", "2", "--json", str(target))
    run = mpboot(*few, "--", "sh", "-c", words)
    assert run.returncode == code
    report = json.loads(target.read_text())
    assert report["ended_by"] == "deadline"
    assert "exit" not in report["hosts"].pop("h3")
    assert told(report) == dict.fromkeys(("h1", "h2"), end)


def test_a_reader_that_stops_costs_output_and_no_exit_code(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    with Running("--hosts", "h[1-4]", *LOCAL, "--topology", "ring", "--json", str(target), "--", "yes") as run:
        assert run.stdout.readline().endswith(b": y\n")
        until(lambda: sum(words.startswith("yes") for words in run.family().values()) == 4)
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(8.0) == 130
        report = json.loads(target.read_text())
        assert told(report) == {f"h{n}": (130, 2) for n in range(1, 5)}
        (note,) = [one for one in report["notes"] if one["what"] == "output"]
        assert note["hosts"]
        assert run.end() == 130


def test_who_is_not_to_be_hung_up_is_not(tmp_path: Path) -> None:
    """As under nohup."""
    go = tmp_path / "go"
    os.mkfifo(go)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Running("--hosts", "a", *LOCAL, "--", "sh", "-c", f"echo up; cat {go}") as run:
            assert run.stdout.readline() == b"a: up\n"
            run.process.send_signal(signal.SIGHUP)
            go.write_text("went on\n")
            assert run.stdout.read() == b"a: went on\n"
            assert run.end() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


# -- by real ssh -----------------------------------------------------------------------------------

HOSTS = 8
cluster = given(HOSTS, "ssh")


@pytest.mark.sshd
@pytest.mark.parametrize("transport", ["tcp", "stdio"])
@pytest.mark.parametrize("number", STOPS)
def test_by_ssh(cluster: Cluster, number: signal.Signals, transport: str) -> None:
    last = f"trap 'seq {LINES}; echo last words; exit 5' INT TERM HUP; echo runs; while :; do sleep 0.1; done"
    shape = ("--topology", "tree", "--children", 2, "--transport", transport)
    with Boot(cluster, *shape, command=("sh", "-c", last)) as boot:
        boot.until_said(" runs\n", HOSTS)
        boot.process.send_signal(number)
        end = boot.end(10)
        assert end.code == 128 + number
        assert told(boot.report) == dict.fromkeys(cluster.names, (5, int(number)))
        assert sum(line.endswith(": last words") for line in end.text.splitlines()) == HOSTS
        nothing_left(cluster)
    clear(cluster)
