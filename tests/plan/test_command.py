"""The command `mpboot plan --simulate`: its table, JSON, plot, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.run_mpboot import mpboot


def test_the_command_prints_a_table_beside_the_bound() -> None:
    done = mpboot("plan", "--simulate", "--hosts", "n[1-147]", "--dead", "10%")
    assert done.returncode == 0, done.stderr
    assert "147 hosts (15 dead), a launch costs 12 ms, an agent is up 0.35 s later" in done.stdout
    for name in ("bound", "adaptive", "tree 2", "tree 3", "tree 4", "flat", "ring", "linear"):
        assert f"\n{name} " in done.stdout


def test_the_command_writes_json_and_a_plot(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    arguments = ["plan", "--simulate", "--hosts-count", "1000", "--topology", "adaptive", "--json", "-"]
    done = mpboot(*arguments, "--plot", str(plot))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["bound"] == pytest.approx(1.18, abs=0.01)
    assert [one["topology"] for one in told["topologies"]] == ["adaptive"]
    assert told["topologies"][0]["ratio"] < 1.15
    assert plot.read_text().startswith("<svg ")
    assert ">adaptive</text>" in plot.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cost", "1", "--hosts", "a"), "--cost goes with --simulate"),
        (("--simulate", "--hosts-count", "0"), "--hosts-count must be a number from 1"),
        (("--simulate", "--hosts-count", "9", "--dead", "101%"), "--dead must be a percentage"),
        (("--simulate", "--hosts-count", "9", "--latency", "gone.json"), "gone.json: No such file"),
        (("--simulate", "--hosts-count", "9", "--slow", "60", "--dead", "60"), "can't be more than all"),
        (("--simulate", "--hosts-count", "9", "--plot", "/no/such/x.svg"), "--plot /no/such/x.svg: No such file"),
    ],
)
def test_wrong_use_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = mpboot("plan", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
