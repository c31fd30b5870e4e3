"""Completion: offered by the real shells, and put where they find it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mpboot.cli import completion
from mpboot.cli.codes import UsageError
from mpboot.cli.completion import PLACES, Place, install
from mpboot.cli.main import app
from tests.support.run_mpboot import environment

ASKED = {  # what each shell runs when somebody types `mpboot --topo` and the key for completion
    "bash": "source ~/.bashrc; COMP_WORDS=(mpboot --topo); COMP_CWORD=1; _mpboot_completion mpboot; "
    'echo "${COMPREPLY[@]}"',
    "zsh": "source ~/.zshrc; words=(mpboot --topo); CURRENT=2; compadd() { echo ${completions[@]} }; "
    "_describe() { echo ${completions_with_descriptions[@]} }; _mpboot_completion",
    "fish": "complete --do-complete 'mpboot --topo'",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's home in which there is the command mpboot and nothing else."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "mpboot"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mpboot "$@"\n')
    command.chmod(0o755)
    return tmp_path


def in_shell(shell: str, code: str, home: Path) -> str:
    """What a shell prints that is in that home."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    variables = environment(
        HOME=str(home), PATH=f"{home / 'bin'}:{os.environ['PATH']}", PYTHONPATH=os.pathsep.join(filter(None, sys.path)),
        XDG_CONFIG_HOME=str(home / ".config"), ZDOTDIR=str(home),
    )  # fmt: skip
    run = subprocess.run(
        [shell, "-c", code],
        env=variables,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("shell", PLACES)
def test_installed_it_completes(shell: str, home: Path) -> None:
    said = in_shell(shell, "mpboot --install-completion; true", home)
    assert str(home / PLACES[shell].script) in said
    assert "--topology" in in_shell(shell, ASKED[shell], home)


@pytest.mark.parametrize("shell", PLACES)
def test_shown_it_is_what_would_be_installed(shell: str, home: Path) -> None:
    assert (
        in_shell(shell, "mpboot --show-completion 2>&1; true", home).strip() == completion.script_of(shell, app).strip()
    )


class TestInstall:
    @pytest.fixture(autouse=True)
    def _place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(PLACES, "sh", Place("a/b/script", ".shrc", "source {script}"))

    @pytest.mark.parametrize("before", ["", "alias x=y\n", "alias x=y", "\xff is no utf-8\n"])
    def test_the_start_up_file_is_added_to_once(self, tmp_path: Path, before: str) -> None:
        startup = tmp_path / ".shrc"
        startup.write_bytes(before.encode("latin-1"))
        for text in ("old", "new"):
            assert install("sh", text, tmp_path) == tmp_path / "a/b/script"
        assert (tmp_path / "a/b/script").read_text() == "new"
        kept = before.rstrip("\n").encode("latin-1")
        lines = [line for line in startup.read_bytes().split(b"\n") if line]
        assert lines == [*([kept] if kept else []), f"source '{tmp_path}/a/b/script'".encode()]

    def test_a_start_up_file_that_is_not_there(self, tmp_path: Path) -> None:
        install("sh", "text", tmp_path)
        assert (tmp_path / ".shrc").read_text() == f"source '{tmp_path}/a/b/script'\n"

    def test_a_shell_that_finds_it_by_itself(self, tmp_path: Path) -> None:
        install("fish", "text", tmp_path)
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mpboot.fish"]


def test_a_home_that_can_not_be_written(home: Path) -> None:
    (home / ".bash_completions").write_text("a file")
    said = in_shell("bash", "mpboot --install-completion 2>&1; echo $?", home).splitlines()
    assert said[0].startswith(f"mpboot: {home}/.bash_completions: ")
    assert said[0].endswith(": --show-completion prints what belongs there")
    assert said[1:] == ["2"]


class TestShellInUse:
    def test_is_the_one_it_was_typed_in(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHELL", "/usr/bin/fish")
        assert "bash_complete" in in_shell("bash", "mpboot --show-completion; true", home)

    def test_is_else_the_login_shell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("psutil.Process.parents", lambda _: [])
        monkeypatch.setenv("SHELL", "/usr/bin/fish")
        assert completion.shell_in_use() == "fish"

    def test_may_be_none_of_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("psutil.Process.parents", lambda _: [])
        monkeypatch.setenv("SHELL", "/bin/tcsh")
        with pytest.raises(UsageError, match=r"^completion is there for bash, zsh, fish, "):
            completion.shell_in_use()
