"""Launches by way of the login shell's files: which are none, and what happens where the files end the shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpboot.workers.commandline import INLINE, SHELL_PROBES
from tests.workers.carried import Carry
from tests.workers.given import MARK, script


@pytest.mark.parametrize("probe", SHELL_PROBES)
def test_what_runs_here_is_no_login(carry: Carry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, probe: str) -> None:
    """It has the environment that its user has, but for what tells of his own login."""
    (tmp_path / ".profile").write_text("echo read > said\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_CONNECTION", "the user's own login")
    monkeypatch.setenv("MPBOOT_TEST", "kept")
    monkeypatch.setenv("SHELL", "/bin/sh")
    python = script(tmp_path, "echo $SSH_CONNECTION$MPBOOT_TEST >&2", "python")
    carried = carry("", rsh="local", probe=probe, python=python)
    assert len(carried.started) == 1
    assert carried.verdict.stderr == "kept\n"
    assert not (tmp_path / "said").exists()


def test_login_files_that_end_the_shell_are_left_out_the_next_time(carry: Carry) -> None:
    lines = f"{MARK}; echo $m shell=/bin/bash; case $2 in *.login*) echo no; exit 3;; *) echo $m tcp;; esac"
    carried = carry(lines, probe=INLINE)
    assert carried.end == ("", "")
    assert carried.states[2] == "its login files ended the shell (code 3)"
    assert [*carried.states[:2], *carried.states[3:]] == ["started", "shell=/bin/bash"] * 2 + ["tcp"]
    assert len(carried.started) == 2


@pytest.mark.parametrize(
    ("lines", "states"),
    [
        (f"{MARK}; echo $m shell; echo $m python; exit 3", ["started", "shell", "python"]),
        (f"{MARK}; echo $m shell; echo $m eaten; exit 3", ["started", "shell", "eaten"]),
        (f"{MARK}; echo $m shell; kill -9 $$", ["started", "shell"]),
        ("exit 3", ["started"]),
    ],
)
def test_nothing_else_is_tried_twice(carry: Carry, lines: str, states: list[str]) -> None:
    assert carry(lines, probe=INLINE).states == states


def test_ssh_s_own_trouble_is_not_tried_twice(carry: Carry, tmp_path: Path) -> None:
    ssh = script(tmp_path, "for c; do :; done; m=${c#*m=}; m=${m%%;*}; echo $m shell; exit $(cat code)", "ssh")
    for code, tries in (("255", 1), ("1", 2)):
        (tmp_path / "code").write_text(code)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            assert len(carry("", rsh=ssh, probe=INLINE).started) == tries
