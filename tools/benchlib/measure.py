"""Runs, repeats, medians. What is written to --json and read by the tables."""

import datetime
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from .contenders import Contender
from .emulated import Emulated, Run, emulated
from .hogs import busy
from .program import Program

MOST_SEQUENTIAL = 400.0  # seconds that one run of a sequential contender may be expected to take


@dataclass
class Wish:
    """What was asked for."""

    hosts: list[int]
    mode: str = "bare"
    latency: float = 1.0
    repeat: int = 3
    limit: float = 120.0  # seconds that a run may take; sequential ones get more
    hogs: int = 0  # busy processes for each processor, meanwhile


@dataclass
class Line:
    """A contender at a number of hosts."""

    name: str
    what: str
    hosts: int
    runs: list[Run] = field(default_factory=list)
    why_not: str = ""

    @property
    def good(self) -> list[Run]:
        """Those that reached every host."""
        return [run for run in self.runs if not run.problem]

    @property
    def seconds(self) -> float:
        """The median of the good runs; 0 without any."""
        return median(run.seconds for run in self.good) if self.good else 0.0

    @property
    def problem(self) -> str:
        """Why there is no figure, or what some runs had."""
        bad = [run.problem for run in self.runs if run.problem]
        return self.why_not or (f"{len(bad)} of {len(self.runs)} runs: {bad[0]}" if bad else "")

    def per_host(self) -> float:
        """Milliseconds of processor time a host, head included; the median."""
        return 1000 * median(run.cpu for run in self.good) / self.hosts if self.good else 0.0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def expected(one: Contender, hosts: int, wish: Wish) -> float:
    """Seconds that a sequential contender takes at least."""
    each = (wish.latency if wish.mode == "bare" else 0.2) * (2.1 if one.name == "lamboot" else 1.15)
    return hosts * each if one.sequential else 0.0


def measure(wish: Wish, chosen: Sequence[Contender], program: Program) -> list[Line]:
    """All contenders at all numbers of hosts, the repeats taken in turn."""
    lines: list[Line] = []
    for hosts in wish.hosts:
        here = [Line(one.name, one.what, hosts, why_not=why_not(one, hosts, wish)) for one in chosen]
        pairs = [(one, line) for one, line in zip(chosen, here) if not line.why_not]
        lines += here
        for unprivileged in (False, True):
            some = [pair for pair in pairs if pair[0].unprivileged == unprivileged]
            if some:
                with emulated(hosts, wish.mode, wish.latency, program, unprivileged) as cluster, busy(wish.hogs):
                    take_turns(cluster, some, wish)
    return lines


def why_not(one: Contender, hosts: int, wish: Wish) -> str:
    if not one.is_here:
        return f"not installed (Debian's {one.package})"
    if expected(one, hosts, wish) > MOST_SEQUENTIAL:
        return f"would take {expected(one, hosts, wish):.0f} s"
    return ""


def take_turns(cluster: Emulated, pairs: Sequence[tuple[Contender, Line]], wish: Wish) -> None:
    for turn in range(wish.repeat):
        for one, line in pairs:
            long = expected(one, cluster.count, wish)
            if turn and (long > 30 or (len(line.runs) == turn and not line.good)):
                continue  # what takes long varies little, and what never works need not be tried again
            run = cluster.run(one, max(wish.limit, 3 * long))
            line.runs.append(run)
            left = f"; {run.left} processes left behind were killed" if run.left else ""
            say(f"{cluster.count:5} hosts  {one.name:14}{run.seconds:8.2f} s  {run.problem or 'all reached'}{left}")


def machine() -> dict[str, object]:
    """Where and when this is measured."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return {
        "date": datetime.date.today().isoformat(), "processors": os.cpu_count(), "model": model, "memory_gib": memory,
        "kernel": platform.release(), "python": platform.python_version(), "load_before": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def as_dict(line: Line) -> dict[str, object]:
    """For --json."""
    return {**asdict(line), "seconds": round(line.seconds, 3), "problem": line.problem}
