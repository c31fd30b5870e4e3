"""The command `mpboot boot`: its arguments checked, the boot run, the report shown."""

from typing import TYPE_CHECKING, Any, Optional, Union

import typer

from mpboot.cli import arguments, habits, inputs, json_file, pushing, slips, values
from mpboot.cli.codes import LOST_CODE, UsageError
from mpboot.cli.sink import complain, standard_sinks
from mpboot.cli.telling import after_boot, tell

if TYPE_CHECKING:
    from mpboot.cli.progress import Progress
    from mpboot.head.boot import Boot
    from mpboot.head.options import Options
    from mpboot.hosts.sources import HostList
    from mpboot.session.start import KeptBoot

LAST_WORDS = 0.5  # seconds that a reader has for what is left when the boot was ended early


def boot_command(
    ctx: typer.Context,
    hostfile: arguments.Hostfile = None,
    hosts: arguments.Hosts = None,
    exclude: arguments.Exclude = None,
    children: arguments.Children = None,
    fanout: arguments.Fanout = None,
    topology: arguments.Topology = None,
    timeout: arguments.Timeout = None,
    deadline: arguments.Deadline = None,
    wait_for: arguments.WaitFor = None,
    retries: arguments.Retries = None,
    rsh: arguments.Rsh = None,
    user: arguments.User = None,
    quorum: arguments.Quorum = None,
    transport: arguments.Transport = None,
    shell_probe: arguments.ShellProbe = None,
    python: arguments.Python = None,
    attach: arguments.Attach = False,
    gather: arguments.Gather = False,
    output_dir: arguments.OutputDir = None,
    stdin: arguments.Stdin = None,
    no_input: arguments.NoInput = False,
    env: arguments.Env = None,
    chdir: arguments.Chdir = None,
    command_timeout: arguments.CommandTimeout = None,
    barrier: arguments.Barrier = False,
    largest: arguments.Largest = False,  # noqa: ARG001
    push: arguments.Push = None,
    keep: arguments.Keep = False,
    name: arguments.SessionName = "default",
    idle_timeout: arguments.IdleTimeout = None,
    rejoin: arguments.Rejoin = False,
    json: arguments.Json = None,
    quiet: arguments.Quiet = False,
    verbose: arguments.Verbose = False,
) -> int:
    """Boot the hosts (the default command), and with `-- COMMAND …` run it on each."""
    command: Optional[list[str]] = ctx.obj
    if command is not None:
        habits.check_command(command)
    habits.check_hostfile(hostfile)
    children, topology = inputs.read_width(ctx, children, fanout, topology)
    options = inputs.read_options(
        children, topology, timeout=timeout, deadline=deadline, wait_for=wait_for, retries=retries, rsh=rsh, user=user,
        transport=transport, shell_probe=shell_probe, python=python, attach=attach, command=command,
        verbose=verbose, env=tuple(env or ()), cwd=chdir or "", command_timeout=command_timeout or 0.0,
        barrier=barrier,
    )  # fmt: skip
    inputs.check_options(ctx, command, keep)
    if not keep and (idle_timeout is not None or rejoin):
        raise UsageError("--idle-timeout and --rejoin are for a session: they go with --keep")
    session = {"name": name, "idle_timeout": idle_timeout or 0.0, "rejoin": rejoin} if keep else None
    pushes = pushing.pairs_of(push) if push else []
    source = inputs.choose_stdin(ctx, stdin, no_input)
    if source == 0 and hostfile == "-":
        raise UsageError("- stands for the hosts and for --stdin, and can be read once: give a file for one of them")
    slip = slips.of_command(command) if command else ""
    warnings = [*inputs.idle_width(ctx, topology), *([slip] if slip else [])]
    found = inputs.read_hosts(hostfile, hosts, exclude, ctx, warnings)
    enough = None if quorum is None else _enough_hosts(ctx, quorum, len(found.hosts))
    json_file.keep_out_of(output_dir if command else None, json)
    target = None if json is None else json_file.open_for_json(json, hostfile, stdin, *(one for one, _ in pushes))
    if pushes:
        return pushing.Pushing(found, options, session, quiet).run(pushes, enough, target, gather, output_dir, source)
    return _run(found, options, enough, target, quiet, gather, output_dir, session, source)


def _enough_hosts(ctx: typer.Context, quorum: str, total: int) -> int:
    """How many hosts a quorum demands; typer can't read it, since that takes the number of hosts."""
    try:
        return values.enough_hosts(quorum, total)
    except typer.BadParameter as error:
        param = next(param for param in ctx.command.params if param.name == "quorum")
        raise typer.BadParameter(error.message, ctx, param) from None


def _run(
    found: "HostList",
    options: "Options",
    enough: Optional[int],
    target: Optional[int],
    quiet: bool,
    gather: bool,
    output_dir: Optional[str],
    session: Optional[dict[str, Any]],
    stdin: int,
) -> int:
    """Boot, and show the report; returns the exit code. ``session``: what there is to say of one that is to be kept."""
    from mpboot.cli import outputs
    from mpboot.cli.progress import Progress
    from mpboot.head.report import OUTPUT, UNREAD

    out, err = standard_sinks()
    if not quiet:
        inputs.warn(found, err)
    directory = output_dir if options.command else None  # nothing would be written there
    output = outputs.choose(out, err, gather, directory, [host.label for host in found.hosts])
    progress = Progress(out, err, output, quiet, source=stdin)
    boot = _boot(found, options, progress, quiet, session, stdin)
    try:
        report = boot.run()
    finally:
        progress.end()
    code = report.exit_code(enough)
    patience = LAST_WORDS if report.ended_by else None
    cut = output.finish(patience)
    if cut:
        report.note(OUTPUT, UNREAD, cut)
    unread = out.broken
    if not unread:
        tell(report, err, quiet, options, patience)
    elif not quiet:
        progress.say("ended: nobody reads its output any more")
    hint = habits.hint(options.command, (one.exit for one in report.hosts.values()))
    if hint:
        progress.say(hint)
    ended = code
    if output.complaint:
        report.note(OUTPUT, output.complaint, output.spoilt)
        progress.say(output.complaint)
        code = LOST_CODE
    if target is not None:
        code = json_file.write_json(target, report.to_json(), out, err, code)
    complain(out, err)
    err.flush(patience)
    if err.broken or err.error:  # the report, or what the commands wrote there
        code = LOST_CODE
    if session is not None:
        for line in after_boot(session["name"], getattr(boot, "kept", False), report, quiet):
            progress.say(line)
        err.flush(patience)
    return ended if report.signal else out.outcome(code)


def _boot(
    found: "HostList",
    options: "Options",
    progress: "Progress",
    quiet: bool,
    session: Optional[dict[str, Any]],
    stdin: int,
) -> "Union[Boot, KeptBoot]":
    if session is not None:
        from mpboot.session.start import KeptBoot

        return KeptBoot(found.hosts, options, progress, last_look=not quiet, stdin=stdin, **session)
    from mpboot.head.boot import Boot

    return Boot(found.hosts, options, progress, last_look=not quiet, stdin=stdin)
