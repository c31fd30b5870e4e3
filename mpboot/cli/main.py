"""The command mpboot: arguments in, exit code out; nothing else.

What takes long to load (rich, ClusterShell, the boot itself) is loaded by what needs it: --help is quick.
"""

import contextlib
import errno
import fcntl
import os
import re
import signal
import sys
from typing import Annotated, Any, NoReturn, Optional

import typer

from mpboot._version import __version__
from mpboot.cli import habits, session, words
from mpboot.cli.boot import boot_command
from mpboot.cli.codes import LOST_CODE, UNREAD_CODE, USAGE_CODE, UsageError
from mpboot.cli.env import env_command
from mpboot.cli.exec import exec_command
from mpboot.cli.explain import explain_command
from mpboot.cli.files import pull_command, push_command
from mpboot.cli.front import DEFAULT_COMMAND, Front
from mpboot.cli.help import Command
from mpboot.cli.inspect import inspect_command
from mpboot.cli.plan import plan_command

HELP = """Boot a tree of agents on many machines by ssh or rsh: fast, never hanging, every failure explained.

`mpboot HOSTFILE …` is short for `mpboot boot HOSTFILE …`. HOSTFILE has a host a line, - is standard input;
without it and --hosts, the hosts are those of the Slurm, PBS, LSF, SGE, OAR or Cobalt job.
`mpboot COMMAND --help` shows the options of each command, and so does `man mpboot-COMMAND`.
"""


app = typer.Typer(
    cls=Front,
    help=HELP,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 80},
)


def _show_version(wanted: bool) -> None:
    """--version: print it, and nothing else is done."""
    if wanted:
        typer.echo(f"mpboot {__version__}")
        raise typer.Exit


def _install(shell: Optional[str]) -> None:
    """--install-completion: write the script, say where it is."""
    if shell is not None:
        from mpboot.cli import completion

        shell = completion.chosen(shell, "--install-completion")
        try:
            place = completion.install(shell)
        except OSError as error:
            what = f"{error.filename or completion.place(shell)}: {error.strerror}"
            raise UsageError(f"{what}: --show-completion prints what belongs there") from None
        typer.echo(f"{shell} completes mpboot when it is started anew: {place}")
        raise typer.Exit


def _show(shell: Optional[str]) -> None:
    """--show-completion: print the script."""
    if shell is not None:
        from mpboot.cli import completion

        typer.echo(completion.SCRIPTS[completion.chosen(shell, "--show-completion")], nl=False)
        raise typer.Exit


@app.callback()
def front(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    install: Annotated[
        Optional[str],
        typer.Option("--install-completion", metavar="[SHELL]", callback=_install, is_eager=True,
                     help="Have bash, zsh or fish complete what is typed; without a name, this shell."),
    ] = None,
    show: Annotated[
        Optional[str],
        typer.Option("--show-completion", metavar="[SHELL]", callback=_show, is_eager=True,
                     help="Print what would be installed."),
    ] = None,
) -> None:  # fmt: skip
    """The options in front of a command."""


for _name, _function in (
    (DEFAULT_COMMAND, boot_command), ("exec", exec_command), *session.COMMANDS, ("push", push_command),
    ("pull", pull_command), ("env", env_command), ("plan", plan_command), ("inspect", inspect_command),
    ("explain", explain_command),
):  # fmt: skip
    app.command(_name, cls=Command)(_function)


_NO_FLAG = re.compile(r"^('.*') is not a valid boolean.*")
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


# -- the entry -------------------------------------------------------------------------------------


def main() -> NoReturn:
    """Run what was typed, and exit; never a traceback for what a user does."""
    _open_standard_descriptors()
    try:
        if words.ASKED in os.environ:
            from mpboot.cli import completion

            sys.exit(completion.answer(sys.argv[1:], typer.main.get_command(app)))
        result = app(prog_name="mpboot", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except UsageError as error:
        _complain(str(error))
        code = error.code
    except (KeyboardInterrupt, typer.Abort):
        from mpboot.head import signals  # not above: --help loads nothing of a boot
        from mpboot.head.report import INTERRUPTED_CODE

        signals.came.add(signal.SIGINT)
        code = INTERRUPTED_CODE
    except BrokenPipeError:
        code = UNREAD_CODE
    except SystemExit as end:  # typer ends so, with 1, where nobody reads what it prints
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        code = UNREAD_CODE
    except Exception as error:
        code = _not_written(error) if _is_full(error) else _complain(_explained(error))
        if hasattr(error, "is_for_people"):
            code = getattr(error, "code", code)
    sys.exit(code)


def _is_full(error: Exception) -> bool:
    """Could output not be written, as --help to a full disk? What a boot shows goes through sinks."""
    if not isinstance(error, OSError) or error.filename is not None:
        return False
    closed = fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY  # by _open_standard_descriptors
    return error.errno in (errno.ENOSPC, errno.EDQUOT, *((errno.EBADF,) if closed else ()))


def _not_written(error: Exception) -> int:
    """Say so, and keep the interpreter from trying again; returns the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _complain(f"standard output: {getattr(error, 'strerror', error)}: output is lost")
    return LOST_CODE


def _explained(error: Any) -> str:
    """An error that the user can do something about as one line; any other is raised again."""
    if getattr(error, "is_for_people", False):  # a session's: not loaded here, for --help
        return str(error)
    if hasattr(error, "format_message"):
        return _one_line(error)
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        return f"{error.strerror}: this machine gives mpboot no more: raise ulimit -n, or ulimit -u, or end something"
    raise error


def _one_line(error: Any) -> str:
    """A usage error of typer's as one line, in the same words whichever typer it is."""
    text = " ".join(error.message.split()).rstrip(".")
    if isinstance(error, typer.BadParameter) and error.param is not None and not text:
        command = error.ctx.info_name if error.ctx is not None else ""
        return f"{command} needs {error.param.metavar}; see mpboot {command} --help"
    if isinstance(error, typer.BadParameter) and error.param is not None:
        text = _NO_FLAG.sub(r"must be 1 or 0, not \1", text)
        return f"{_named(error.param, error.ctx)}{'' if text.startswith('must ') else ':'} {text}"
    text = text[:1].lower() + text[1:]
    if hasattr(error, "possibilities"):
        text = f"no such option: {error.option_name}"
        if error.possibilities:
            text += f", did you mean {' or '.join(sorted(error.possibilities))}?"
    elif text.startswith("got unexpected extra argument"):
        text = text.replace("argument(s)", "arguments" if " " in text.rpartition(" (")[2] else "argument")
    command = error.ctx.info_name if getattr(error, "ctx", None) is not None else ""
    return f"{text}; see mpboot {command} --help" if command in habits.COMMANDS else f"{text}; see mpboot --help"


def _named(param: Any, ctx: Any) -> str:
    """What a person calls an option or argument, with its variable where the value came from there."""
    name: str = max(param.opts, key=len) if param.param_type_name == "option" else param.name.upper()
    source = ctx.get_parameter_source(param.name)
    if source is not None and source.name == "ENVIRONMENT":
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
    """Open 0, 1 and 2 where somebody closed them, or a socket of the boot would take their place.

    Standard output can't be written then, and what there would be to write is lost. Nobody wants to see standard error.
    """
    for fd in range(3):
        with contextlib.suppress(OSError):
            os.fstat(fd)
            continue
        os.open(os.devnull, os.O_RDWR if fd == 2 else os.O_RDONLY)
    for fd, name in enumerate(("stdout", "stderr"), 1):  # Python has None for one that was closed, and prints nothing
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(fd, "w", closefd=False))
