"""The command mpboot: arguments in, exit code out; nothing else.

What takes long to load (rich, ClusterShell, the boot itself) is loaded by what needs it: --help is quick.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Optional

import typer
import typer.core

from .tree.policy import DEFAULT_TOPOLOGY, TOPOLOGIES

if TYPE_CHECKING:
    from .boot import Options
    from .hosts import HostList
    from .report import BootReport
    from .sink import Sink

USAGE_CODE = 2
INTERRUPTED_CODE = 130
UNREAD_CODE = 141  # nobody reads the output any more: what a shell makes of SIGPIPE
DEFAULT_COMMAND = "boot"
LAST_WORDS = 0.5  # seconds that a reader has for what is left when the boot was ended early
OF_THE_FRONT = ("--help", "--version", "--install-completion", "--show-completion")
FINDS_CHILDREN = ("adaptive",)  # topologies for which --children may be auto
MAX_SECONDS = 1_000_000
MAX_RETRIES = 20
MAX_CHILDREN = 100_000
MAX_SIMULATED = 1_000_000  # hosts

HELP = """Boot a tree of agents on many machines by ssh or rsh: fast, never hanging, every failure explained.

`mpboot HOSTFILE …` is short for `mpboot boot HOSTFILE …`.

\b
Examples:
  mpboot hosts                            boot all hosts of the file, say which are not up and why
  mpboot hosts -- uptime                  run a command on each as soon as it is up
  mpboot --hosts 'node[001-147]' --children 3 --timeout 10
  mpboot hosts --rsh 'ssh -i key' --user joe --json report.json
  mpboot hosts --quorum 95% -- ./step.sh  95 of 100 hosts are enough
  mpboot --hosts 'h[1-8]' --rsh local     try it out: eight agents on this machine
  mpboot plan hosts --topology ring       show the tree, boot nothing
  mpboot inspect                          which ssh and rsh on this machine hang, and why
"""
EPILOG = """\b
Exit codes: 0 all hosts (or the quorum) are up, 1 too few are, 2 wrong usage or hostfile, 130 interrupted;
with a COMMAND and enough hosts up, the largest of its exit codes.
"""


class UsageError(Exception):
    """What the user has to change, in a line."""


def _unconverted(params: Any) -> Any:
    """The parameters, taking values as they come where they are text, or not given: typer's converter loads slowly."""
    for param in params:
        if "process_value" not in vars(param):
            param.process_value = _Unconverted(param)
    return params


class _Unconverted:
    def __init__(self, param: Any) -> None:
        self._param = param
        self._convert = param.process_value

    def __call__(self, ctx: Any, value: Any) -> Any:
        if value is None or (isinstance(value, str) and not getattr(self._param, "is_flag", False)):
            return value if self._param.callback is None else self._param.callback(ctx, self._param, value)
        return self._convert(ctx, value)


class Command(typer.core.TyperCommand):
    """A command whose values are all text or flags."""

    def get_params(self, ctx: Any) -> Any:
        """What it takes."""
        return _unconverted(super().get_params(ctx))


class Front(typer.core.TyperGroup):
    """The group of commands: the first word that is none of them begins the arguments of `boot`."""

    def get_params(self, ctx: Any) -> Any:
        """What it takes before a command."""
        return _unconverted(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take off the COMMAND behind `--`, and see which command of mpboot's is meant."""
        if "--" in args:
            at = args.index("--")
            args, ctx.obj = args[:at], args[at + 1 :]
        chosen = bool(args) and (args[0] in self.commands or args[0] in OF_THE_FRONT)
        if not chosen and (args or not ctx.resilient_parsing):
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The usage line."""
        return ["[boot] [HOSTFILE] [OPTIONS] [-- COMMAND …]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The commands, and the options of the one that is nearly always meant."""
        super().format_options(ctx, formatter)
        boot = self.commands[DEFAULT_COMMAND]
        with type(ctx)(boot, info_name=DEFAULT_COMMAND, parent=ctx) as inner:
            records = [param.get_help_record(inner) for param in boot.get_params(inner)]
            with formatter.section("Options of boot"):
                formatter.write_dl([record for record in records if record and not record[0].startswith("--help")])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """The commands, and what could begin the arguments of `boot`."""
        boot = self.commands[DEFAULT_COMMAND]
        with type(ctx)(boot, info_name=DEFAULT_COMMAND, parent=ctx, resilient_parsing=True) as inner:
            more = boot.shell_complete(inner, incomplete)
        found = super().shell_complete(ctx, incomplete)
        known = {item.value for item in found}
        return [*found, *(item for item in more if item.value not in known)]


app = typer.Typer(
    cls=Front,
    help=HELP,
    epilog=EPILOG,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help"], "max_content_width": 110},
)

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
    Text, _option("--children", metavar="N", help="Children of each node of a tree (4), or auto where it finds out.")
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


def _version(wanted: bool) -> None:
    if wanted:
        from ._version import __version__

        typer.echo(f"mpboot {__version__}")
        raise typer.Exit


@app.callback()
def front(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The options in front of a command."""


@app.command(DEFAULT_COMMAND, cls=Command, epilog=EPILOG)
def boot_command(
    ctx: typer.Context,
    hostfile: Hostfile = None,
    hosts: HostsOption = None,
    children: Children = None,
    topology: Topology = None,
    timeout: Timeout = None,
    deadline: Deadline = None,
    wait_for: WaitFor = None,
    retries: Retries = None,
    rsh: Rsh = None,
    user: User = None,
    quorum: Quorum = None,
    transport: Transport = None,
    shell_probe: ShellProbe = None,
    attach: Attach = False,
    json: Json = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Boot the hosts (the default command), and with `-- COMMAND …` run it on each."""
    command: list[str] | None = ctx.obj
    if command is not None and not (command and command[0]):
        raise UsageError("no command after --")
    given: dict[str, Any] = {
        "children": None if children is None else _children(children, topology or DEFAULT_TOPOLOGY),
        "topology": topology,
        "timeout": None if timeout is None else _seconds("--timeout", timeout),
        "deadline": None if deadline is None else _seconds("--deadline", deadline),
        "wait_for": None if wait_for is None else _seconds("--wait-for", wait_for),
        "retries": None if retries is None else _count("--retries", retries, 0, MAX_RETRIES),
        "rsh": rsh,
        "user": None if user is None else _user(user),
        "transport": transport,
        "shell_probe": shell_probe,
        "attach": attach,
        "command": command,
        "verbose": verbose,
    }
    options = _options(given)
    found = _find_hosts(hostfile, hosts)
    enough = None if quorum is None else _quorum(quorum, len(found.hosts))
    target = None if json is None else _open_for_json(json)
    return _boot(found, options, enough, target, quiet)


@app.command("plan", cls=Command)
def plan_command(
    ctx: typer.Context,
    hostfile: Hostfile = None,
    hosts: HostsOption = None,
    children: Children = None,
    topology: Topology = None,
    json: Json = None,
    simulate: Simulate = False,
    cost: Cost = None,
    latency: Latency = None,
    slow: Slow = None,
    dead: Dead = None,
    hosts_count: HostsCount = None,
    plot: PlotFile = None,
) -> int:
    """Print the tree that a boot would build, or how long it would take; boot nothing."""
    if ctx.obj is not None:
        raise UsageError("plan runs no command: leave out -- and what follows")
    wanted = {"--cost": cost, "--latency": latency, "--slow": slow, "--dead": dead, "--hosts-count": hosts_count,
              "--plot": plot}  # fmt: skip
    if simulate:
        return _simulate(hostfile, hosts, children, topology, json, wanted)
    for name, value in wanted.items():
        if value is not None:
            raise UsageError(f"{name} goes with --simulate")
    from .plan import plan

    given: dict[str, Any] = {
        "children": None if children is None else _children(children, topology or DEFAULT_TOPOLOGY),
        "topology": topology,
    }
    options = _options(given)
    found = _find_hosts(hostfile, hosts)
    target = None if json is None else _open_for_json(json)
    from .sink import standard_sinks

    out, err = standard_sinks()
    _warn(found, err)
    made = plan([host.label for host in found.hosts], options.topology, options.children)
    if target is not None:
        from json import dumps

        return _write_json(target, dumps(made.to_dict(), indent=1), out, err, 0)
    for line in made.drawing():
        out.write(line.encode() + b"\n")
        if out.pending > 1 << 16:
            out.flush()
    out.write(made.summary().encode() + b"\n")
    out.flush()
    return UNREAD_CODE if out.broken else 0


def _simulate(
    hostfile: str | None,
    hosts: str | None,
    children: str | None,
    topology: str | None,
    json: str | None,
    wanted: dict[str, str | None],
) -> int:
    from .simulation import ALL, Study, measured
    from .sink import standard_sinks

    given: dict[str, Any] = {}
    latency, plot = wanted["--latency"], wanted["--plot"]
    if latency is not None and latency.replace(".", "", 1).isdigit():
        given["latency"] = _seconds("--latency", latency)
    elif latency is not None:
        try:
            known = measured(latency)
        except ValueError as error:
            raise UsageError(f"--latency {error}: give seconds, or a report") from None
        given.update(cost=known.cost, latency=known.latencies, lead=known.lead)
    if wanted["--cost"] is not None:
        given["cost"] = _seconds("--cost", wanted["--cost"])
    for name in ("slow", "dead"):
        if (percent := wanted[f"--{name}"]) is not None:
            given[name] = _percent(f"--{name}", percent)
    out, err = standard_sinks()
    if wanted["--hosts-count"] is not None:
        count = _count("--hosts-count", wanted["--hosts-count"], 1, MAX_SIMULATED)
    else:
        found = _find_hosts(hostfile, hosts)
        _warn(found, err)
        count = len(found.hosts)
    chosen: Any = ALL
    if children is not None or topology is not None:
        width = 0 if children is None else _children(children, topology or DEFAULT_TOPOLOGY)
        options = _options({"topology": topology, "children": width})
        chosen = [(options.topology, options.children)]
    target = None if json is None else _open_for_json(json)
    try:
        study = Study(count, given, chosen).run()
        if plot is not None:
            study.write_plot(plot)
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"--plot {plot}: {error.strerror}: give a file that can be written") from None
    if target is not None:
        from json import dumps

        return _write_json(target, dumps(study.to_dict(), indent=1), out, err, 0)
    out.write("".join(f"{line}\n" for line in study.lines()).encode())
    out.flush()
    return UNREAD_CODE if out.broken else 0


@app.command("inspect", cls=Command)
def inspect_command(
    ctx: typer.Context,
    pids: Pids = None,
    everybody: Everybody = False,
    name: Names = None,
    interval: Interval = None,
    patience: Patience = None,
    json: JsonFlag = False,
    kill_hung: KillHung = False,
    yes: Yes = False,
) -> int:
    """Say of each ssh and rsh on this machine, whoever started it, whether it hangs, in what, and why.

    Exit codes: 0 nothing is hung (or all that was is ended), 1 something is, 2 wrong usage.
    """
    if ctx.obj is not None:
        raise UsageError("inspect runs no command: leave out -- and what follows")
    if yes and not kill_hung:
        raise UsageError("--yes answers the question of --kill-hung: give both")
    from .inspect import INTERVAL, PATIENCE
    from .inspect_look import Inspector
    from .inspect_view import run

    chosen = [_count("PID", pid, 1, 1 << 30) for pid in pids or ()]
    inspector = Inspector((name or "").replace(",", " ").split(), everybody, chosen)
    gone = inspector.missing()
    if gone:
        raise UsageError(f"there is no process {gone[0]}")
    looks = (
        INTERVAL if interval is None else _seconds("--interval", interval),
        PATIENCE if patience is None else _seconds("--patience", patience),
    )
    try:
        return run(inspector, *looks, json, kill_hung, yes)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return UNREAD_CODE


def _boot(found: HostList, options: Options, enough: int | None, target: Any, quiet: bool) -> int:
    from .boot import Boot
    from .progress import Progress
    from .sink import standard_sinks

    out, err = standard_sinks()
    if not quiet:
        _warn(found, err)
    progress = Progress(out, err, quiet)
    boot = Boot(found.hosts, options, progress, last_look=not quiet)
    boot.report.warnings += found.warnings
    try:
        report = boot.run()
    finally:
        progress.end()
    code = report.exit_code(enough)
    patience = LAST_WORDS if report.ended_by else None
    out.flush(patience)
    unread = out.broken
    if not unread:
        _tell(report, err, quiet, options.verbose, patience)
    elif not quiet:
        progress.say("ended: nobody reads its output any more")
    if target is not None:
        code = _write_json(target, report.to_json(), out, err, code)
    err.flush(patience)
    return UNREAD_CODE if unread else code


def _tell(report: BootReport, err: Sink, quiet: bool, verbose: bool, patience: float | None) -> None:
    """What failed, and the summary."""
    width = None
    if err.is_terminal:
        from .progress import terminal_width

        width = terminal_width()
    lines = report.table(width, verbose)
    if not quiet:
        lines += [f"mpboot: {line}" for line in [*report.remarks(), report.summary()]]
    err.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    err.flush(patience)


def _warn(found: HostList, err: Sink) -> None:
    err.write("".join(f"mpboot: warning: {warning}\n" for warning in found.warnings).encode())
    err.flush()


# -- values ----------------------------------------------------------------------------------------


def _options(given: dict[str, Any]) -> Options:
    """The library's options; what is None has its default there."""
    from .boot import Options

    try:
        return Options(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise UsageError(str(error)) from None


def _find_hosts(hostfile: str | None, hosts: str | None) -> HostList:
    from .hosts import HostError, find_hosts

    try:
        return find_hosts(hostfile, hosts, os.environ)
    except HostError as error:
        raise UsageError(str(error)) from None


def _wrong(name: str, text: str, wanted: str) -> NoReturn:
    variable = "MPBOOT_" + name.lstrip("-").upper().replace("-", "_")
    where = f"{name} ({variable})" if os.environ.get(variable) == text else name
    raise UsageError(f"{where} must be {wanted}, not '{text}'")


def _seconds(name: str, text: str) -> float:
    wanted = f"a number of seconds, more than 0 and at most {MAX_SECONDS}"
    try:
        value = float(text)
    except ValueError:
        _wrong(name, text, wanted)
    if not math.isfinite(value) or not 0 < value <= MAX_SECONDS:
        _wrong(name, text, wanted)
    return value


def _count(name: str, text: str, least: int, most: int, extra: str = "") -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and least <= int(digits) <= most):
        _wrong(name, text, f"a number from {least} to {most}{extra}")
    return int(digits)


def _children(text: str, topology: str) -> int:
    if text == "auto" and topology in FINDS_CHILDREN:
        return 0
    if text == "auto":
        raise UsageError(f"--children auto: the topology {topology} needs a number, such as 4")
    return _count("--children", text, 1, MAX_CHILDREN)


def _percent(name: str, text: str) -> float:
    try:
        share = float(text[:-1] if text.endswith("%") else text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        _wrong(name, text, "a percentage such as 5%")
    return share / 100


def _user(text: str) -> str:
    from .hostfile import USER

    if not USER.fullmatch(text):
        _wrong("--user", text, "a user's name: letters, digits, dots, dashes and underscores")
    return text


def _quorum(text: str, total: int) -> int:
    wanted = f"a number of hosts from 1 to {total}, or a percentage such as 95%"
    if text.endswith("%"):
        try:
            share = float(text[:-1])
        except ValueError:
            _wrong("--quorum", text, wanted)
        if not 0 < share <= 100:
            _wrong("--quorum", text, "more than 0% and at most 100%")
        return max(1, math.ceil(round(total * share / 100, 6)))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= total):
        _wrong("--quorum", text, wanted)
    return int(text)


# -- JSON ------------------------------------------------------------------------------------------


def _open_for_json(path: str) -> int:
    """A descriptor for the report, opened before anything is launched; 1 for standard output."""
    if path == "-":
        return 1
    try:
        # Not to wait for a reader of a pipe; what is in the file stays there until there is a report.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666)
        os.set_blocking(fd, True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--json {path}: {why}: give a file that can be written, or -") from None
    return fd


def _write_json(target: int, text: str, out: Sink, err: Sink, code: int) -> int:
    """Write the report; ``code``, or another where that failed."""
    data = (text + "\n").encode()
    if target == 1:
        out.write(data)
        out.flush()
        return UNREAD_CODE if out.broken else code
    try:
        with os.fdopen(target, "wb") as file:
            if file.seekable():
                file.truncate(0)
            file.write(data)
    except OSError as error:
        err.write(f"mpboot: the report can't be written: {error.strerror}\n".encode())
        err.flush()
        return code or 1
    return code


# -- the entry -------------------------------------------------------------------------------------


def main() -> NoReturn:
    """The entry point: never a traceback for what a user does."""
    _open_standard_descriptors()
    try:
        result = app(prog_name="mpboot", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except UsageError as error:
        code = _complain(str(error))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED_CODE
    except BrokenPipeError:
        code = UNREAD_CODE
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        code = _complain(_one_line(error))
    sys.exit(code)


def _one_line(error: Any) -> str:
    """A usage error of typer's as one line."""
    text = " ".join(error.format_message().split()).rstrip(".")
    text = text[:1].lower() + text[1:]
    if text.startswith("got unexpected extra argument"):
        text += ": a command for the hosts goes behind --"
    return f"{text}; see mpboot --help"


def _complain(text: str) -> int:
    from .hostfile import printable

    message = f"mpboot: {printable(text)}\n".encode("utf-8", "backslashreplace")
    with contextlib.suppress(OSError):  # nobody listens
        os.write(2, message)
    return USAGE_CODE


def _open_standard_descriptors() -> None:
    """Whoever closed one of 0, 1, 2 must not have a socket of the boot take its place."""
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:
        null = os.dup(null)
    os.close(null)


if __name__ == "__main__":
    main()
