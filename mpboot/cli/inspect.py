"""The command `mpboot inspect`: its arguments checked, then inspect/command.py does it."""

from __future__ import annotations

import os

import typer

from mpboot.cli import values
from mpboot.cli.arguments import Everybody, Interval, JsonFlag, KillHung, Names, Patience, Pids, Yes
from mpboot.cli.codes import UNREAD_CODE, UsageError


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
    from mpboot.inspect.command import run
    from mpboot.inspect.judge import INTERVAL, PATIENCE
    from mpboot.inspect.look import Inspector

    chosen = [values.count("PID", pid, 1, 1 << 30) for pid in pids or ()]
    inspector = Inspector((name or "").replace(",", " ").split(), everybody, chosen)
    gone = inspector.missing()
    if gone:
        raise UsageError(f"there is no process {gone[0]}")
    looks = (
        INTERVAL if interval is None else values.seconds("--interval", interval),
        PATIENCE if patience is None else values.seconds("--patience", patience),
    )
    try:
        return run(inspector, *looks, json, kill_hung, yes)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return UNREAD_CODE
