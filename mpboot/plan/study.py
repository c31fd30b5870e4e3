"""How long a boot would take by each topology (``mpboot plan --simulate``), as a table, JSON or a plot."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpboot._version import __version__
from mpboot.plan.machines import Machines, bound
from mpboot.plan.plot import draw
from mpboot.plan.simulate import simulate
from mpboot.plan.simulated import SimulatedBoot
from mpboot.tree.policy import ADAPTIVE, FLAT, LINEAR, RING, TREE

ALL = ((ADAPTIVE, 0), (TREE, 2), (TREE, 3), (TREE, 4), (FLAT, 0), (RING, 0), (LINEAR, 0))
LONGEST_RING = 1000  # hosts; each node of a ring hears of all behind it, so simulating takes the square of that
LEAST_COST = 0.0005  # seconds of a launch, where the report shows less


@dataclass(frozen=True)
class MeasuredTimes:
    """What a boot's JSON report tells of its machines; times in seconds."""

    cost: float
    latencies: tuple[float, ...]
    lead: float


def read_report(path: str) -> MeasuredTimes:
    """Read a report of ``mpboot --json``. ValueError if it is none, or fewer than two hosts came up."""
    try:
        hosts = json.loads(Path(path).read_text())["hosts"].values()
        ups = [host for host in hosts if host["state"] == "up"]
        begun: dict[str, list[float]] = {}
        for host in ups:
            begun.setdefault(host["parent"], []).append(host["launched"])
        waits = [host["up"] - host["launched"] for host in ups]
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path}: is not a report of mpboot --json") from None
    if len(ups) < 2:
        raise ValueError(f"{path}: fewer than two hosts came up in that boot")
    most = max((sorted(times) for times in begun.values()), key=len)
    # Launches come in bursts: the first are ordered at once, those that follow as the machine keeps up.
    cost = max((most[-1] - most[0]) / (len(most) - 1), LEAST_COST) if len(most) > 1 else LEAST_COST
    return MeasuredTimes(cost, tuple(max(0.0, wait - cost) for wait in waits), min(most))


@dataclass
class Study:
    """The same machines, booted by several topologies."""

    hosts: int
    given: dict[str, Any]  # Machines' arguments beside the number of hosts
    topologies: Sequence[tuple[str, int]] = ALL
    results: list[SimulatedBoot] = field(default_factory=list)

    def machines(self, hosts: int = 0) -> Machines:
        """The machines, the same ones each time; as many as the study's, or ``hosts``."""
        return Machines(hosts or self.hosts, **self.given)

    def run(self) -> Study:
        """Simulate them all. ValueError for a time or a number that makes no sense."""
        self.results = [simulate(self.machines(), *one) for one in self.topologies if self.feasible(one, self.hosts)]
        return self

    def feasible(self, one: tuple[str, int], hosts: int) -> bool:
        """Can ``one``, a topology and its children, be simulated in reasonable time?"""
        return one[0] != RING or hosts <= LONGEST_RING

    def bound(self, hosts: int = 0) -> float:
        """Seconds for the good hosts at best: every node that is up ends a launch every ``cost`` seconds."""
        machines = self.machines(hosts)
        return machines.lead + bound(machines.good, machines.cost, machines.typical_latency())

    def lines(self) -> Iterator[str]:
        """The table."""
        machines = self.machines()
        bad = [f"{len(ranks)} {name}" for name, ranks in (("slow", machines.slow), ("dead", machines.dead)) if ranks]
        among = f" ({', '.join(bad)})" if bad else ""
        yield (
            f"{self.hosts} host{'s' * (self.hosts != 1)}{among}, a launch costs {machines.cost * 1000:.3g} ms, "
            f"an agent is up {machines.typical_latency():.3g} s later"
        )
        least = self.bound()
        good = "good hosts up" if bad else "all up"
        yield ""
        heading = f"{'topology':14}{good:>14}  / bound  depth  parents  launches a node: mean, most"
        yield heading + "   all live up" * bool(bad)
        yield f"{'bound':14}{least:>12.2f} s{1:>9.2f}"
        for one in self.results:
            name = topology_label(one.topology, one.children)
            mean, most = one.launches_per_node()
            late = f"{one.living:>12.2f} s" if bad else ""
            yield (
                f"{name:14}{one.seconds:>12.2f} s{one.seconds / least:>9.2f}{one.depth:>7}"
                f"{one.parents:>9}{mean:>23.1f}{most:>6}{late}"
            )
        for name, _ in self.topologies:
            if not self.feasible((name, 0), self.hosts):
                yield f"{name}: not simulated for more than {LONGEST_RING} hosts"

    def to_dict(self) -> dict[str, object]:
        """The table for programs."""
        machines = self.machines()
        least = self.bound()
        rows = []
        for one in self.results:
            mean, most = one.launches_per_node()
            rows.append({
                "topology": one.topology, "children": one.children or "auto", "seconds": round(one.seconds, 4),
                "ratio": round(one.seconds / least, 3), "all_live": round(one.living, 4), "depth": one.depth,
                "parents": one.parents, "launches_mean": round(mean, 2), "launches_most": most,
            })  # fmt: skip
        return {
            "mpboot": __version__, "hosts": self.hosts, "slow": len(machines.slow), "dead": len(machines.dead),
            "cost": machines.cost, "latency": machines.typical_latency(), "bound": round(least, 4), "topologies": rows,
        }  # fmt: skip

    def write_plot(self, path: str) -> None:
        """Write the plot to a file. OSError if that can't be."""
        Path(path).write_text(self.plot(), encoding="utf-8")

    def plot(self) -> str:
        """Time against hosts, as SVG."""
        sizes = [size for size in plot_sizes(self.hosts) if self.machines(size).good]
        series = {"bound": [(size, self.bound(size)) for size in sizes]}
        for one in self.topologies:
            some = [size for size in sizes if self.feasible(one, size)]
            series[topology_label(*one)] = [(size, simulate(self.machines(size), *one).seconds) for size in some]
        machines = self.machines()
        title = f"Simulated: {machines.cost * 1000:.3g} ms a launch, {machines.typical_latency():.3g} s latency"
        return draw(series, title, "hosts", "seconds until all are up")


def topology_label(topology: str, children: int) -> str:
    """What a person calls a topology with its number of children."""
    return f"{topology} {children}" if children else topology


def plot_sizes(most: int) -> list[int]:
    """The numbers of hosts that a plot shows: 1, 2, 5, 10 … up to ``most``, which is the last."""
    below = [digit * 10**power for power in range(len(str(most))) for digit in (1, 2, 5)]
    return [size for size in below if size < most] + [most]
