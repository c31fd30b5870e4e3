"""The command `mpboot plan`: what it takes, what it prints, what it refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mpboot.plan.tree import plan_tree
from mpboot.tree.ledger import HEAD
from tests.cli.conftest import Refused
from tests.support.run_mpboot import MPBOOT, environment, mpboot


class TestTree:
    def test_tree(self) -> None:
        lines = mpboot("plan", "--hosts", "h[1-6]", "--children", "2").stdout.splitlines()
        assert lines[0] == "head"
        assert sum("h" in line for line in lines[1:-1]) == 6
        assert lines[-1] == "6 hosts, tree: 2 levels, at most 2 children each, all up in the time of 2 launches"

    def test_ring_stays_in_its_column(self) -> None:
        lines = mpboot("plan", "--hosts", "h[1-40]", "--topology", "ring").stdout.splitlines()
        assert max(map(len, lines[:-1])) < 10
        assert "40 levels" in lines[-1]

    def test_json(self) -> None:
        made = json.loads(mpboot("plan", "--hosts", "a,b,c", "--topology", "linear", "--json", "-").stdout)
        assert [made["hosts"][name]["step"] for name in "abc"] == [1, 2, 3]
        assert made["levels"] == 1

    def test_how_wide_is_a_number_or_auto(self) -> None:
        for words, told in (((), "auto"), (("--children", "auto"), "auto"), (("-f", "9"), 9), (("--children", "2"), 2)):
            assert json.loads(mpboot("plan", "--hosts", "a,b", *words, "--json", "-").stdout)["children"] == told

    def test_a_boots_command_line_with_one_more_word(self) -> None:
        every = ["a,b,c", "-x", "b", "--timeout", "3", "--keep", "--name", "x", "--quorum", "1", "--rsh", "none", "-v",
                 "--quiet", "--env", "A=1", "--output-dir", "/nonexistent", "-b", "--barrier", "-n"]  # fmt: skip
        run = mpboot("plan", *every, "--", "echo", "a b")
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout.splitlines()[1:] == [
            "├── a", "└── c", "2 hosts, adaptive: 1 level, at most 2 children each, all up in the time of 1 launch",
            "would run on each: echo 'a b'",
        ]  # fmt: skip

    def test_what_a_boot_would_refuse_is_refused(self, refused: Refused) -> None:
        for words in (("--timeout", "never"), ("--transport", "udp"), ("--user", "-"), ("--env", "=")):
            assert refused("plan", "a,b", *words) == refused("a,b", *words)

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

    @pytest.mark.long
    def test_ten_thousand_hosts(self) -> None:
        made = plan_tree([str(number) for number in range(10_000)], "tree", 4)
        assert made.levels == 7

    def test_what_is_doubtful_about_the_hosts_is_said(self) -> None:
        run = mpboot("plan", "--hosts", "a,a,b")
        assert run.stderr.startswith("mpboot: warning: ")
        assert run.stdout.splitlines()[-1].startswith("2 hosts, ")


class TestSimulate:
    def table(self, *arguments: str) -> dict[str, list[str]]:
        """The table's rows by their first word or two."""
        run = mpboot("plan", "--simulate", *arguments)
        assert run.returncode == 0, run.stderr
        lines = run.stdout.splitlines()[3:]
        return {line[:14].strip(): line[14:].split() for line in lines}

    def test_all_topologies_beside_the_bound(self) -> None:
        rows = self.table("--hosts-count", "20")
        assert list(rows) == ["bound", "adaptive", "tree 2", "tree 3", "tree 4", "flat", "ring", "linear"]
        assert all(float(row[0]) >= float(rows["bound"][0]) for row in rows.values())

    @pytest.mark.parametrize(
        ("arguments", "row"),
        [
            (("--topology", "ring"), "ring"),
            (("--topology", "tree", "--children", "3"), "tree 3"),
            (("--children", "3"), "tree 3"),
            (("--topology", "tree"), "tree 4"),
            (("--children", "auto"), "adaptive"),
        ],
    )
    def test_the_one_that_is_named(self, arguments: tuple[str, ...], row: str) -> None:
        assert list(self.table("--hosts-count", "9", *arguments)) == ["bound", row]

    def test_the_hosts_of_a_list(self) -> None:
        run = mpboot("plan", "--simulate", "--hosts", "h[1-7]", "--topology", "flat")
        assert run.stdout.startswith("7 hosts, a launch costs 12 ms, an agent is up 0.35 s later\n")

    def test_times_and_bad_hosts(self) -> None:
        run = mpboot(
            "plan", "--simulate", "--hosts-count", "40", "--topology", "flat",
            "--cost", "0.5", "--latency", "2", "--slow", "5%", "--dead", "10%",
        )  # fmt: skip
        assert run.stdout.startswith("40 hosts (2 slow, 4 dead), a launch costs 500 ms, an agent is up 2 s later\n")

    def test_times_of_a_report(self, tmp_path: Path) -> None:
        hosts = {
            f"h{rank}": {"state": "up", "parent": "head", "launched": rank / 8, "up": rank / 8 + 1.0}
            for rank in range(4)
        }
        (tmp_path / "report").write_text(json.dumps({"hosts": hosts}))
        known = (
            "plan",
            "--simulate",
            "--hosts-count",
            "4",
            "--topology",
            "flat",
            "--latency",
            str(tmp_path / "report"),
        )
        assert "a launch costs 125 ms, an agent is up 0.875 s later" in mpboot(*known).stdout
        assert "a launch costs 250 ms, an agent is up 0.875 s later" in mpboot(*known, "--cost", "0.25").stdout

    def test_json_and_a_plot(self, tmp_path: Path) -> None:
        words = ("--hosts-count", "5", "--topology", "flat", "--json", "-", "--plot", str(tmp_path / "plot.svg"))
        told = json.loads(mpboot("plan", "--simulate", *words).stdout)
        assert (told["hosts"], [row["topology"] for row in told["topologies"]]) == (5, ["flat"])
        assert ElementTree.parse(tmp_path / "plot.svg").getroot().tag.endswith("svg")

    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            (("--cost", "1"), "--cost goes with --simulate"),
            (("--latency", "1"), "--latency goes with --simulate"),
            (("--slow", "0%"), "--slow goes with --simulate"),
            (("--dead", "5%"), "--dead goes with --simulate"),
            (("--hosts-count", "5"), "--hosts-count goes with --simulate"),
            (("--plot", "x"), "--plot goes with --simulate"),
            (("--simulate",), "no hosts given: "),
            (("--simulate", "--hosts-count", "0"), "--hosts-count must be a number from 1 to 1000000, not '0'"),
            (("--simulate", "--hosts-count", "2", "--slow", "x"), "--slow must be a percentage such as 5%, not 'x'"),
            (("--simulate", "--hosts-count", "2", "--latency", "none"), "--latency none: No such file or directory: "),
            (("--simulate", "--hosts-count", "2", "--latency", "0"), "--latency must be a number of seconds, "),
            (("--simulate", "--hosts-count", "2", "--plot", "/"), "--plot /: Is a directory: give a file that can be "),
            (("--simulate", "--hosts-count", "2", "--children", "auto", "--topology", "ring"), "--children auto: "),
        ],
    )
    def test_refused(self, refused: Refused, arguments: tuple[str, ...], line: str) -> None:
        assert refused("plan", *arguments).startswith(f"mpboot: {line}")


@pytest.mark.parametrize(("words", "named"), [(["hosts"], "a hostfile"), (["--hosts", "a"], "--hosts")])
def test_a_count_beside_hosts_is_refused(refused: Refused, words: list[str], named: str) -> None:
    line = f"--hosts-count and {named} both say how many hosts: give one of them"
    assert refused("plan", *words, "--simulate", "--hosts-count", "9") == f"mpboot: {line}"


def test_a_count_counts_more_than_hosts_of_the_environment() -> None:
    run = mpboot("plan", "--simulate", "--hosts-count", "9", MPBOOT_HOSTS="a,b")
    assert run.stdout.startswith("9 hosts, ")


@pytest.mark.parametrize("option", ["--plot", "--json"])
def test_a_report_of_an_earlier_boot_is_not_overwritten(refused: Refused, option: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert mpboot("--hosts", "a,b", "--rsh", "local", "--json", str(report)).returncode == 0
    before = report.read_text()
    words = ("plan", "--simulate", "--hosts-count", "3", "--latency", str(report), option, str(report))
    assert (
        refused(*words) == f"mpboot: {option} {report}: {report} is read, and would be overwritten: name another file"
    )
    assert report.read_text() == before
