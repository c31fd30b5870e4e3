"""The tables, for a terminal or as Markdown, and the plot."""

import importlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from .measure import Line

COMPARED = ("lamboot", "tree 2", "tree 3", "tree 4", "ring", "adaptive")
# What a plot shows, if it was measured: of launchers of a kind the fastest that leaves an agent, and those without.
PLOTTED = ("lamboot", "ring", "tree 4", "taktuk", "openmpi 64", "adaptive", "clush -f 64")
MOST_PLOTTED = 7
HEADINGS = {"tree 2": "binary", "tree 3": "trinary", "tree 4": "quad"}


def table(rows: Sequence[Sequence[str]], markdown: bool) -> str:
    """Rows, the first of them the heading, in columns."""
    if markdown:
        ruled = [rows[0], ["---"] + ["---:"] * (len(rows[0]) - 1), *rows[1:]]
        return "".join(f"| {' | '.join(row)} |\n" for row in ruled)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text = ""
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        text += "  ".join(cells).rstrip() + "\n"
    return text


def of(lines: Iterable[Line], name: str, hosts: int) -> Line:
    found = [line for line in lines if (line.name, line.hosts) == (name, hosts)]
    return found[0] if found else Line(name, "", hosts)


def sizes(lines: Iterable[Line]) -> list[int]:
    return sorted({line.hosts for line in lines})


def side_by_side(lines: Sequence[Line], markdown: bool) -> str:
    """For each number of hosts: seconds (median, least to most), times mpboot's, processor time a host."""
    text = ""
    for hosts in sizes(lines):
        own = of(lines, "adaptive", hosts).seconds
        rows = [[f"{hosts} hosts", "seconds", "least-most", "times adaptive", "CPU ms a host"]]
        here = [line for line in lines if line.hosts == hosts]
        for line in [one for one in here if one.good]:
            times = [run.seconds for run in line.good]
            ratio = f"{line.seconds / own:.2f}" if own else "-"
            rows.append([
                line.name, f"{line.seconds:.2f}", f"{min(times):.2f}-{max(times):.2f}", ratio,
                f"{line.per_host():.1f}",
            ])  # fmt: skip
        problems = [f"{'- ' if markdown else ''}{line.name}: {line.problem}\n" for line in here if line.problem]
        text += table(rows, markdown) + "\n" + "".join(problems) + "\n" * bool(problems)
    return text


def by_hosts(lines: Sequence[Line], markdown: bool) -> str:
    """Seconds by number of hosts, and how many times faster than lamboot."""
    known = [name for name in COMPARED if any(line.name == name and line.good for line in lines)]
    if "adaptive" not in known or len(known) < 2:
        return ""
    rows = [["hosts", *(HEADINGS.get(name, name) for name in known)]]
    with_lam = "lamboot" in known
    for hosts in sizes(lines):
        row = [str(hosts)]
        lam = of(lines, "lamboot", hosts).seconds
        for name in known:
            seconds = of(lines, name, hosts).seconds
            faster = f" ({lam / seconds:.0f}x)" if with_lam and lam and seconds and name != "lamboot" else ""
            row.append(f"{seconds:.2f}{faster}" if seconds else "-")
        rows.append(row)
    head = "Seconds, and how many times faster than lamboot:" if with_lam else "Seconds:"
    return f"{head}\n\n{table(rows, markdown)}\n"


FIGURES = {
    "leaf_rss": "idle leaf, resident, MB",
    "leaf_pss": "idle leaf, its part of what is shared counted (PSS), MB",
    "parent_rss": "idle parent, resident, MB",
    "parent_and_workers_pss": "idle parent and its workers (PSS), MB",
    "shell_ms": "empty shell, ms of CPU",
    "python_ms": "empty python3 -S -E, ms of CPU",
    "host_ms": "each further host of a flat boot, everything on it and on the head, ms of CPU",
    "head_mb_adaptive": "head, peak of all of mpboot's processes (PSS), adaptive, MB",
    "head_mb_flat": "head, peak of all of mpboot's processes (PSS), flat, MB",
}


def figures_table(figures: dict[str, float], hosts: int, markdown: bool) -> str:
    """What an agent costs."""
    if not figures:
        return ""
    rows = [["what it costs", "figure"]]
    for name, text in FIGURES.items():
        if name in figures:
            many = f" ({hosts} hosts)" if name.startswith(("head_", "host_ms")) else ""
            rows.append([text + many, f"{figures[name]:g}"])
    return table(rows, markdown) + "\n"


def plotted(names: Sequence[str]) -> list[str]:
    """The lines of the plot out of these: so few that their colours differ and their names have room."""
    return [name for name in [*PLOTTED, *(name for name in names if name not in PLOTTED)] if name in names][
        :MOST_PLOTTED
    ]


def plot(lines: Sequence[Line], path: str, title: str) -> None:
    """Time against hosts, as SVG. OSError if it can't be written."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    draw = importlib.import_module("mpboot.plan.plot").draw
    series: dict[str, list[tuple[float, float]]] = {}
    for line in sorted(lines, key=lambda line: line.hosts):
        if line.good:
            series.setdefault(line.name, []).append((line.hosts, line.seconds))
    series = {name: series[name] for name in plotted(list(series))}
    if series:
        Path(path).write_text(draw(series, title, "hosts", "seconds until all are reached"), encoding="utf-8")
