"""The command `mpboot boot`: its arguments checked, the boot run, the report shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mpboot.cli import arguments, inputs, json_file, values
from mpboot.cli.codes import UNREAD_CODE, UsageError
from mpboot.cli.sink import Sink, standard_sinks

if TYPE_CHECKING:
    from mpboot.head.options import Options
    from mpboot.head.report import BootReport
    from mpboot.hosts.sources import HostList

LAST_WORDS = 0.5  # seconds that a reader has for what is left when the boot was ended early

EPILOG = """\b
Exit codes: 0 all hosts (or the quorum) are up, 1 too few are, 2 wrong usage or hostfile, 130 interrupted;
with a COMMAND and enough hosts up, the largest of its exit codes.
"""


@click.command("boot", epilog=EPILOG)
@arguments.hostfile
@arguments.hosts
@arguments.children
@arguments.topology
@arguments.timeout
@arguments.deadline
@arguments.wait_for
@arguments.retries
@arguments.rsh
@arguments.user
@arguments.quorum
@arguments.transport
@arguments.shell_probe
@arguments.attach
@arguments.json
@arguments.quiet
@arguments.verbose
@click.pass_obj
def boot_command(
    command: list[str] | None,
    /,
    hostfile: str | None,
    hosts: str | None,
    quorum: str | None,
    json: str | None,
    quiet: bool,
    **how: Any,
) -> int:
    """Boot the hosts (the default command), and with `-- COMMAND …` run it on each.

    HOSTFILE has a host a line, - is standard input; without it and --hosts, the hosts are those of the Slurm, PBS, LSF
    or SGE job.
    """
    if command is not None and not (command and command[0]):
        raise UsageError("no command after --")
    options = inputs.read_options(command=command, **how)
    found = inputs.read_hosts(hostfile, hosts)
    enough = None if quorum is None else values.enough_hosts(quorum, len(found.hosts))
    target = None if json is None else json_file.open_for_json(json)
    return _run(found, options, enough, target, quiet)


def _run(found: HostList, options: Options, enough: int | None, target: int | None, quiet: bool) -> int:
    """Boot, and show the report; returns the exit code."""
    from mpboot.cli.progress import Progress
    from mpboot.head.boot import Boot

    out, err = standard_sinks()
    if not quiet:
        inputs.warn(found, err)
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
    """Say what failed, and unless it is to be quiet how the boot went."""
    width = None
    if err.is_terminal:
        from mpboot.cli.live import terminal_width

        width = terminal_width()
    lines = report.table(width, verbose)
    if not quiet:
        lines += [f"mpboot: {line}" for line in [*report.remarks(), report.summary()]]
    err.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    err.flush(patience)
