"""The command `mpboot inspect`: its arguments checked; the work is done in the package of that name."""

import contextlib
import os
import sys

from mpboot.cli import arguments, json_file, options
from mpboot.cli.codes import UNREAD_CODE, UsageError
from mpboot.cli.sink import complain, standard_sinks


def _riders() -> dict[int, tuple[str, str]]:
    """Host and what it waits for, by pid, of each ssh that rides a session of this user's."""
    from mpboot.session.handle import Session, sessions
    from mpboot.session.registry import SessionError

    found: dict[int, tuple[str, str]] = {}
    with contextlib.suppress(SessionError, OSError):  # whoever can't be asked has nothing to say here
        for name in sessions():
            with contextlib.suppress(SessionError):
                for row in Session(name).riders():
                    found[row["pid"]] = row["host"], f"{row['waits']}, over session {name}"
    return found


def inspect_command(
    pid: options.Pids = None,
    everybody: options.Everybody = False,
    names: options.Names = None,
    interval: options.Interval = None,
    patience: options.Patience = None,
    json: arguments.Json = None,
    kill_hung: options.KillHung = False,
    yes: options.Yes = False,
) -> int:
    """Say of each ssh and rsh on this machine, whoever started it, whether it hangs, in what, and why."""
    if yes and not kill_hung:
        raise UsageError("--yes answers the question of --kill-hung: give both")
    try:
        import psutil  # noqa: F401
    except ImportError:  # as in a zip file, from which no module of C is loaded
        raise UsageError(f"inspect needs psutil, which can't be loaded: install it for {sys.executable}") from None
    from mpboot.inspect.command import run
    from mpboot.inspect.judge import INTERVAL, PATIENCE
    from mpboot.inspect.look import Inspector

    inspector = Inspector((names or "").replace(",", " ").split(), everybody, pid or ())
    gone = inspector.missing()
    if gone:
        raise UsageError(f"there is no process {gone[0]}")
    target = None if json is None else json_file.open_for_json(json)

    def write(text: str) -> int:
        out, err = standard_sinks()
        code = 0 if target is None else json_file.write_json(target, text, out, err, 0)
        complain(out, err)
        err.flush()
        return code

    try:
        write_json = None if json is None else write
        return run(inspector, interval or INTERVAL, patience or PATIENCE, write_json, kill_hung, yes, _riders)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return UNREAD_CODE
