"""The command `mpboot boot`: what it hands to the library, what it shows, how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from mpboot.cli.main import app
from mpboot.cli.progress import Progress
from mpboot.head.observer import Observer
from mpboot.head.options import Options
from mpboot.hosts.host import Host
from tests.cli.commands import COMMANDS
from tests.support.run_mpboot import LOCAL, MPBOOT, environment, mpboot

EVERY_OPTION = {
    "--children": ("3", "children", 3),
    "--topology": ("tree", "topology", "tree"),
    "--timeout": ("7", "timeout", 7.0),
    "--deadline": ("8.5", "deadline", 8.5),
    "--wait-for": ("0.5", "wait_for", 0.5),
    "--retries": ("0", "retries", 0),
    "--rsh": ("ssh -x", "rsh", "ssh -x"),
    "--user": ("joe", "user", "joe"),
    "--transport": ("stdio", "transport", "stdio"),
    "--shell-probe": ("none", "shell_probe", "none"),
    "--python": ("/opt/py/bin/python3", "python", "/opt/py/bin/python3"),
}


LETTERS = ("--exclude", "--fanout", "-n", "-S")  # tried in test_habits.py


class Begun(Exception):
    """A boot was begun, and goes no further."""


class Boots:
    """Stands in the place of the library's boot, and keeps what it is given."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.options: Options | None = None
        self.last_look: bool | None = None

    def __call__(
        self, hosts: Sequence[Host], options: Options, observer: Observer, last_look: bool, stdin: int
    ) -> None:
        """A boot would begin."""
        assert stdin == -1
        assert isinstance(observer, Progress)
        self.hosts, self.options, self.last_look = [host.name for host in hosts], options, last_look
        raise Begun


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Boots:
    boots = Boots()
    monkeypatch.setattr("mpboot.head.boot.Boot", boots)
    for name in [name for name in os.environ if name.startswith("MPBOOT_")]:
        monkeypatch.delenv(name)
    return boots


def begin(*words: str) -> None:
    with pytest.raises(Begun):
        app(list(words), prog_name="mpboot", standalone_mode=False)


class TestOptions:
    def test_without_any_the_librarys(self, begun: Boots) -> None:
        begin("--hosts", "a,b")
        assert begun.options == Options()
        assert begun.hosts == ["a", "b"]
        assert begun.last_look

    def test_every_one_arrives(self, begun: Boots) -> None:
        words = [word for name, (text, _, _) in EVERY_OPTION.items() for word in (name, text)]
        begin("--hosts", "a", *words, "--attach", "--verbose", "--quiet", "--", "ls", "-l")
        expected: dict[str, Any] = {field: value for _, field, value in EVERY_OPTION.values()}
        assert begun.options == Options(**expected, attach=True, verbose=True, command=["ls", "-l"])
        assert not begun.last_look

    def test_none_is_left_out_here(self) -> None:
        tested = {
            *EVERY_OPTION,
            "--hosts",
            "--attach",
            "--verbose",
            "--quiet",
            "--quorum",
            "--json",
            "--gather",
            "--output-dir",
            "--env",
            "--chdir",
            "--command-timeout",
            "--stdin",
            "--barrier",
            "--push",
            "--keep",
            "--name",
            "--idle-timeout",
            "--rejoin",
            *LETTERS,
        }
        params = COMMANDS["boot"].params
        assert {max(param.opts, key=len) for param in params} - {"hostfile", "--help"} == tested

    def test_a_quorum_that_can_not_be_is_refused_as_the_options_value(self, begun: Boots) -> None:
        with pytest.raises(typer.BadParameter) as error:
            app(["--hosts", "a", "--quorum", "7"], prog_name="mpboot", standalone_mode=False)
        assert error.value.param is not None
        assert error.value.param.opts == ["--quorum"]
        assert begun.options is None


class TestEnd:
    @pytest.mark.parametrize("code", [1, 2, 74])
    def test_whose_exit_code_it_is(self, code: int) -> None:
        run = mpboot("--hosts", "a,b", *LOCAL, "--", "sh", "-c", f"[ $MPBOOT_HOST = a ] || exit {code}")
        assert run.returncode == code
        assert f"mpboot: exit {code}: b (the command's own)" in run.stderr.splitlines()

    def test_all_up(self) -> None:
        run = mpboot("--hosts", "a,b", *LOCAL)
        assert (run.returncode, run.stdout) == (0, "")
        assert run.stderr.splitlines()[-1].startswith("mpboot: 2 of 2 hosts up in ")

    @pytest.mark.parametrize(("quorum", "code"), [((), 1), (("--quorum", "1"), 0), (("--quorum", "75%"), 1)])
    def test_a_quorum(self, quorum: tuple[str, ...], code: int, tmp_path: Path) -> None:
        rsh = tmp_path / "rsh"
        rsh.write_text('#!/bin/sh\n[ "$1" = a ] || exit 1\nshift\nexec sh -c "$*"\n')
        rsh.chmod(0o755)
        run = mpboot("--hosts", "a,b", "--rsh", str(rsh), "--retries", "0", *quorum)
        assert run.returncode == code
        assert "1 of 2 hosts up" in run.stderr
        assert any(line.startswith("rsh-failed ") for line in run.stderr.splitlines())

    def test_quiet_says_nothing_but_what_failed(self) -> None:
        assert mpboot("--hosts", "a,a", *LOCAL, "--quiet").stderr == ""
        run = mpboot("--hosts", "a", "--rsh", "/nonexistent/rsh", "--retries", "0", "--quiet")
        assert run.returncode == 1
        assert run.stderr.startswith("rsh-missing ")
        assert "mpboot: " not in run.stderr
        run = mpboot("--hosts", "a,b", *LOCAL, "--quiet", "--", "sh", "-c", "exit 7")
        assert (run.returncode, run.stderr) == (7, "mpboot: exit 7: a,b\n")

    def test_doubts_about_the_hosts_are_said(self) -> None:
        assert mpboot("--hosts", "a,a", *LOCAL).stderr.startswith("mpboot: warning: ")

    def test_the_commands_exit_code(self) -> None:
        assert mpboot("--hosts", "a", *LOCAL, "--", "sh", "-c", "exit 7").returncode == 7

    def test_a_reader_that_goes_away(self) -> None:
        with subprocess.Popen(
            [*MPBOOT, "--hosts", "a", *LOCAL, "--", sys.executable, "-c", "while True: print('x')"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        ) as run:  # fmt: skip
            assert run.stdout is not None
            assert run.stderr is not None
            assert run.stdout.readline() == b"a: x\n"
            run.stdout.close()
            assert run.stderr.read().endswith(b"mpboot: ended: nobody reads its output any more\n")
            assert run.wait() == 141
