"""A boot's command that waits for all hosts, and is not run: it is said of none that it was."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.support.kept import kept
from tests.support.run_mpboot import LOCAL, LOGIN, mpboot, script
from tests.support.waiting import until


@pytest.fixture
def rsh(tmp_path: Path) -> str:
    return script(tmp_path / "rsh", f"case $host in bad) exit 3;; slow) exec sleep 983;; esac; {LOGIN}")


@pytest.mark.parametrize(
    ("third", "options", "code"),
    [
        ("bad", ("--barrier",), 1),
        ("slow", ("--barrier", "--deadline", "2.5"), 1),
        ("slow", ("--stdin", "/dev/null", "--deadline", "2.5"), 1),
        ("slow", ("--stdin", "/dev/null", "--deadline", "2.5", "--quorum", "1"), 1),
    ],
)
def test_where_not_all_are_up(tmp_path: Path, rsh: str, third: str, options: tuple[str, ...], code: int) -> None:
    places = ("--json", str(tmp_path / "report"), "--output-dir", str(tmp_path))
    (tmp_path / "a.out").write_text("of before\n")
    done = mpboot("--hosts", f"a,b,{third}", "--rsh", rsh, "--retries", "0", *options, *places, "--", "echo", "x")
    assert done.returncode == code
    assert "exit unknown" not in done.stderr
    assert done.stderr.endswith("; the command was not run, since not all are up\n")
    hosts = json.loads((tmp_path / "report").read_text())["hosts"]
    assert [(host["state"], host.get("exit", "none")) for host in hosts.values()] == [
        ("up", "none"), ("up", "none"), ("failed", "none"),
    ]  # fmt: skip
    assert (tmp_path / "a.out").read_text() == "of before\n"
    assert not (tmp_path / "b.out").exists()


def test_where_all_are_up_its_files_are_made_and_hosts_are_up_since_they_were(tmp_path: Path) -> None:
    with kept() as user:
        done = user.mpboot("--hosts", "a,b", *LOCAL, "--keep", "--barrier", "--output-dir", str(tmp_path), "--", "true")
        assert done.returncode == 0
        assert {one.name: one.read_text() for one in tmp_path.iterdir()} == dict.fromkeys(
            ("a.out", "a.err", "b.out", "b.err"), ""
        )
        assert all(one["since"] > 0 for one in user.nodes().values())


def test_how_far_it_is_before_it_has_begun(rsh: str) -> None:
    with kept() as user:
        boot = user.start("--hosts", "a,b,slow", "--rsh", rsh, "--barrier", "--", "true")
        assert boot.stderr is not None
        until(lambda: sum("sleep 983" in one for one in user.family().values()))
        said = b""
        while b"2 of 3 up" not in said:
            said = boot.stderr.readline()
        boot.send_signal(signal.SIGUSR1)
        while b"the command has ended" not in said:
            said = boot.stderr.readline()
        assert said == b"mpboot: the command has ended on 0 of 3, and runs on no hosts\n"
        boot.send_signal(signal.SIGINT)
        assert boot.wait(20) == 130
