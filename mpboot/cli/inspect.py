"""The command `mpboot inspect`: its arguments checked; the work is done in the package of that name."""

from __future__ import annotations

import os

import click

from mpboot.cli import arguments
from mpboot.cli.codes import UNREAD_CODE, UsageError


@click.command("inspect")
@arguments.pids
@arguments.everybody
@arguments.names
@arguments.interval
@arguments.patience
@arguments.json_flag
@arguments.kill_hung
@arguments.yes
@click.pass_obj
def inspect_command(
    command: list[str] | None,
    pid: tuple[int, ...],
    everybody: bool,
    names: str | None,
    interval: float | None,
    patience: float | None,
    as_json: bool,
    kill_hung: bool,
    yes: bool,
) -> int:
    """Say of each ssh and rsh on this machine, whoever started it, whether it hangs, in what, and why.

    With PIDs these processes in detail, without all of yours.

    Exit codes: 0 nothing is hung (or all that was is ended), 1 something is, 2 wrong usage.
    """
    if command is not None:
        raise UsageError("inspect runs no command: leave out -- and what follows")
    if yes and not kill_hung:
        raise UsageError("--yes answers the question of --kill-hung: give both")
    from mpboot.inspect.command import run
    from mpboot.inspect.judge import INTERVAL, PATIENCE
    from mpboot.inspect.look import Inspector

    inspector = Inspector((names or "").replace(",", " ").split(), everybody, pid)
    gone = inspector.missing()
    if gone:
        raise UsageError(f"there is no process {gone[0]}")
    try:
        return run(inspector, interval or INTERVAL, patience or PATIENCE, as_json, kill_hung, yes)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return UNREAD_CODE
