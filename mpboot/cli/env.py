"""The command mpboot env: have ssh, and whatever calls it, ride a session."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from mpboot.cli import arguments, habits
from mpboot.cli.arguments import SHELLS
from mpboot.cli.codes import UsageError
from mpboot.cli.sink import write_all

NOT_FOUND, NOT_RUN = 127, 126  # exit codes as shells have them

Shell = Annotated[
    str,
    typer.Option("--shell", metavar="SHELL", help=f"What the eval is for: {', '.join(SHELLS)}.  [default: $SHELL]"),
]
SshConfig = Annotated[bool, typer.Option("--ssh-config", help="Print lines for ~/.ssh/config instead.")]


def env_command(
    ctx: typer.Context,
    name: arguments.SessionName = "default",
    shell: Shell = "",
    ssh_config: SshConfig = False,
) -> int:
    """Have ssh, scp, sftp, and whatever calls them, go over a session: print what sets that, or run COMMAND so."""
    command: Optional[list[str]] = ctx.obj
    if command == []:
        raise UsageError("no command behind --")
    if command:
        habits.check_command(command)
    from mpboot.session import scripts
    from mpboot.session.handle import Session

    if shell and shell not in SHELLS:
        raise UsageError(f"--shell {shell}: give one of {', '.join(SHELLS)}")
    if shell and command:
        raise UsageError("--shell is for the eval of a shell: it goes with no command")
    if ssh_config and (command or shell):
        raise UsageError("--ssh-config goes with neither a command nor --shell")
    about = Session(name).ride()
    directory = about["directory"]
    if not directory:
        raise UsageError(
            f"nothing can ride session {name}: its sockets could not be made: is there room where sessions are "
            "($XDG_RUNTIME_DIR, or /tmp)?"
        )
    if not scripts.fits(directory):
        raise UsageError(
            f'nothing can ride session {name}: {directory} has one of " \\ : ${{, which ssh or PATH takes'
            " for something else: set XDG_RUNTIME_DIR to another directory before the boot"
        )
    _complain_of(about["unfit"])
    if not about["encrypted"] and sys.stderr.isatty():
        sys.stderr.write(
            "mpboot: what rides is not encrypted on the network: where others may listen, boot with --transport stdio\n"
        )
    if ssh_config:
        return write_all(scripts.ssh_config(name, directory, about["names"]).encode("utf-8", "surrogateescape"))
    place = f"{directory}/bin"
    path = os.environ.get("PATH", os.defpath)
    texts = scripts.scripts(name, directory, place, path)
    if not texts:
        raise UsageError("there is no ssh in PATH")
    try:
        scripts.write(Path(place), texts)
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror}: ssh's programs can't be put there") from None
    variables = {"PATH": scripts.path_with(place, path), "MPBOOT_SESSION": name}
    if command:
        variables["BASHOPTS"] = scripts.forgetful(os.environ.get("BASHOPTS", ""))
        return _run(command, {**os.environ, **variables})
    kind = shell or Path(os.environ.get("SHELL", "sh")).name
    return write_all(scripts.assignments(variables, kind).encode("utf-8", "surrogateescape"))


def _run(command: list[str], environ: dict[str, str]) -> int:
    """Become the command; returns only where that can't be."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what is started would do so too
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environ)
    except FileNotFoundError:
        code, why = NOT_FOUND, "not found"
    except OSError as error:
        code, why = NOT_RUN, error.strerror or str(error)
    from mpboot.text import printable

    sys.stderr.write(f"mpboot: {printable(command[0])}: {why}\n")
    return code


def _complain_of(unfit: dict[str, str]) -> None:
    from mpboot.text import fold, printable

    reasons: dict[str, list[str]] = {}
    for host, why in unfit.items():
        reasons.setdefault(why, []).append(host)
    for why, hosts in reasons.items():
        sys.stderr.write(printable(f"mpboot: ssh to {fold(hosts)} does not ride: {why}") + "\n")
