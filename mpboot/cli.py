"""The command mpboot: arguments in, exit code out; nothing else.

What takes long to load (rich, ClusterShell, the boot itself) is loaded by what needs it: --help is quick.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
import typer.core

from . import cli_values as values
from .cli_front import DEFAULT_COMMAND, Command, Front
from .cli_inspect import inspect_command
from .cli_options import (
    Attach,
    Children,
    Deadline,
    Hostfile,
    HostsOption,
    Json,
    Quiet,
    Quorum,
    Retries,
    Rsh,
    ShellProbe,
    Timeout,
    Topology,
    Transport,
    User,
    Verbose,
    WaitFor,
)
from .cli_plan import plan_command
from .cli_values import UNREAD_CODE, UsageError
from .tree.policy import DEFAULT_TOPOLOGY

if TYPE_CHECKING:
    from .hosts import HostList
    from .options import Options
    from .report import BootReport
    from .sink import Sink

USAGE_CODE = 2
INTERRUPTED_CODE = 130
LAST_WORDS = 0.5  # seconds that a reader has for what is left when the boot was ended early
MAX_RETRIES = 20

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


app = typer.Typer(
    cls=Front,
    help=HELP,
    epilog=EPILOG,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help"], "max_content_width": 110},
)


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
        "children": None if children is None else values.children(children, topology or DEFAULT_TOPOLOGY),
        "topology": topology,
        "timeout": None if timeout is None else values.seconds("--timeout", timeout),
        "deadline": None if deadline is None else values.seconds("--deadline", deadline),
        "wait_for": None if wait_for is None else values.seconds("--wait-for", wait_for, or_none=True),
        "retries": None if retries is None else values.count("--retries", retries, 0, MAX_RETRIES),
        "rsh": rsh,
        "user": None if user is None else values.user(user),
        "transport": transport,
        "shell_probe": shell_probe,
        "attach": attach,
        "command": command,
        "verbose": verbose,
    }
    options = values.options(given)
    found = values.find_hosts(hostfile, hosts)
    enough = None if quorum is None else values.quorum(quorum, len(found.hosts))
    target = None if json is None else values.open_for_json(json)
    return _boot(found, options, enough, target, quiet)


app.command("plan", cls=Command)(plan_command)
app.command("inspect", cls=Command)(inspect_command)


def _boot(found: HostList, options: Options, enough: int | None, target: Any, quiet: bool) -> int:
    from .boot import Boot
    from .progress import Progress
    from .sink import standard_sinks

    out, err = standard_sinks()
    if not quiet:
        values.warn(found, err)
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
        code = values.write_json(target, report.to_json(), out, err, code)
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
