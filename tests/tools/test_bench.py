"""tools/bench: what counts as reached, the tables, and a real run that leaves nothing behind."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benchlib import show
from benchlib.cli import parser, wish_of
from benchlib.contenders import CONTENDERS, Course, booted_by_lam, choose, names_in, up_in_report
from benchlib.emulated import Run
from benchlib.hogs import busy
from benchlib.measure import Line, Wish, why_not
from benchlib.publish import CAMPAIGNS, PAGE

from tests.support.cluster import TOOLS, need


def bench(*words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOLS / "bench"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def course(tmp_path: Path, count: int = 3) -> Course:
    return Course([f"h{number:03}" for number in range(1, count + 1)], tmp_path, "rsh", ["mpboot"])


def test_a_host_counts_once_and_only_if_the_program_ran_there(tmp_path: Path) -> None:
    here = course(tmp_path)
    output = "h001: runs-on:h001:\nh001: runs-on:h001:\nh002: ssh: refused\nruns-on:head:\n[1] runs-on:h003:\n"
    assert names_in(output, here) == 2
    assert booted_by_lam("n0\thead:1:origin,this_node\nn1\th001:1:\nn2\th002:1:\nh003: lost\n", here) == 2
    assert up_in_report("", here) == 0
    here.report.write_text('{"up": 3}')
    assert up_in_report("", here) == 3


def test_every_contender_names_all_hosts_and_the_stand_in(tmp_path: Path) -> None:
    here = course(tmp_path)
    for one in CONTENDERS:
        words = " ".join(one.command(here))
        assert str(tmp_path) in words
        assert one.package or words.startswith("mpboot ")
    assert len({one.name for one in CONTENDERS}) == len(CONTENDERS)


def test_choosing() -> None:
    assert [one.name for one in choose("tree, adaptive")] == ["tree 2", "tree 3", "tree 4", "adaptive"]
    assert [one.name for one in choose("tree 4,tree 4")] == ["tree 4"]
    assert len(choose("")) == len(CONTENDERS)


def test_every_topology_can_run_a_command(tmp_path: Path) -> None:
    here = course(tmp_path)
    for one in choose("", command=True):
        words = one.command(here)
        assert here.tell in words or one.name == "lamboot"
    (flat,) = choose("flat", command=True)
    assert flat.command(here)[-2:] == ["--", here.tell]
    here.report.write_text('{"up": 3}')
    assert flat.reached("h001: runs-on:h001:\n", here) == 1, "up, but not run everywhere"


def test_choosing_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="--only slurm: there are adaptive"):
        choose("slurm")


def test_what_would_take_too_long_is_left_out() -> None:
    lamboot = choose("lamboot")[0]
    lamboot.program = ""  # as if installed
    assert why_not(lamboot, 147, Wish([147], latency=1.0)) == ""
    assert why_not(lamboot, 1000, Wish([1000], latency=1.0)) == "would take 2100 s"


def test_hogs_are_busy_and_end() -> None:
    with busy(1) as pids:
        assert len(pids) == os.cpu_count()
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_each_published_section_has_its_place_and_contenders(name: str) -> None:
    asked = parser().parse_args(CAMPAIGNS[name])
    assert f"<!-- measured: {name} -->\n" in PAGE.read_text()
    names = [one.name for one in choose(asked.only)]
    assert "adaptive" in names
    assert "with command" in names or name == "lamboot"
    assert (wish_of(asked).hogs > 0) == (name == "load")


def test_hogs_end_with_who_started_them() -> None:
    code = "from benchlib.hogs import busy\nwith busy(1) as pids: print(*pids, flush=True); input()"
    where = {**os.environ, "PYTHONPATH": str(TOOLS)}
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=where) as killed:
        assert killed.stdout is not None
        ends = [os.pidfd_open(int(pid)) for pid in killed.stdout.readline().split()]
        killed.kill()
    assert ends
    for end in ends:
        assert select.select([end], [], [], 60)[0]
        os.close(end)


def line(name: str, hosts: int, *seconds: float, problem: str = "") -> Line:
    return Line(name, "", hosts, [Run(one, hosts, 0.01 * hosts, problem) for one in seconds])


def test_tables() -> None:
    lines = [line("adaptive", 16, 1.0, 3.0, 2.0), line("lamboot", 16, 40.0), line("tree 2", 16, 4.0)]
    lines.append(line("taktuk", 16, 9.0, problem="reached 3 of 16"))
    assert show.by_hosts(lines, True).splitlines()[2:] == [
        "| hosts | lamboot | binary | adaptive |",
        "| --- | ---: | ---: | ---: |",
        "| 16 | 40.00 | 4.00 (10x) | 2.00 (20x) |",
        "",
    ]
    text = show.side_by_side(lines, False)
    assert ["adaptive", "2.00", "1.00-3.00", "1.00", "10.0"] in [row.split() for row in text.splitlines()]
    assert "taktuk: 1 of 1 runs: reached 3 of 16" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--hosts", "0"), "must be numbers from 1 to 5000"),
        (("--only", "slurm"), "--only slurm"),
        (("--repeat", "0"), "--repeat must be"),
        (("--hogs", "-1"), "--repeat must be"),
        (("--json", "/no/such/file"), "/no/such/file: can't be written there"),
    ],
)
def test_wrong_use_is_one_line(words: tuple[str, ...], message: str) -> None:
    done = bench(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.long
@pytest.mark.cluster
def test_a_run_measures_and_leaves_nothing(tmp_path: Path) -> None:
    need("namespaces")
    report, plot = tmp_path / "runs.json", tmp_path / "plot.svg"
    words = ["--hosts", "2,4", "--latency", "0.1", "--repeat", "2", "--only", "adaptive,tree 2,with", "--no-figures"]
    before = set(Path("/tmp").glob("mpb-*"))
    done = bench(*words, "--json", str(report), "--plot", str(plot), timeout=110)
    assert done.returncode == 0, done.stderr
    assert "hosts  binary  adaptive" in done.stdout
    told = json.loads(report.read_text())
    assert [(one["name"], one["hosts"]) for one in told["lines"]][:2] == [("adaptive", 2), ("tree 2", 2)]
    for one in told["lines"]:
        assert [run["reached"] for run in one["runs"]] == [one["hosts"]] * 2
        assert all(run["left"] == 0 and run["seconds"] > 0.1 and run["cpu"] > 0 for run in one["runs"])
    assert plot.read_text().startswith("<svg ")
    assert set(Path("/tmp").glob("mpb-*")) <= before


def test_a_plot_has_few_lines() -> None:
    names = [one.name for one in CONTENDERS]
    assert show.plotted(names) == list(show.PLOTTED), "all of them are measured"
    assert show.plotted(["flat", "adaptive"]) == ["adaptive", "flat"]
    assert len(show.plotted([f"launcher {number}" for number in range(20)])) == 7


def test_the_published_plot_can_be_read() -> None:
    """At most seven lines, each with a colour of its own, and names that do not touch."""
    svg = ElementTree.parse(TOOLS.parent / "docs" / "images" / "performance.svg")
    names = [one for one in svg.iter("{http://www.w3.org/2000/svg}text") if one.get("fill")]
    assert 2 <= len(names) <= 7
    heights = sorted(float(one.get("y", "")) for one in names)
    assert all(below - above >= 14 for above, below in zip(heights, heights[1:])), "pixels; the letters have 12"
    colours = [bytes.fromhex((one.get("fill") or "").lstrip("#")) for one in names]
    apart = [sum((a - b) ** 2 for a, b in zip(one, other)) ** 0.5 for one, other in combinations(colours, 2)]
    assert min(apart) > 75, "of 255 in each of red, green and blue"
