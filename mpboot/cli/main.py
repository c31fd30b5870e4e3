"""The command mpboot: arguments in, exit code out; nothing else.

What takes long to load (rich, ClusterShell, the boot itself) is loaded by what needs it: --help is quick.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from mpboot.cli.boot import EPILOG, boot_command
from mpboot.cli.codes import UNREAD_CODE, USAGE_CODE, UsageError
from mpboot.cli.front import DEFAULT_COMMAND, Command, Front
from mpboot.cli.inspect import inspect_command
from mpboot.cli.plan import plan_command

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
        from mpboot._version import __version__

        typer.echo(f"mpboot {__version__}")
        raise typer.Exit


@app.callback()
def front(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The options in front of a command."""


app.command(DEFAULT_COMMAND, cls=Command, epilog=EPILOG)(boot_command)
app.command("plan", cls=Command)(plan_command)
app.command("inspect", cls=Command)(inspect_command)


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
        from mpboot.head.report import INTERRUPTED_CODE  # not above: --help loads nothing of a boot

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
    from mpboot.text import printable

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

