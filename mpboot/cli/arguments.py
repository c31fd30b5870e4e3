"""The arguments and options of the commands, as typer reads them from a command's signature.

Here, and wherever a command is defined, annotations are not postponed: typer does not evaluate such on Python 3.9.
"""

from typing import Annotated, Any, Callable, Optional

import typer

from mpboot.cli import values
from mpboot.tree.policy import DEFAULT_TOPOLOGY, TOPOLOGIES
from mpboot.workers.commandline import SHELL_PROBES

SHELLS = ("sh", "bash", "zsh", "dash", "ksh", "fish", "csh", "tcsh")  # for which mpboot env writes
REMOTE_SHELLS = ("ssh", "rsh", "local")
TRANSPORTS = ("auto", "tcp", "stdio")
MAX_RETRIES = 20


def option(
    *names: str,
    help: str,
    metavar: Optional[str] = None,
    parser: Optional[Callable[[str], Any]] = None,
) -> Any:
    """An option that a variable can give as well: MPBOOT_TIMEOUT for --timeout."""
    return typer.Option(
        *names,
        envvar="MPBOOT_" + names[0].lstrip("-").upper().replace("-", "_"),
        help=help,
        metavar=metavar,
        parser=parser,
        show_default=False,
        show_envvar=False,
    )


def one_of(*names: str, choices: tuple[str, ...], help: str) -> Any:
    """An option whose value is one of some names."""
    return option(*names, help=help, metavar="NAME", parser=values.choice(choices))


Hostfile = Annotated[
    Optional[str],
    typer.Argument(
        metavar="HOSTFILE",
        show_default=False,
        help="File with one host on each line, or -; without it and --hosts, the hosts of the batch system's job.",
    ),
]
Hosts = Annotated[
    Optional[list[str]],
    option("--hosts", "-w", metavar="LIST", help="Hosts: a,b,joe@c:2222,node[1-3]; may be repeated."),
]
Exclude = Annotated[
    Optional[list[str]],
    option("--exclude", "-x", metavar="LIST", help="Hosts that are left out; may be repeated."),
]
Children = Annotated[
    Optional[int],
    option(
        "--children",
        metavar="N",
        parser=values.children,
        help="Children of each node in a tree; most launches at once in an adaptive one. [auto; tree 4]",
    ),
]
Fanout = Annotated[
    Optional[int],
    option(
        "--fanout",
        "-f",
        metavar="N",
        parser=values.count(1, values.MAX_CHILDREN),
        help="The most launches at once of each node: --children N of an adaptive tree.",
    ),
]
Topology = Annotated[
    Optional[str],
    one_of("--topology", choices=TOPOLOGIES, help=f"{', '.join(TOPOLOGIES)}. [{DEFAULT_TOPOLOGY}]"),
]
Timeout = Annotated[
    Optional[float],
    option("--timeout", "-t", metavar="S", parser=values.seconds, help="Seconds that a launch may take. [30]"),
]
Deadline = Annotated[
    Optional[float],
    option("--deadline", metavar="S", parser=values.seconds, help="Seconds that the boot may take. [no limit]"),
]
WaitFor = Annotated[
    Optional[float],
    option(
        "--wait-for",
        metavar="S",
        parser=values.seconds_or_zero,
        help="Seconds in which hosts that are still starting are tried again. [0]",
    ),
]
Retries = Annotated[
    Optional[int],
    option(
        "--retries",
        metavar="N",
        parser=values.count(0, MAX_RETRIES),
        help="How often a host is tried again. [1]",
    ),
]
Rsh = Annotated[
    Optional[str],
    option(
        "--rsh",
        metavar="COMMAND",
        help="ssh, rsh, local (agents on this machine), or a command line with {host}, {user}, {port}. [ssh]",
    ),
]
User = Annotated[
    Optional[str],
    option(
        "--user", "-l", metavar="NAME", parser=values.user, help="User to log in as, where the hostfile names none."
    ),
]
Quorum = Annotated[Optional[str], option("--quorum", metavar="N|P%", help="Hosts that must be up for success. [all]")]
Transport = Annotated[
    Optional[str],
    one_of("--transport", choices=TRANSPORTS, help="How agents talk: tcp, stdio (through rsh), auto. [auto]"),
]
ShellProbe = Annotated[
    Optional[str],
    one_of(
        "--shell-probe",
        choices=SHELL_PROBES,
        help="How to find the login shell: in the same rsh (inline), in one before (separate), or not at all (none: no "
        "login files are read). [inline]",
    ),
]
Python = Annotated[
    Optional[str],
    option("--python", metavar="PATH", parser=values.python, help="Interpreter on the hosts, 3.8 or newer. [python3]"),
]
Gather = Annotated[
    bool, option("--gather", "-b", help="Equal outputs of COMMAND once, at the end, under the set of their hosts.")
]
OutputDir = Annotated[
    Optional[str],
    option(
        "--output-dir",
        metavar="DIR",
        parser=values.place("directory"),
        help="Write COMMAND's output to DIR/HOST.out and DIR/HOST.err; show none.",
    ),
]
Stdin = Annotated[
    Optional[str],
    option(
        "--stdin", metavar="FILE", parser=values.place("file"), help="The same input for COMMAND on every host, or -."
    ),
]
NoInput = Annotated[
    bool, typer.Option("-n", help="No input for COMMAND, as in clush; without --stdin there is none anyway.")
]
Largest = Annotated[bool, typer.Option("-S", help="As in pdsh and clush; the exit code is always the largest.")]
Env = Annotated[
    Optional[list[Any]],  # pairs: typer reads no tuples of its own making
    typer.Option(
        "--env",
        metavar="NAME[=VALUE]",
        parser=values.variable,
        show_default=False,
        help="A variable for COMMAND, with the value that it has here or another; may be repeated.",
    ),
]
Chdir = Annotated[
    Optional[str],
    option(
        "--chdir", metavar="DIR", parser=values.place("directory"), help="Run COMMAND in this directory on the host."
    ),
]
CommandTimeout = Annotated[
    Optional[float],
    option(
        "--command-timeout", "-u", metavar="S", parser=values.seconds, help="Seconds that COMMAND may take. [no limit]"
    ),
]
Barrier = Annotated[bool, option("--barrier", help="Run COMMAND only when all hosts are up; if one is not, nowhere.")]
Push = Annotated[
    Optional[list[str]],
    typer.Option(
        "--push",
        metavar="SOURCE:DEST",
        show_default=False,
        help="Copy SOURCE to DEST on each host before COMMAND runs there; may be repeated.",
    ),
]
Keep = Annotated[bool, option("--keep", help="Keep the agents, as a session: mpboot exec -- COMMAND, mpboot halt.")]
SessionName = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="NAME",
        envvar="MPBOOT_SESSION",
        parser=values.session_name,
        show_envvar=False,
        show_default=False,
        help="The session. [default]",
    ),
]
IdleTimeout = Annotated[
    Optional[float],
    option(
        "--idle-timeout",
        metavar="S",
        parser=values.seconds,
        help="End the session when nobody has used it for S seconds.",
    ),
]
Rejoin = Annotated[bool, option("--rejoin", help="Try lost and failed hosts of a session again, as long as it lives.")]
On = Annotated[
    Optional[list[str]],
    typer.Option("--hosts", "-w", metavar="SET", show_default=False, help="Hosts to take, as node[1-3],b. [all]"),
]
Leaving = Annotated[
    Optional[list[str]],
    typer.Option("--hosts", "-w", metavar="SET", show_default=False, help="The hosts that go, as node[1-3],b."),
]
Without = Annotated[
    Optional[list[str]],
    typer.Option("--exclude", "-x", metavar="SET", show_default=False, help="Hosts that are left out."),
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Print the job's number and leave it alone; its output is lost.")
]
Long = Annotated[bool, typer.Option("--long", help="A line a host, also on a terminal.")]
Job = Annotated[
    int,
    typer.Argument(metavar="JOB", parser=values.job, show_default=False, help="Its number, as mpboot jobs shows it."),
]
Signal = Annotated[
    Optional[int],
    typer.Option(
        "--signal", metavar="S", parser=values.signal_number, show_default=False, help="Send this signal, and no other."
    ),
]
PushPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE… DEST", show_default=False, help="Files and directories here; the place on the hosts."
    ),
]
PullPaths = Annotated[
    list[str],
    typer.Argument(metavar="SOURCE… DIR", show_default=False, help="Files and directories there; a directory here."),
]
Fold = Annotated[bool, typer.Option("--fold", help="Equal files of many hosts once, in DIR/SET instead of DIR/HOST.")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Compare files that are there by their bytes, not by size and time.")
]
Attach = Annotated[bool, option("--attach", help="Keep each rsh open, for systems that kill what a login leaves.")]
Json = Annotated[
    Optional[str],
    option(
        "--json",
        metavar="FILE",
        parser=values.place("file"),
        help="Write a report as JSON; - is standard output.",
    ),
]
Quiet = Annotated[bool, option("--quiet", help="No progress and no summary; only what failed, and COMMAND's output.")]
Verbose = Annotated[bool, option("--verbose", "-v", help="Log each launch; show tracebacks and what rsh wrote.")]
