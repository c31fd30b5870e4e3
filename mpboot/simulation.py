"""mpboot plan --simulate: how long a boot would take, by each topology, as a table, JSON or a plot (SVG)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from ._version import __version__
from .machines import Machines, bound
from .tree.policy import ADAPTIVE, FLAT, LINEAR, RING, TREE
from .tree.simulate import Result, simulate

ALL = ((ADAPTIVE, 0), (TREE, 2), (TREE, 3), (TREE, 4), (FLAT, 0), (RING, 0), (LINEAR, 0))
LONGEST_RING = 1000  # hosts; each node of a ring hears of all behind it, so that a simulated one takes their square
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#7f5539", "#5f0f40")


@dataclass(frozen=True)
class Measured:
    """What a boot's JSON report tells of its machines; times in seconds."""

    cost: float
    latencies: tuple[float, ...]
    lead: float


def measured(path: str) -> Measured:
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
    cost = max((most[-1] - most[0]) / (len(most) - 1), 0.0005) if len(most) > 1 else 0.0005
    return Measured(cost, tuple(max(0.0, wait - cost) for wait in waits), min(most))


@dataclass
class Study:
    """The same machines, booted by several topologies."""

    hosts: int
    given: dict[str, Any]  # Machines' arguments but the first
    topologies: Sequence[tuple[str, int]] = ALL
    results: list[Result] = field(default_factory=list)

    def machines(self, hosts: int = 0) -> Machines:
        """The machines, the same ones each time."""
        return Machines(hosts or self.hosts, **self.given)

    def run(self) -> Study:
        """Simulate. ValueError where a time or a number can't be."""
        self.results = [simulate(self.machines(), *one) for one in self.topologies if self.feasible(one, self.hosts)]
        return self

    def feasible(self, one: tuple[str, int], hosts: int) -> bool:
        """Can it be simulated in reasonable time?"""
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
            mean, most = one.launches_per_node()
            late = f"{one.living:>12.2f} s" if bad else ""
            yield (
                f"{label(one.topology, one.children):14}{one.seconds:>12.2f} s{one.seconds / least:>9.2f}{one.depth:>7}"
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
        sizes = [size for size in steps(self.hosts) if self.machines(size).good]
        series = {"bound": [(size, self.bound(size)) for size in sizes]}
        for one in self.topologies:
            some = [size for size in sizes if self.feasible(one, size)]
            series[label(*one)] = [(size, simulate(self.machines(size), *one).seconds) for size in some]
        machines = self.machines()
        title = f"Simulated: {machines.cost * 1000:.3g} ms a launch, {machines.typical_latency():.3g} s latency"
        return draw(series, title, "hosts", "seconds until all are up")


def label(topology: str, children: int) -> str:
    """What a person calls it."""
    return f"{topology} {children}" if children else topology


def steps(most: int) -> list[int]:
    """1, 2, 5, 10 … up to ``most``, which is the last."""
    below = [digit * 10**power for power in range(len(str(most))) for digit in (1, 2, 5)]
    return [size for size in below if size < most] + [most]


# -- the plot --------------------------------------------------------------------------------------

FONT = 'font-family="sans-serif" font-size="12"'
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 64, 150, 40, 52


def draw(series: Mapping[str, Sequence[tuple[float, float]]], title: str, across: str, up: str) -> str:
    """A plot of named lines as SVG, both axes logarithmic; values must be more than 0."""
    points = [point for line in series.values() for point in line]
    xs = _Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    ys = _Axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]
    for value in xs.marks():
        x = xs.at(value)
        out.append(f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" stroke="#e4e4e4"/>')
        out.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:,.10g}</text>')
    for value in ys.marks():
        y = ys.at(value)
        out.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#e4e4e4"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:,.10g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(across)}</text>')
    turn = f"translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"
    out.append(f'<text transform="{turn}" text-anchor="middle">{escape(up)}</text>')
    ends = sorted((ys.at(line[-1][1]), name) for name, line in series.items() if line)
    heights = _apart([height for height, _ in ends], 15)
    names = dict(zip([name for _, name in ends], heights))
    for number, (name, line) in enumerate(series.items()):
        if not line:
            continue
        colour = COLOURS[number % len(COLOURS)] if name != "bound" else "#000"
        dash = ' stroke-dasharray="5 4"' if name == "bound" else ""
        path = "L".join(f"{xs.at(x)} {ys.at(y)}" for x, y in line)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        out += [f'<circle cx="{xs.at(x)}" cy="{ys.at(y)}" r="2.5" fill="{colour}"/>' for x, y in line]
        x, y = xs.at(line[-1][0]), ys.at(line[-1][1])
        at = WIDTH - RIGHT + 14
        out.append(f'<path d="M{x + 3} {y}L{at - 3} {names[name]}" stroke="{colour}" stroke-width="0.7"/>')
        out.append(f'<text x="{at}" y="{names[name] + 4}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def _apart(heights: list[float], gap: float) -> list[float]:
    """The sorted ``heights``, moved so that each is ``gap`` from the next and none is below the plot."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    over = placed[-1] - (HEIGHT - BOTTOM) if placed else 0.0
    if over > 0:
        placed[-1] -= over
        for index in range(len(placed) - 2, -1, -1):
            placed[index] = min(placed[index], placed[index + 1] - gap)
    return placed


class _Axis:
    """A logarithmic axis from pixel ``begin`` to pixel ``end``."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self.low, self.high = min(values), max(values)
        if self.high < self.low * 1.5:
            self.low, self.high = self.low / 1.5, self.high * 1.5
        self.begin, self.end = begin, end

    def at(self, value: float) -> float:
        """The pixel of a value."""
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.begin + part * (self.end - self.begin), 1)

    def marks(self) -> list[float]:
        """Round values on it: powers of ten, and 2 and 5 between them where there is room."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        few = self.high / self.low < 3000
        every = [digit * 10.0**power for power in powers for digit in ((1, 2, 5) if few else (1,))]
        return [value for value in every if self.low * 0.999 <= value <= self.high * 1.001]
