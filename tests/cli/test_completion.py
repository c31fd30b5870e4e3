"""Completion, which is typer's own: the real shells find it and offer mpboot's options."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.run_mpboot import environment

SCRIPTS = {  # where each shell's script goes, below the user's home
    "bash": ".bash_completions/mpboot.sh",
    "zsh": ".zfunc/_mpboot",
    "fish": ".config/fish/completions/mpboot.fish",
}
ASKED = {  # what each shell runs when somebody types `mpboot --topo` and the key for completion
    "bash": "source ~/.bashrc; COMP_WORDS=(mpboot --topo); COMP_CWORD=1; _mpboot_completion mpboot; "
    'echo "${COMPREPLY[@]}"',
    "zsh": "source ~/.zshrc; words=(mpboot --topo); CURRENT=2; _arguments() { echo $@ }; "
    "autoload +X _mpboot; source ~/.zfunc/_mpboot; _mpboot_completion",
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


@pytest.mark.parametrize("shell", SCRIPTS)
def test_installed_it_completes(shell: str, home: Path) -> None:
    said = in_shell(shell, "mpboot --install-completion; true", home)
    assert str(home / SCRIPTS[shell]) in said.replace("\n", "")
    assert "--topology" in in_shell(shell, ASKED[shell], home)


@pytest.mark.parametrize("shell", SCRIPTS)
def test_shown_it_is_what_would_be_installed(shell: str, home: Path) -> None:
    in_shell(shell, "mpboot --install-completion; true", home)
    shown = in_shell(shell, "mpboot --show-completion 2>&1; true", home)
    assert shown.strip() == (home / SCRIPTS[shell]).read_text().strip()


def test_it_is_for_the_shell_it_was_typed_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "complete_bash" in in_shell("bash", "mpboot --show-completion; true", home)


def test_a_home_that_can_not_be_written(home: Path) -> None:
    (home / ".bash_completions").write_text("a file")
    said = in_shell("bash", "mpboot --install-completion 2>&1; echo $?", home).splitlines()
    assert said[0].startswith(f"mpboot: {home}/.bash_completions: ")
    assert said[0].endswith(": --show-completion prints what belongs there")
    assert said[1:] == ["2"]
