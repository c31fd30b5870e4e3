"""The arguments and options of the commands, as click's decorators."""

from __future__ import annotations

from typing import Any, Callable, TypeVar

import click

from mpboot.cli import values
from mpboot.tree.policy import DEFAULT_TOPOLOGY, TOPOLOGIES
from mpboot.workers.commandline import SHELL_PROBES

REMOTE_SHELLS = ("ssh", "rsh", "local")
TRANSPORTS = ("auto", "tcp", "stdio")
MAX_RETRIES = 20
MAX_SIMULATED = 1_000_000  # hosts

Function = TypeVar("Function", bound=Callable[..., Any])


def option(*names: str, **settings: Any) -> Callable[[Function], Function]:
    """An option that a variable can give as well: MPBOOT_TIMEOUT for --timeout."""
    variable = "MPBOOT_" + names[0].lstrip("-").upper().replace("-", "_")
    return click.option(*names, envvar=variable, **settings)


def flag(*names: str, help: str) -> Callable[[Function], Function]:
    """An option without a value; its variable is 1 or 0."""
    return option(*names, is_flag=True, help=help)


def _remote_shells(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """What a shell is offered for --rsh."""
    return [name for name in REMOTE_SHELLS if name.startswith(incomplete)]


hostfile = click.argument("hostfile", required=False)
hosts = option("--hosts", metavar="LIST", help="Hosts: a,b,joe@c:2222,node[1-3].")
children = option(
    "--children",
    type=values.CHILDREN,
    metavar="N",
    help="Children of each node of a tree; of an adaptive one the most launches at once. [auto; tree 4]",
)
topology = option(
    "--topology", type=values.choice(TOPOLOGIES), metavar="NAME", help=f"{', '.join(TOPOLOGIES)}. [{DEFAULT_TOPOLOGY}]"
)
timeout = option("--timeout", type=values.SECONDS, metavar="S", help="Seconds that a launch may take. [30]")
deadline = option("--deadline", type=values.SECONDS, metavar="S", help="Seconds that the boot may take. [no limit]")
wait_for = option(
    "--wait-for",
    type=values.SECONDS_OR_ZERO,
    metavar="S",
    help="Seconds in which hosts that are still starting are tried again. [0]",
)
retries = option(
    "--retries", type=values.count(0, MAX_RETRIES), metavar="N", help="Launches of a host after its first failed. [1]"
)
rsh = option(
    "--rsh",
    metavar="COMMAND",
    shell_complete=_remote_shells,
    help="ssh, rsh, local (agents on this machine), or a command line with {host}, {user}, {port}. [ssh]",
)
user = option("--user", type=values.USER, metavar="NAME", help="User to log in as, where the hostfile names none.")
quorum = option("--quorum", metavar="N|P%", help="So many hosts up are enough for success. [all]")
transport = option(
    "--transport",
    type=values.choice(TRANSPORTS),
    metavar="NAME",
    help="How agents talk: tcp, stdio (through rsh), auto. [auto]",
)
shell_probe = option(
    "--shell-probe",
    type=values.choice(SHELL_PROBES),
    metavar="NAME",
    help="Find the login shell in the same rsh (inline), in one before (separate), or not (none: no .profile). "
    "[inline]",
)
attach = flag("--attach", help="Keep each rsh open, for systems that kill what a login leaves.")
json = option("--json", metavar="FILE", help="Write the report as JSON; - is standard output.")
quiet = flag("--quiet", help="No progress and no summary; only what failed, and COMMAND's output.")
verbose = flag("--verbose", "-v", help="Log each launch; show tracebacks and rsh's errors in full.")

pids = click.argument("pid", nargs=-1, type=values.PID)
everybody = flag("--all", "everybody", help="Every user's clients, not only your own.")
names = option("--name", "names", metavar="NAMES", help="Names of further programs that are such clients.")
interval = option("--interval", type=values.SECONDS, metavar="S", help="Seconds between two looks. [1]")
patience = option(
    "--patience",
    type=values.SECONDS,
    metavar="S",
    help="Seconds that a login may stand still before it counts as hung. [5]",
)
json_flag = click.option("--json", "as_json", is_flag=True, help="Write JSON instead of a table.")
kill_hung = click.option("--kill-hung", is_flag=True, help="Ask whether to end those that are hung.")
yes = click.option("--yes", is_flag=True, help="With --kill-hung: don't ask.")

simulate = flag("--simulate", help="How long a boot would take, by each topology, beside the bound.")
cost = option("--cost", type=values.SECONDS, metavar="S", help="Seconds of a launcher's time for a launch. [0.012]")
latency = option(
    "--latency",
    type=values.SecondsOrFile(),
    metavar="S|FILE",
    help="Seconds from launch to agent, or a report of --json. [0.35]",
)
slow = option("--slow", type=values.PERCENTAGE, metavar="P%", help="So many hosts are ten times slower. [0%]")
dead = option("--dead", type=values.PERCENTAGE, metavar="P%", help="So many hosts never answer. [0%]")
hosts_count = option(
    "--hosts-count", type=values.count(1, MAX_SIMULATED), metavar="N", help="Simulate N hosts instead of a hostfile's."
)
plot = option("--plot", metavar="FILE", help="Write a plot of time against hosts (SVG).")
