"""The options that `mpboot inspect` and `mpboot plan --simulate` alone have; those of several are in arguments.py."""

from typing import Annotated, Any, Optional

import typer

from mpboot.cli import values
from mpboot.cli.arguments import option

MAX_SIMULATED = 1_000_000  # hosts

Pids = Annotated[
    Optional[list[int]],
    typer.Argument(
        metavar="PID…",
        parser=values.pid,
        show_default=False,
        help="Processes to show in detail. Without: all of yours.",
    ),
]
Everybody = Annotated[bool, option("--all", help="Every user's clients, not only your own.")]
Names = Annotated[
    Optional[str], option("--name", metavar="NAMES", help="Names of further programs that are such clients.")
]
Interval = Annotated[
    Optional[float],
    option("--interval", metavar="S", parser=values.seconds, help="Seconds between two looks. [1]"),
]
Patience = Annotated[
    Optional[float],
    option(
        "--patience",
        metavar="S",
        parser=values.seconds,
        help="Seconds that a login may stand still before it counts as hung. [5]",
    ),
]
KillHung = Annotated[bool, typer.Option("--kill-hung", help="Ask whether to end those that are hung.")]
Yes = Annotated[bool, typer.Option("--yes", help="With --kill-hung: don't ask.")]

Simulate = Annotated[bool, option("--simulate", help="Show how long a boot would take with each topology.")]
Cost = Annotated[
    Optional[float],
    option("--cost", metavar="S", parser=values.seconds, help="Seconds that a launch costs its launcher. [0.012]"),
]
Latency = Annotated[
    Optional[Any],  # seconds, or a file's name: typer reads no union
    option(
        "--latency",
        metavar="S|FILE",
        parser=values.seconds_or_file,
        help="Seconds from launch to agent, or a report of --json. [0.35]",
    ),
]
Slow = Annotated[
    Optional[float],
    option("--slow", metavar="P%", parser=values.percentage, help="Share of the hosts that are ten times slower. [0%]"),
]
Dead = Annotated[
    Optional[float],
    option("--dead", metavar="P%", parser=values.percentage, help="Share of the hosts that never answer. [0%]"),
]
HostsCount = Annotated[
    Optional[int],
    option(
        "--hosts-count",
        metavar="N",
        parser=values.count(1, MAX_SIMULATED),
        help="Simulate N hosts instead of a hostfile's.",
    ),
]
Plot = Annotated[Optional[str], option("--plot", metavar="FILE", help="Write a plot of time against hosts (SVG).")]
