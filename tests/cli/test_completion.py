"""Completion in real shells: installed, it offers what is to be offered at the press of a key."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pyte
import pytest

from mpboot.cli import completion
from tests.cli.conftest import Refused
from tests.support.run_mpboot import environment, mpboot

SCRIPTS = {  # where each shell's script goes, below the user's home
    "bash": ".bash_completions/mpboot.sh",
    "zsh": ".zfunc/_mpboot",
    "fish": ".config/fish/completions/mpboot.fish",
}
INTERACTIVE = {"bash": ["bash", "--noprofile", "-i"], "zsh": ["zsh", "-d", "-i"]}
SECONDS = 20.0


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
    run = subprocess.run(
        [shell, "-c", code],
        env=variables(home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def variables(home: Path) -> dict[str, str]:
    """What a shell of that user's finds around it."""
    return environment(
        HOME=str(home), PATH=f"{home / 'bin'}:{os.environ['PATH']}", PYTHONPATH=os.pathsep.join(filter(None, sys.path)),
        XDG_CONFIG_HOME=str(home / ".config"), ZDOTDIR=str(home), XDG_RUNTIME_DIR=str(home), COLUMNS="100",
    )  # fmt: skip


class Typist:
    """Types into an interactive shell, and sees its screen."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._screen = pyte.Screen(100, 40)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def shown(self) -> str:
        """What stands on the screen."""
        return "\n".join(self._screen.display)

    def types(self, keys: str, sees: str) -> str:
        """The screen, once ``sees`` stands there."""
        os.write(self._fd, keys.encode())
        end = monotonic() + SECONDS
        while sees not in self.shown:
            left = end - monotonic()
            assert left > 0, f"no {sees!r} in {self.shown.rstrip()}"
            if select.select([self._fd], [], [], left)[0]:
                self._stream.feed(os.read(self._fd, 4096))
        return self.shown


@contextmanager
def typist(shell: str, home: Path) -> Iterator[Typist]:
    """Somebody at a terminal, in that user's home, with a prompt before them."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        INTERACTIVE[shell], env={**variables(home), "PS1": "ready> "}, cwd=home, stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        one = Typist(ours)
        one.types("PS1=go'> ' HISTFILE=\n", "\ngo> ")
        yield one
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("shell", INTERACTIVE)
class TestAtATerminal:
    @pytest.fixture
    def one(self, shell: str, home: Path) -> Iterator[Typist]:
        (home / "hosts").write_text("node1\nnode2\n")
        (home / "a dir").mkdir()
        (home / "a dir" / "report").write_text("")
        in_shell(shell, f"mpboot --install-completion {shell}", home)
        with typist(shell, home) as made:
            yield made

    @pytest.mark.parametrize(
        ("keys", "sees"),
        [
            ("mpboot ins\t", "mpboot inspect "),
            ("mpboot hosts --topol\t", "--topology "),
            ("mpboot hosts --rsh lo\t", "--rsh local "),
            ("mpboot hosts --rsh=lo\t", "--rsh=local "),
            ("mpboot ho\t", "mpboot hosts "),
            ("mpboot hosts --json ho\t", "--json hosts "),
            ("mpboot hosts --json=ho\t", "--json=hosts"),
            ("mpboot hosts --output-dir a\t", "a\\ dir/"),
            ("mpboot hosts -x other,no\t", "-x other,node"),
            ("mpboot exec --det\t", "--detach "),
            ("mpboot hosts -- cat ho\t", "-- cat hosts "),
        ],
    )
    def test_a_key_completes(self, one: Typist, keys: str, sees: str) -> None:
        one.types(keys, sees)

    def test_what_is_not_certain_is_listed(self, one: Typist) -> None:
        one.types("mpboot s\t\t", "shrink")
        one.types("", "sessions")

    def test_a_host_more_may_follow(self, one: Typist) -> None:
        one.types("mpboot hosts -x node1,\t", "node1,node2")
        one.types(",x", "node1,node2,x")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("mpboot ins", ["inspect"]), ("mpboot hosts --topol", ["--topology"]), ("mpboot --rsh=lo", ["--rsh=local"]),
        ("mpboot ho", ["hosts"]), ("mpboot --json=ho", ["--json=hosts"]), ("mpboot --output-dir di", ["dir/"]),
        ("mpboot hosts -x ", ["node1", "node2"]), ("mpboot hosts --json ho", ["hosts"]),
    ],
)  # fmt: skip
def test_fish(home: Path, typed: str, found: list[str]) -> None:
    (home / "hosts").write_text("node1\nnode2\n")
    (home / "dir").mkdir()
    in_shell("fish", "mpboot --install-completion fish", home)
    said = in_shell("fish", f"complete --do-complete '{typed}'", home)
    assert [line.partition("\t")[0] for line in said.splitlines()] == found


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("shell", SCRIPTS)
def test_it_is_installed_for_the_shell_that_is_named_or_else_this_one(shell: str, named: bool, home: Path) -> None:
    by = "sh" if named else shell
    said = in_shell(by, f"mpboot --install-completion {shell if named else ''}; true", home)
    assert said == f"{shell} completes mpboot when it is started anew: {home / SCRIPTS[shell]}\n"
    assert (home / SCRIPTS[shell]).read_text() == completion.SCRIPTS[shell]
    shown = in_shell(by, f"mpboot --show-completion{'=' + shell if named else ''}; true", home)
    assert shown == completion.SCRIPTS[shell]


def test_a_second_time_changes_nothing(home: Path) -> None:
    (home / ".bashrc").write_text("alias x=y")
    for _ in range(2):
        in_shell("bash", "mpboot --install-completion bash", home)
    assert (home / ".bashrc").read_text() == f"alias x=y\nsource {home}/.bash_completions/mpboot.sh\n"


def test_start_up_files_in_another_encoding_stay_as_they_are(home: Path) -> None:
    (home / ".bashrc").write_bytes(b"# gr\xfc\xdfe\n")
    for _ in range(2):
        in_shell("bash", "mpboot --install-completion bash", home)
    line = f"source {home}/.bash_completions/mpboot.sh\n".encode()
    assert (home / ".bashrc").read_bytes() == b"# gr\xfc\xdfe\n" + line


def test_without_a_home_directory_it_is_a_line(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    said = refused("--install-completion", "bash")
    assert said == "mpboot: HOME: there is no home directory: --show-completion prints what belongs there"


@pytest.mark.parametrize("option", ["--install-completion", "--show-completion"])
def test_a_shell_that_has_none(refused: Refused, option: str) -> None:
    assert refused(option, "tcsh") == f"mpboot: {option} must be one of bash, zsh, fish, not 'tcsh'"
    assert refused(f"{option}=tcsh") == f"mpboot: {option} must be one of bash, zsh, fish, not 'tcsh'"
    assert refused(option, "bash", "zsh") == f"mpboot: {option} takes one shell: bash, zsh, fish"


def test_where_no_shell_is_above(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.Process.parents", lambda _: [])
    line = "mpboot: --show-completion: which shell is this for? say one of bash, zsh, fish"
    assert refused("--show-completion") == line


def test_it_is_for_the_shell_it_was_typed_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "compopt" in in_shell("bash", "mpboot --show-completion; true", home)


def test_a_home_that_can_not_be_written(home: Path) -> None:
    (home / ".bash_completions").write_text("a file")
    said = in_shell("bash", "mpboot --install-completion 2>&1; echo $?", home).splitlines()
    assert said[0].startswith(f"mpboot: {home}/.bash_completions: ")
    assert said[0].endswith(": --show-completion prints what belongs there")
    assert said[1:] == ["2"]


def test_what_goes_wrong_is_not_shown_to_a_shell_that_asks(tmp_path: Path) -> None:
    for line in ("mpboot -w '[", "mpboot exec -w n[", "mpboot \\", "mpboot --name ", "mpboot -w @", ""):
        run = mpboot(line, "", _MPBOOT_OFFER="bash", XDG_RUNTIME_DIR=str(tmp_path))
        assert (run.returncode, run.stderr) == (0, ""), line
