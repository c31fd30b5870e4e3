"""The arguments and options of the commands, as typer reads them."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

from mpboot.tree.policy import DEFAULT_TOPOLOGY, TOPOLOGIES

Text = Optional[str]
Hostfile = Annotated[
    Text,
    typer.Argument(
        metavar="HOSTFILE",
        show_default=False,
        help="File with a host a line, or -; without it and --hosts, the Slurm, PBS, LSF or SGE job's hosts.",
    ),
]


def _option(*names: str, metavar: str | None, help: str, complete: Any = None) -> Any:
    variable = "MPBOOT_" + names[0].lstrip("-").upper().replace("-", "_")
    return typer.Option(
        *names,
        envvar=variable,
        metavar=metavar,
        help=help,
        show_default=False,
        show_envvar=False,
        autocompletion=(lambda: list(complete)) if complete else None,
    )


HostsOption = Annotated[Text, _option("--hosts", metavar="LIST", help="Hosts: a,b,joe@c:2222,node[1-3].")]
Children = Annotated[
    Text,
    _option(
        "--children",
        metavar="N",
        help="Children of each node of a tree; of an adaptive one the most launches at once. [auto; tree 4]",
    ),
]
Topology = Annotated[
    Text,
    _option("--topology", metavar="NAME", help=f"{', '.join(TOPOLOGIES)}. [{DEFAULT_TOPOLOGY}]", complete=TOPOLOGIES),
]
Timeout = Annotated[Text, _option("--timeout", metavar="S", help="Seconds that a launch may take. [30]")]
WaitFor = Annotated[
    Text, _option("--wait-for", metavar="S", help="Seconds in which hosts that are still starting are tried again. [0]")
]
Deadline = Annotated[Text, _option("--deadline", metavar="S", help="Seconds that the boot may take. [no limit]")]
Retries = Annotated[Text, _option("--retries", metavar="N", help="Launches of a host after its first failed. [1]")]
Rsh = Annotated[
    Text,
    _option(
        "--rsh",
        metavar="COMMAND",
        help="ssh, rsh, local (agents on this machine), or a command line with {host}, {user}, {port}. [ssh]",
        complete=("ssh", "rsh", "local"),
    ),
]
User = Annotated[Text, _option("--user", metavar="NAME", help="User to log in as, where the hostfile names none.")]
Quorum = Annotated[Text, _option("--quorum", metavar="N|P%", help="So many hosts up are enough for success. [all]")]
Transport = Annotated[
    Text,
    _option(
        "--transport",
        metavar="NAME",
        help="How agents talk: tcp, stdio (through rsh), auto. [auto]",
        complete=("auto", "tcp", "stdio"),
    ),
]
ShellProbe = Annotated[
    Text,
    _option(
        "--shell-probe",
        metavar="NAME",
        help="Find the login shell in the same rsh (inline), in one before (separate), or not (none: no .profile). "
        "[inline]",
        complete=("inline", "separate", "none"),
    ),
]
Attach = Annotated[
    bool, _option("--attach", metavar=None, help="Keep each rsh open, for systems that kill what a login leaves.")
]
Json = Annotated[Text, _option("--json", metavar="FILE", help="Write the report as JSON; - is standard output.")]
Quiet = Annotated[
    bool, _option("--quiet", metavar=None, help="No progress and no summary; only what failed, and COMMAND's output.")
]
Verbose = Annotated[
    bool, _option("--verbose", "-v", metavar=None, help="Log each launch; show tracebacks and rsh's errors in full.")
]


Pids = Annotated[
    Optional[list[str]],
    typer.Argument(metavar="PID", show_default=False, help="Processes to show in detail; without, all of yours."),
]
Everybody = Annotated[bool, _option("--all", metavar=None, help="Every user's clients, not only your own.")]
Names = Annotated[Text, _option("--name", metavar="NAMES", help="Names of further programs that are such clients.")]
Interval = Annotated[Text, _option("--interval", metavar="S", help="Seconds between two looks. [1]")]
Patience = Annotated[
    Text, _option("--patience", metavar="S", help="Seconds that a login may stand still before it counts as hung. [5]")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")]
KillHung = Annotated[bool, typer.Option("--kill-hung", help="Ask whether to end those that are hung.")]
Yes = Annotated[bool, typer.Option("--yes", help="With --kill-hung: don't ask.")]

Simulate = Annotated[
    bool, _option("--simulate", metavar=None, help="How long a boot would take, by each topology, beside the bound.")
]
Cost = Annotated[Text, _option("--cost", metavar="S", help="Seconds of a launcher's time for a launch. [0.012]")]
Latency = Annotated[
    Text,
    _option("--latency", metavar="S|FILE", help="Seconds from launch to agent, or a report of --json. [0.35]"),
]
Slow = Annotated[Text, _option("--slow", metavar="P%", help="So many hosts are ten times slower. [0%]")]
Dead = Annotated[Text, _option("--dead", metavar="P%", help="So many hosts never answer. [0%]")]
HostsCount = Annotated[Text, _option("--hosts-count", metavar="N", help="Simulate N hosts instead of a hostfile's.")]
PlotFile = Annotated[Text, _option("--plot", metavar="FILE", help="Write a plot of time against hosts (SVG).")]
