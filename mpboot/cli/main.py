"""The command mpboot: arguments in, exit code out; nothing else.

What takes long to load (rich, ClusterShell, the boot itself) is loaded by what needs it: --help is quick.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

import click
from click.core import ParameterSource

from mpboot._version import __version__
from mpboot.cli import completion
from mpboot.cli.boot import EPILOG, boot_command
from mpboot.cli.codes import UNREAD_CODE, USAGE_CODE, UsageError
from mpboot.cli.front import Front
from mpboot.cli.inspect import inspect_command
from mpboot.cli.plan import plan_command

HELP = """Boot a tree of agents on many machines by ssh or rsh: fast, never hanging, every failure explained.

`mpboot HOSTFILE …` is short for `mpboot boot HOSTFILE …`. HOSTFILE has a host a line, - is standard input;
without it and --hosts, the hosts are those of the Slurm, PBS, LSF or SGE job.

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


@click.group(
    cls=Front,
    help=HELP,
    epilog=EPILOG,
    context_settings={"help_option_names": ["--help"], "max_content_width": 110},
)
@click.version_option(__version__, message="%(prog)s %(version)s", help="Print the version and exit.")
@click.option(
    "--install-completion",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=completion.install_option,
    help="Install completion for the current shell.",
)
@click.option(
    "--show-completion",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=completion.show_option,
    help="Show completion for the current shell, to copy it or customize the installation.",
)
def app() -> None:
    """The command line as a whole."""


app.add_command(boot_command)
app.add_command(plan_command)
app.add_command(inspect_command)


# -- the entry -------------------------------------------------------------------------------------


def main() -> NoReturn:
    """Run what was typed, and exit; never a traceback for what a user does."""
    _open_standard_descriptors()
    try:
        result = app.main(prog_name="mpboot", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except UsageError as error:
        code = _complain(str(error))
    except click.ClickException as error:
        code = _complain(_one_line(error))
    except (KeyboardInterrupt, click.Abort):
        from mpboot.head.report import INTERRUPTED_CODE  # not above: --help loads nothing of a boot

        code = INTERRUPTED_CODE
    except BrokenPipeError:
        code = UNREAD_CODE
    sys.exit(code)


def _one_line(error: click.ClickException) -> str:
    """A usage error of click's as one line, in the same words whichever click it is."""
    text = " ".join(error.message.split()).rstrip(".")
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{_named(error.param, error.ctx)}{'' if text.startswith('must ') else ':'} {text}"
    text = text[:1].lower() + text[1:]
    if isinstance(error, click.NoSuchOption):
        text = f"no such option: {error.option_name}"
        if error.possibilities:
            text += f", did you mean {' or '.join(sorted(error.possibilities))}?"
    elif text.startswith("got unexpected extra argument"):
        text += ": a command for the hosts goes behind --"
    return f"{text}; see mpboot --help"


def _named(param: click.Parameter, ctx: click.Context | None) -> str:
    """What a person calls an option or argument, with its variable where the value came from there."""
    name = max(param.opts, key=len) if isinstance(param, click.Option) else param.human_readable_name
    if ctx is not None and param.name and ctx.get_parameter_source(param.name) is ParameterSource.ENVIRONMENT:
        return f"{name} ({param.envvar})"
    return name


def _complain(text: str) -> int:
    """Tell what the user has to change; returns the exit code."""
    from mpboot.text import printable

    message = f"mpboot: {printable(text)}\n".encode("utf-8", "backslashreplace")
    with contextlib.suppress(OSError):  # nobody listens
        os.write(2, message)
    return USAGE_CODE


def _open_standard_descriptors() -> None:
    """Open 0, 1 and 2 where somebody closed them, or a socket of the boot would take their place."""
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:
        null = os.dup(null)
    os.close(null)
