"""The command line: what is accepted, one line for what is not, plan, help, completion, and the JSON file."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

from mpboot._version import __version__
from mpboot.cli.main import main
from mpboot.cli.values import enough_hosts
from mpboot.head.boot import Boot
from mpboot.plan.tree import plan_tree
from mpboot.tree.ledger import HEAD
from tests.support.run_mpboot import MPBOOT, environment, mpboot


class Refused(Protocol):
    """Takes arguments and variables; the one line with which mpboot refuses them."""

    def __call__(self, *arguments: str, **more: str) -> str:
        """Run it in this process: what is refused starts nothing."""


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refused:
    def refuse(*arguments: str, **more: str) -> str:
        monkeypatch.setattr(os, "environ", environment(**more))
        monkeypatch.setattr(sys, "argv", ["mpboot", *arguments])
        monkeypatch.setattr(Boot, "run", lambda _: pytest.fail("it was launched"))
        with pytest.raises(SystemExit) as end:
            main()
        shown = capfd.readouterr()
        assert end.value.code == 2
        assert shown.out == ""
        assert shown.err.startswith("mpboot: ")
        assert shown.err.count("\n") == 1
        assert shown.err.strip().isprintable()
        return shown.err.strip()

    return refuse


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
            (("a", "b"), "behind --"),
            (("--hosts", "a", "--"), "no command"),
            (("plan", "--hosts", "a", "--", "uptime"), "plan runs no command"),
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
            (("--hosts", "a", "--quorum", "2"), "from 1 to 1"),
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

    def test_the_variable_is_named(self, refused: Refused) -> None:
        assert "MPBOOT_TIMEOUT" in refused("--hosts", "a", MPBOOT_TIMEOUT="never")

    def test_hostfile_that_attacks_the_terminal(self, refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "hosts").write_text("h1\nh2 \x1b]0;owned\x07=3\n")
        assert "hosts:2" in refused(str(tmp_path / "hosts"))

    def test_json_to_a_pipe_that_nobody_reads(self, refused: Refused, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert "--json" in refused("--hosts", "a", "--json", str(tmp_path / "pipe"))

    def test_json_to_a_socket(self, refused: Refused, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "socket"))
            assert "--json" in refused("--hosts", "a", "--json", str(tmp_path / "socket"))

    def test_for_real(self) -> None:
        run = mpboot("nosuch")
        assert (run.returncode, run.stdout) == (2, "")
        assert (
            run.stderr
            == "mpboot: nosuch: No such file or directory: give a readable hostfile, or - for standard input\n"
        )


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
            "import sys, mpboot.cli.main\n"
            f"sys.argv = ['mpboot', *{arguments!r}]\n"
            "try: mpboot.cli.main.main()\n"
            "except SystemExit: pass\n"
            f"print(sorted(set({spared!r}) & set(sys.modules)))"
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

    @pytest.mark.parametrize(
        ("words", "offered"),
        [("mpboot pl", "plan"), ("mpboot --to", "--topology"), ("mpboot hosts --topology r", "ring")],
    )
    def test_completion(self, words: str, offered: str) -> None:
        run = mpboot(_MPBOOT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))
        assert f"plain,{offered}" in run.stdout.split()


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
        assert run.returncode == 0


class TestLibrary:
    @pytest.mark.parametrize("first", ["", "import mpboot.head.boot", "from mpboot.head.boot import Boot"])
    def test_front_door_opens_more_than_once(self, first: str) -> None:
        code = f"{first}\nimport mpboot\nfor _ in range(2): assert callable(mpboot.boot)"
        subprocess.run([sys.executable, "-c", code], check=True)


class TestJson:
    def test_file(self, tmp_path: Path) -> None:
        target = tmp_path / "report.json"
        target.write_text("x" * 10_000)
        run = mpboot("--hosts", "a,b", "--rsh", "local", "--json", str(target), "--", "true")
        report = json.loads(target.read_text())
        assert run.returncode == 0
        assert list(report) == ["mpboot", "topology", "children", "seconds", "up", "failed", "hosts", "strangers"]
        assert report["hosts"]["b"]["exit"] == 0

    def test_what_was_there_stays_when_the_boot_is_refused(self, refused: Refused, tmp_path: Path) -> None:
        target = tmp_path / "report.json"
        target.write_text("old")
        refused("--hosts", "a", "--quorum", "7", "--json", str(target))
        assert target.read_text() == "old"

    def test_full_disk(self) -> None:
        run = mpboot("--hosts", "a", "--rsh", "local", "--json", "/dev/full")
        assert run.returncode == 1
        assert "can't be written" in run.stderr


class TestQuorum:
    @pytest.mark.parametrize(
        ("text", "total", "enough"),
        [
            ("1", 3, 1),
            ("3", 3, 3),
            ("100%", 7, 7),
            ("95%", 100, 95),
            ("95%", 10, 10),
            ("0.1%", 10, 1),
            ("7%", 100, 7),
        ],
    )
    def test_counts(self, text: str, total: int, enough: int) -> None:
        assert enough_hosts(text, total) == enough


class TestPlan:
    def test_tree(self) -> None:
        lines = mpboot("plan", "--hosts", "h[1-6]", "--children", "2").stdout.splitlines()
        assert lines[0] == "head"
        assert sum("h" in line for line in lines[1:-1]) == 6
        assert lines[-1] == "6 hosts, tree: 2 levels, at most 2 children each, 2 launches one after another"

    def test_ring_stays_in_its_column(self) -> None:
        lines = mpboot("plan", "--hosts", "h[1-40]", "--topology", "ring").stdout.splitlines()
        assert max(map(len, lines[:-1])) < 10
        assert "40 levels" in lines[-1]

    def test_json(self) -> None:
        made = json.loads(mpboot("plan", "--hosts", "a,b,c", "--topology", "linear", "--json", "-").stdout)
        assert [made["hosts"][name]["step"] for name in "abc"] == [1, 2, 3]
        assert made["levels"] == 1

    def test_reader_that_goes_away(self) -> None:
        words = " ".join([*MPBOOT, "plan", "--hosts", "'h[1-5000]'"])
        run = subprocess.run(
            ["/bin/sh", "-c", f"{words} | head -1"], capture_output=True, text=True, env=environment(), check=False
        )
        assert (run.stdout, run.stderr) == ("head\n", "")

    @pytest.mark.parametrize("topology", ["tree", "ring", "linear", "flat"])
    @pytest.mark.parametrize("total", [1, 2, 5, 21, 147])
    def test_every_host_has_one_place(self, topology: str, total: int) -> None:
        made = plan_tree([str(number) for number in range(total)], topology, 3)
        assert set(made.nodes) == {HEAD, *range(total)}
        for rank in range(total):
            node = made.nodes[rank]
            assert rank in made.nodes[node.parent].children
            assert node.level == made.nodes[node.parent].level + 1
        assert topology != "tree" or made.widest <= 3
        assert len(list(made.drawing())) == total + 1

    def test_ten_thousand_hosts(self) -> None:
        made = plan_tree([str(number) for number in range(10_000)], "tree", 4)
        assert made.levels == 7
