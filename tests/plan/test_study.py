"""A study: what a report tells of machines, the table, JSON and the plot, and how far each goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mpboot._version import __version__
from mpboot.plan import study
from mpboot.plan.machines import bound
from mpboot.plan.study import ALL, LONGEST_RING, MeasuredTimes, Study, plot_sizes, read_report, topology_label
from mpboot.tree.policy import ADAPTIVE, FLAT, LINEAR, RING, TREE

# -- a report --------------------------------------------------------------------------------------


def up(parent: str, launched: float, wait: float) -> dict[str, Any]:
    return {"state": "up", "parent": parent, "launched": launched, "up": launched + wait}


def written(tmp_path: Path, hosts: list[dict[str, Any]]) -> str:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"hosts": {f"h{number}": host for number, host in enumerate(hosts)}}))
    return str(path)


def test_a_report_is_learned_from(tmp_path: Path) -> None:
    hosts = [up("head", 0.1 + n / 100, 1.01) for n in range(9)]
    known = read_report(written(tmp_path, [*hosts, {"state": "failed"}]))
    assert known.cost == pytest.approx(0.01)
    assert known.latencies == pytest.approx([1.0] * 9)
    assert known.lead == pytest.approx(0.1)


def test_the_busiest_parent_tells_the_cost(tmp_path: Path) -> None:
    below = [up("h0", 9.0, 1.0), up("h0", 1.0, 5.0)]
    known = read_report(written(tmp_path, [up("head", 4.0, 2.25), up("head", 0.5, 3.0), *below, up("head", 1.0, 1.5)]))
    assert known == MeasuredTimes(1.75, (0.5, 1.25, 0.0, 3.25, 0.0), 0.5)


@pytest.mark.parametrize("times", [(1.0, 1.0), (1.0, 1.0004)])
def test_a_launch_costs_something_in_any_case(tmp_path: Path, times: tuple[float, float]) -> None:
    known = read_report(written(tmp_path, [up("head", when, 2.0) for when in times]))
    assert (known.cost, known.lead) == (0.0005, 1.0)
    alone = read_report(written(tmp_path, [up("head", 1.0, 2.0), up("h0", 7.0, 2.0)]))
    assert (alone.cost, alone.lead) == (0.0005, 1.0)
    assert alone.latencies == pytest.approx((1.9995, 1.9995))


def test_two_launches_tell_the_cost(tmp_path: Path) -> None:
    known = read_report(written(tmp_path, [up("head", 1.0, 2.0), up("head", 1.5, 2.0)]))
    assert known == MeasuredTimes(0.5, (1.5, 1.5), 1.0)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hosts": 3}', '{"hosts": {"a": 3}}', '{"hosts": {"a": {}}}',
                                  '{"hosts": {"a": {"state": "up", "parent": "head", "launched": 1.0}}}'])  # fmt: skip
def test_what_is_no_report(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{path}: is not a report of mpboot --json$"):
        read_report(str(path))


def test_what_can_not_be_learned_from(tmp_path: Path) -> None:
    path = written(tmp_path, [up("head", 1.0, 1.0), {"state": "failed"}])
    with pytest.raises(ValueError, match=f"^{path}: fewer than two hosts came up in that boot$"):
        read_report(path)
    with pytest.raises(ValueError, match=f"^{tmp_path}/gone: No such file or directory$"):
        read_report(f"{tmp_path}/gone")


# -- the table -------------------------------------------------------------------------------------


def test_the_table() -> None:
    """Arithmetic tells all of it: the tree's second level begins 16 ms after the first host is up, at 3.5 s."""
    some = Study(4, {"cost": 0.5, "latency": 2.0, "lead": 1.0}, [(FLAT, 0), (LINEAR, 0), (TREE, 2)])
    assert list(some.run().lines()) == [
        "4 hosts, a launch costs 500 ms, an agent is up 2 s later",
        "",
        "topology              all up  / bound  depth  parents  launches a node: mean, most",
        "bound                 5.00 s     1.00",
        "flat                  5.00 s     1.00      1        0                    4.0     4",
        "linear               11.00 s     2.20      1        0                    4.0     4",
        "tree 2                6.52 s     1.30      2        1                    2.0     2",
    ]


def test_the_table_where_some_are_slow_or_dead() -> None:
    given = {"cost": 0.5, "latency": 2.0, "slow": 0.5, "slowness": 3.0, "dead": 0.25, "timeout": 9.0, "retries": 0}
    lines = list(Study(4, given, [(FLAT, 0)]).run().lines())
    assert lines[0] == "4 hosts (2 slow, 1 dead), a launch costs 500 ms, an agent is up 2 s later"
    assert lines[2] == (
        "topology       good hosts up  / bound  depth  parents  launches a node: mean, most   all live up"
    )
    assert lines[3] == "bound                 2.50 s     1.00"
    seconds = Study(4, given, [(FLAT, 0)]).run().results[0]
    assert lines[4:] == [
        f"flat          {seconds.seconds:>12.2f} s{seconds.seconds / 2.5:>9.2f}      1        0"
        f"                    4.0     4{seconds.living:>12.2f} s"
    ]
    (only_dead, *_) = Study(4, {"dead": 0.25}, []).lines()
    assert only_dead == "4 hosts (1 dead), a launch costs 12 ms, an agent is up 0.35 s later"
    (one, *_) = Study(1, {"cost": 0.001}, []).lines()
    assert one == "1 host, a launch costs 1 ms, an agent is up 0.35 s later"
    (one, *_) = Study(1, {"cost": 0.0123456, "latency": 0.123456}, []).lines()
    assert one == "1 host, a launch costs 12.3 ms, an agent is up 0.123 s later"


def test_a_ring_of_thousands_is_left_out() -> None:
    lines = list(Study(1500, {}, [(RING, 0)]).run().lines())
    assert lines[-1] == "ring: not simulated for more than 1000 hosts"
    assert not any(line.startswith("ring ") for line in lines)
    assert Study(1001, {}).feasible((RING, 0), LONGEST_RING)
    assert not Study(1, {}).feasible((RING, 0), LONGEST_RING + 1)
    assert Study(1, {}).feasible((LINEAR, 0), 10**6)


def test_all_topologies_are_studied() -> None:
    some = Study(20, {"dead": 0.1}).run()
    assert [(one.topology, one.children) for one in some.results] == list(ALL)
    assert [line.split("  ")[0] for line in some.lines()][4:] == [
        "adaptive", "tree 2", "tree 3", "tree 4", "flat", "ring", "linear",
    ]  # fmt: skip
    assert len({one.machines.dead for one in some.results}) == 1


def test_the_bound_is_of_the_good_hosts_and_begins_when_the_head_does() -> None:
    some = Study(100, {"cost": 0.25, "latency": 1.0, "lead": 0.5, "slow": 0.2, "dead": 0.1})
    assert some.bound() == 0.5 + bound(70, 0.25, 1.0)
    assert some.bound(10) == 0.5 + bound(7, 0.25, 1.0)
    assert (some.machines().hosts, some.machines(10).hosts) == (100, 10)


# -- for programs ----------------------------------------------------------------------------------


def test_json() -> None:
    given = {"cost": 0.5, "latency": 2.0, "slow": 0.25, "dead": 0.25, "retries": 0, "timeout": 1.0, "lead": 0.00004}
    some = Study(4, given, [(FLAT, 0), (TREE, 2)]).run()
    told = some.to_dict()
    flat, tree = some.results
    assert {key: value for key, value in told.items() if key != "topologies"} == {
        "mpboot": __version__, "hosts": 4, "slow": 1, "dead": 1, "cost": 0.5, "latency": 2.0, "bound": 3.0,
    }  # fmt: skip
    assert told["topologies"] == [
        {
            "topology": one.topology, "children": children, "seconds": round(one.seconds, 4),
            "ratio": round(one.seconds / some.bound(), 3), "all_live": round(one.living, 4), "depth": one.depth,
            "parents": one.parents, "launches_mean": round(one.launches_per_node()[0], 2),
            "launches_most": one.launches_per_node()[1],
        }
        for one, children in ((flat, "auto"), (tree, 2))
    ]  # fmt: skip
    assert json.loads(json.dumps(told)) == told


def test_json_is_rounded() -> None:
    given = {"cost": 1 / 7, "latency": 1 / 3, "startup": 0.0, "delay": 0.0}
    told = Study(11, given, [(TREE, 2)]).run().to_dict()
    assert told == {
        "mpboot": __version__, "hosts": 11, "slow": 0, "dead": 0, "cost": 1 / 7, "latency": 1 / 3, "bound": 1.2381,
        "topologies": [{
            "topology": "tree", "children": 2, "seconds": 1.7143, "ratio": 1.385, "all_live": 1.7143, "depth": 3,
            "parents": 5, "launches_mean": 1.83, "launches_most": 2,
        }],
    }  # fmt: skip


def test_a_thousand_hosts_are_close_to_the_bound() -> None:
    told = Study(1000, {}, [(ADAPTIVE, 0)]).run().to_dict()
    assert told["bound"] == pytest.approx(1.18, abs=0.01)
    topologies: Any = told["topologies"]
    assert [one["ratio"] < 1.15 for one in topologies] == [True]


# -- the plot --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "sizes"),
    [
        (1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (10, [1, 2, 5, 10]), (11, [1, 2, 5, 10, 11]),
        (99, [1, 2, 5, 10, 20, 50, 99]), (147, [1, 2, 5, 10, 20, 50, 100, 147]),
    ],
)  # fmt: skip
def test_sizes_of_a_plot(most: int, sizes: list[int]) -> None:
    assert plot_sizes(most) == sizes


def test_the_plot(tmp_path: Path) -> None:
    some = Study(30, {"cost": 0.5, "latency": 1.0, "dead": 0.5, "retries": 0}, [(FLAT, 0), (TREE, 2)])
    some.write_plot(str(tmp_path / "plot.svg"))
    text = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    assert text == some.plot()
    drawn = ElementTree.fromstring(text)
    texts = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "Simulated: 500 ms a launch, 1 s latency"
    assert texts[-5:] == ["hosts", "seconds until all are up", "bound", "flat", "tree 2"]
    circles = list(drawn.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(circles) == 3 * len(plot_sizes(30))


@pytest.mark.parametrize(("cost", "told"), [(0.001, "1"), (0.2344, "234"), (0.2345, "234"), (1.5, "1.5e+03")])
def test_the_title_of_a_plot(cost: float, told: str) -> None:
    drawn = ElementTree.fromstring(Study(1, {"cost": cost, "latency": 0.123456}, []).plot())
    title = drawn.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == f"Simulated: {told} ms a launch, 0.123 s latency"


def test_the_plot_has_the_times_of_the_study() -> None:
    some = Study(2, {"cost": 0.5, "latency": 1.5}, [(FLAT, 0)])
    drawn = ElementTree.fromstring(some.plot())
    lines = [one for one in drawn.iter("{http://www.w3.org/2000/svg}path") if one.get("stroke-width") == "2"]
    assert len(lines) == 2
    # One and two hosts, after 2 and 2.5 seconds: the bound's and the flat boot's.
    assert lines[0].get("d") == lines[1].get("d")
    texts = {one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"1", "2"} <= texts


def test_no_plot_of_a_size_without_good_hosts() -> None:
    some = Study(3, {"dead": 0.6}, [(FLAT, 0)])
    assert [some.machines(size).good for size in plot_sizes(3)] == [0, 1, 1]
    drawn = ElementTree.fromstring(some.plot())
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 4


def test_the_plot_goes_no_further_than_a_ring_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "LONGEST_RING", 10)
    drawn = ElementTree.fromstring(Study(20, {}, [(RING, 0), (FLAT, 0)]).plot())
    circles = [one.get("fill") for one in drawn.iter("{http://www.w3.org/2000/svg}circle")]
    counts = [circles.count(colour) for colour in dict.fromkeys(circles)]
    assert counts == [5, 4, 5]


def test_labels() -> None:
    assert (topology_label(TREE, 4), topology_label(ADAPTIVE, 0)) == ("tree 4", "adaptive")
