"""The command line as a whole: what is accepted, one line for what is not, help, completion."""

from __future__ import annotations

import ast
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpboot._version import __version__
from mpboot.cli import main
from tests.cli.conftest import Refused
from tests.support.run_mpboot import MPBOOT, environment, mpboot

CLI = Path(main.__file__).parent
FUNCTIONS = [main.front, *(command.callback for command in main.app.registered_commands)]


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ((), "no hosts given"),
            (("nosuch",), "nosuch: No such file"),
            (("/",), "is a directory"),
            (("--hosts", ""), "--hosts"),
            (("--hosts", "a[1-"), "--hosts"),
            (("--hosts", "-oProxyCommand=x"), "--hosts"),
            (("--hosts", "a;reboot"), "--hosts"),
            (("/dev/null", "b"), "behind --"),
            (("--hosts", "a", "--"), "no command"),
            (("plan", "--hosts", "a", "--"), "no command"),
            (("plan", "--hosts", "a", "--quorum", "9", "--", "a;b"), "type -- sh -c 'a;b'"),
            (("--nonsense",), "no such option: --nonsense"),
            (("--hosts", "a", "--children"), "--children"),
            (("--hosts", "a", "--children", "0"), "--children must be a number from 1"),
            (("--hosts", "a", "--children", "-1"), "--children"),
            (("--hosts", "a", "--children", "x\x1b[31m"), "x\\x1b[31m"),
            (("plan", "--hosts", "a", "--children", "0"), "--children"),
            (("--hosts", "a", "--topology", "star"), "star"),
            (("plan", "--hosts", "a", "--topology", "star"), "star"),
            (("--hosts", "a", "--timeout", "0"), "--timeout must be"),
            (("--hosts", "a", "--timeout", "-3"), "--timeout must be"),
            (("--hosts", "a", "--timeout", "nan"), "--timeout must be"),
            (("--hosts", "a", "--timeout", "soon"), "--timeout must be"),
            (("--hosts", "a", "--deadline", "inf"), "--deadline must be"),
            (("--hosts", "a", "--deadline", "1e9"), "--deadline must be"),
            (("--hosts", "a", "--retries", "-1"), "--retries must be"),
            (("--hosts", "a", "--retries", "1.5"), "--retries must be"),
            (("--hosts", "a", "--rsh", "'"), "rsh"),
            (("--hosts", "a", "--rsh", ""), "rsh"),
            (("--hosts", "a", "--user", "-oProxyCommand=x"), "--user must be"),
            (("--hosts", "a", "--transport", "udp"), "udp"),
            (("--hosts", "a", "--shell-probe", "maybe"), "maybe"),
            (("--hosts", "a", "--quorum", "0"), "--quorum must be"),
            (("--hosts", "a", "--chdir", "", "--", "true"), "--chdir must be the name of a directory, not ''"),
            (("exec", "--chdir", "", "--", "true"), "--chdir must be the name of a directory, not ''"),
            (("--hosts", "a", "--output-dir", "", "--", "true"), "--output-dir must be"),
            (("--hosts", "a", "--stdin", "", "--", "true"), "--stdin must be the name of a file, not ''"),
            (("--hosts", "a", "--json", ""), "--json must be"),
            (("inspect", "--json", ""), "--json must be"),
            (("--hosts", "a", "--quorum", "2"), "--quorum must be 1, the number of hosts, or a percentage"),
            (("--hosts", "a", "--quorum", "0%"), "--quorum must be"),
            (("--hosts", "a", "--quorum", "101%"), "--quorum must be"),
            (("--hosts", "a", "--quorum", "most"), "--quorum must be"),
            (("--hosts", "a", "--quorum", "nan%"), "--quorum must be"),
            (("--hosts", "a", "--json", "/nonexistent/x"), "--json /nonexistent/x"),
            (("--hosts", "a", "--json", "/"), "--json /"),
        ],
    )
    def test_one_line(self, refused: Refused, arguments: tuple[str, ...], says: str) -> None:
        assert says in refused(*arguments)

    def test_auto_where_no_topology_finds_the_number(self, refused: Refused) -> None:
        assert "needs a number" in refused("--hosts", "a", "--children", "auto", "--topology", "ring")

    @pytest.mark.parametrize(
        ("option", "value", "wanted"),
        [
            ("--timeout", "never", "a number of seconds, more than 0 and at most 1000000"),
            ("--retries", "21", "a number from 0 to 20"),
            ("--topology", "star", "one of adaptive, tree, ring, linear, flat"),
            ("--quorum", "2", "1, the number of hosts, or a percentage above 0, such as 95%"),
        ],
    )
    def test_the_variable_is_named_where_the_value_came_from(
        self, refused: Refused, option: str, value: str, wanted: str
    ) -> None:
        variable = "MPBOOT_" + option[2:].upper()
        typed = refused("--hosts", "a", option, value)
        assert typed == f"mpboot: {option} must be {wanted}, not '{value}'"
        assert refused("--hosts", "a", option, value, **{variable: value}) == typed
        assert refused("--hosts", "a", **{variable: value}) == typed.replace(option, f"{option} ({variable})")

    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            (
                ("--timeou", "3"),
                "no such option: --timeou, did you mean --timeout?; see mpboot --help",
            ),
            (("--zz",), "no such option: --zz; see mpboot --help"),
            (
                ("plan", "/dev/null", "b"),
                "'b' is one word too many: a command for the hosts goes behind --: type mpboot plan /dev/null -- b",
            ),
            (("inspect", "x"), "PID must be a number from 1 to 1073741824, not 'x'"),
            (("inspect", "--yes"), "--yes answers the question of --kill-hung: give both"),
            (("inspect", "--", "ls"), "inspect runs no command: leave out -- and what follows"),
            (("inspect", "1073741824"), "there is no process 1073741824"),
        ],
    )
    def test_whole_lines(self, refused: Refused, arguments: tuple[str, ...], line: str) -> None:
        assert refused(*arguments) == f"mpboot: {line}"

    def test_a_flag_of_the_environment_that_is_neither_on_nor_off(self, refused: Refused) -> None:
        line = "mpboot: --quiet (MPBOOT_QUIET) must be 1 or 0, not 'maybe'"
        assert refused("--hosts", "a", MPBOOT_QUIET="maybe") == line

    def test_hostfile_that_attacks_the_terminal(self, refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "hosts").write_text("h1\nh2 \x1b]0;owned\x07=3\n")
        assert "hosts:2" in refused(str(tmp_path / "hosts"))

    def test_for_real(self) -> None:
        run = mpboot("nosuch")
        assert (run.returncode, run.stdout) == (2, "")
        assert run.stderr.startswith("mpboot: nosuch: No such file or directory: give a readable hostfile, ")


class TestHelp:
    def test_help_has_examples_and_all_options(self) -> None:
        run = mpboot("--help")
        assert run.returncode == 0
        for word in ("Examples:", "--children", "--quorum", "--json", "plan", "Exit codes", "local"):
            assert word in run.stdout
        for command in ("boot", "plan"):
            assert "Usage: mpboot " + command in mpboot(command, "--help").stdout

    @pytest.mark.parametrize(
        ("arguments", "spared"),
        [
            (["--help"], ["mpboot.head", "mpboot.hosts", "rich", "ClusterShell", "psutil", "pydantic"]),
            (["--hosts", "a", "--rsh", "local"], ["rich", "ClusterShell", "pydantic"]),
        ],
    )
    def test_loads_nothing_that_it_does_not_need(self, arguments: list[str], spared: list[str]) -> None:
        code = (
            "import sys, typer\n"
            "typers = {'rich'} & set(sys.modules)\n"  # before 0.19 typer itself loads it
            "import mpboot.cli.main\n"
            f"sys.argv = ['mpboot', *{arguments!r}]\n"
            "try: mpboot.cli.main.main()\n"
            "except SystemExit: pass\n"
            f"print(sorted(set({spared!r}) & set(sys.modules) - typers))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert run.stdout.splitlines()[-1] == "[]"

    def test_version(self) -> None:
        assert mpboot("--version").stdout == f"mpboot {__version__}\n"

    def test_help_into_a_pipe_that_closes(self) -> None:
        process = subprocess.Popen(
            [*MPBOOT, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        with process.stderr:
            assert process.stderr.read() == b""
        process.wait(10)


class TestDefaultCommand:
    def test_boot_and_none_are_the_same(self) -> None:
        short = json.loads(mpboot("--hosts", "a", "--rsh", "local", "--json", "-").stdout)
        long = json.loads(mpboot("boot", "--hosts", "a", "--rsh", "local", "--json", "-").stdout)
        assert short["up"] == long["up"] == 1

    def test_a_hostfile_called_plan(self, tmp_path: Path) -> None:
        (tmp_path / "plan").write_text("a\n")
        run = mpboot(str(tmp_path / "plan"), "--rsh", "local")
        assert "1 of 1 host up" in run.stderr

    def test_options_from_the_environment(self) -> None:
        run = mpboot(MPBOOT_HOSTS="a,b", MPBOOT_RSH="local", MPBOOT_TOPOLOGY="ring", MPBOOT_JSON="-", MPBOOT_QUIET="1")
        report = json.loads(run.stdout)
        assert (report["topology"], report["up"]) == ("ring", 2)
        assert run.stderr == ""

    def test_options_of_the_command_are_its_own(self) -> None:
        run = mpboot("--hosts", "a", "--rsh", "local", "--", "echo", "--help", "--", "x")
        assert run.stdout == "a: --help -- x\n"

    def test_hosts_from_standard_input(self) -> None:
        run = subprocess.run(
            [*MPBOOT, "-", "--rsh", "local"],
            input="a\nb\n",
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
        )
        assert run.returncode == 0
        assert "2 of 2 hosts up" in run.stderr

    def test_closed_standard_descriptors(self) -> None:
        words = " ".join([*MPBOOT, "--hosts", "a,b", "--rsh", "local", "--", "echo", "x"])
        run = subprocess.run(["/bin/sh", "-c", f"{words} <&- >&- 2>&-"], env=environment(), timeout=20, check=False)
        assert run.returncode == 74

    def test_closed_standard_output_where_nothing_is_written_there(self) -> None:
        line = " ".join([*MPBOOT, "--hosts a --rsh local >&-"])
        run = subprocess.run(
            ["/bin/sh", "-c", line], stderr=subprocess.PIPE, env=environment(), timeout=30, check=False
        )
        assert (run.returncode, b"is lost" in run.stderr) == (0, False)

    @pytest.mark.parametrize(("command", "code"), [("", 0), ("-- false", 1), ("-- echo x", 74)])
    def test_both_closed(self, command: str, code: int) -> None:
        """Nobody wants to see standard error; only what was for standard output is lost."""
        line = " ".join([*MPBOOT, f"--hosts a --rsh local {command} >&- 2>&-"])
        run = subprocess.run(["/bin/sh", "-c", line], env=environment(), timeout=30, check=False)
        assert run.returncode == code

    @pytest.mark.parametrize("words", ["inspect --json", "--help", "--version", "explain lost", "plan -w a",
                                       "-w a --rsh local -- echo x", "-w a --rsh local --json -"])  # fmt: skip
    def test_closed_standard_output(self, words: str) -> None:
        line = " ".join([*MPBOOT, words, ">&-"])
        run = subprocess.run(
            ["/bin/sh", "-c", line], stderr=subprocess.PIPE, env=environment(), timeout=30, check=False
        )
        assert run.returncode == 74
        assert b"mpboot: standard output: Bad file descriptor: " in run.stderr

    @pytest.mark.parametrize("words", ["--help", "--version", "--show-completion bash"])
    def test_standard_output_that_nobody_reads(self, words: str) -> None:
        read, write = os.pipe()
        os.close(read)
        try:
            run = subprocess.run([*MPBOOT, *words.split()], stdout=write, stderr=subprocess.PIPE, env=environment(),
                                 timeout=30, check=False)  # fmt: skip
        finally:
            os.close(write)
        assert (run.returncode, run.stderr) == (141, b"")

    def test_a_machine_that_has_no_more_descriptors(self) -> None:
        line = " ".join(["ulimit -n 10;", *MPBOOT, "--hosts a,b --rsh local"])
        run = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, env=environment(), timeout=30,
                             check=False)  # fmt: skip
        assert (run.returncode, run.stderr.count("\n")) == (2, 1)
        assert "mpboot: Too many open files" in run.stderr
        assert "ulimit -n" in run.stderr


class TestTyper:
    """What has to be so for every typer that pyproject.toml allows."""

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_annotations_of_commands_are_not_postponed(self, function: Callable[..., Any]) -> None:
        """Typer evaluates none on Python 3.9, and would take each for a text."""
        assert [name for name, kind in function.__annotations__.items() if isinstance(kind, str)] == []

    @pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.stem)
    def test_click_is_not_imported(self, path: Path) -> None:
        """Typer has its own from 0.26 on."""
        names = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(str(node.module).partition(".")[0])
        assert "click" not in names


class TestLibrary:
    @pytest.mark.parametrize("first", ["", "import mpboot.head.boot", "from mpboot.head.boot import Boot"])
    def test_front_door_opens_more_than_once(self, first: str) -> None:
        code = f"{first}\nimport mpboot\nfor _ in range(2): assert callable(mpboot.boot)"
        subprocess.run([sys.executable, "-c", code], check=True)


def test_a_bad_descriptor_is_a_fault_of_ours_where_standard_output_is_open() -> None:
    assert not main._is_full(OSError(errno.EBADF, "Bad file descriptor"))
    assert main._is_full(OSError(errno.ENOSPC, "No space left on device"))
    assert not main._is_full(OSError(errno.ENOSPC, "No space left on device", "a file of its own"))
