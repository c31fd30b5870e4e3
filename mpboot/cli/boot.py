"""The command `mpboot boot`: its arguments checked, the boot run, the report shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from mpboot.cli import json_file, values
from mpboot.cli.arguments import (
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
from mpboot.cli.codes import UNREAD_CODE, UsageError
from mpboot.tree.policy import DEFAULT_TOPOLOGY

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink
    from mpboot.head.options import Options
    from mpboot.head.report import BootReport
    from mpboot.hosts.sources import HostList

LAST_WORDS = 0.5  # seconds that a reader has for what is left when the boot was ended early
MAX_RETRIES = 20

EPILOG = """\b
Exit codes: 0 all hosts (or the quorum) are up, 1 too few are, 2 wrong usage or hostfile, 130 interrupted;
with a COMMAND and enough hosts up, the largest of its exit codes.
"""


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
    target = None if json is None else json_file.open_for_json(json)
    return _boot(found, options, enough, target, quiet)


def _boot(found: HostList, options: Options, enough: int | None, target: Any, quiet: bool) -> int:
    from mpboot.cli.progress import Progress
    from mpboot.cli.sink import standard_sinks
    from mpboot.head.boot import Boot

    out, err = standard_sinks()
    if not quiet:
        values.warn(found, err)
    progress = Progress(out, err, quiet)
    boot = Boot(found.hosts, options, progress, last_look=not quiet)
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
        code = json_file.write_json(target, report.to_json(), out, err, code)
    err.flush(patience)
    return UNREAD_CODE if unread else code


def _tell(report: BootReport, err: Sink, quiet: bool, verbose: bool, patience: float | None) -> None:
    """What failed, and the summary."""
    width = None
    if err.is_terminal:
        from mpboot.cli.progress import terminal_width

        width = terminal_width()
    lines = report.table(width, verbose)
    if not quiet:
        lines += [f"mpboot: {line}" for line in [*report.remarks(), report.summary()]]
    err.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    err.flush(patience)
