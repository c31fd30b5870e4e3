"""The command `mpboot plan`: the tree that a boot would build, or how long it would take; nothing is booted."""

import errno
import os
import shlex
from collections.abc import Iterable
from typing import Any, Optional

import typer

from mpboot.cli import arguments, habits, inputs, json_file, options, slips
from mpboot.cli.codes import OutputError, UsageError
from mpboot.cli.sink import CHUNK, Sink, complain, standard_sinks
from mpboot.text import printable

MANY = 100_000  # hosts whose simulation takes seconds
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)  # said by a file that was opened, and could not be written


def plan_command(
    ctx: typer.Context,
    hostfile: arguments.Hostfile = None,
    hosts: arguments.Hosts = None,
    exclude: arguments.Exclude = None,
    children: arguments.Children = None,
    fanout: arguments.Fanout = None,
    topology: arguments.Topology = None,
    json: arguments.Json = None,
    simulate: options.Simulate = False,
    cost: options.Cost = None,
    latency: options.Latency = None,
    slow: options.Slow = None,
    dead: options.Dead = None,
    hosts_count: options.HostsCount = None,
    plot: options.Plot = None,
) -> int:
    """Print the tree that a boot would build, or how long it would take; boot nothing."""
    if ctx.obj is not None:
        habits.check_command(ctx.obj)
    children, topology = inputs.read_width(ctx, children, fanout, topology)
    simulated: dict[str, Any] = {
        "cost": cost, "latency": latency, "slow": slow, "dead": dead, "hosts_count": hosts_count, "plot": plot
    }  # fmt: skip
    if hosts_count is not None and simulate and (hostfile is not None or inputs.is_typed(ctx, "hosts")):
        named = "a hostfile" if hostfile is not None else "--hosts"
        raise UsageError(f"--hosts-count and {named} both say how many hosts: give one of them")
    if hostfile and hostfile.isdigit() and not os.path.lexists(hostfile):
        raise UsageError(f"{hostfile} is no file: so many hosts are planned as --simulate --hosts-count {hostfile}")
    habits.check_hostfile(hostfile)
    if simulate:
        return _simulate(ctx, hostfile, hosts, exclude, children, topology, json, **simulated)
    for name, value in simulated.items():
        if value is not None:
            raise UsageError(f"--{name.replace('_', '-')} goes with --simulate")
    from mpboot.plan.tree import plan_tree

    options = inputs.read_options(children, topology)
    slip = slips.of_command(ctx.obj) if ctx.obj else ""
    warnings = [*inputs.idle_width(ctx, topology), *([slip] if slip else [])]
    found = inputs.read_hosts(hostfile, hosts, exclude, ctx, warnings)
    target = None if json is None else json_file.open_for_json(json, hostfile)
    out, err = standard_sinks()
    inputs.warn(found, err)
    tree = plan_tree([host.label for host in found.hosts], options.topology, options.children)
    if target is not None:
        return _write(target, tree.to_dict(), out, err)
    would = [f"would run on each: {printable(shlex.join(ctx.obj))}"] if ctx.obj else []
    return _print([*tree.drawing(), tree.summary(), *would], out, err)


def _simulate(
    ctx: typer.Context,
    hostfile: Optional[str],
    hosts: Optional[list[str]],
    exclude: Optional[list[str]],
    children: Optional[int],
    topology: Optional[str],
    json: Optional[str],
    hosts_count: Optional[int],
    plot: Optional[str],
    **machines: Any,
) -> int:
    """Show how long a boot would take."""
    from mpboot.plan.study import ALL, Study

    read = [hostfile, machines["latency"] if isinstance(machines["latency"], str) else None]
    if plot is not None:
        json_file.keep_apart("--plot", plot, *read)
    given = _measured(machines)
    out, err = standard_sinks()
    if hosts_count is None:
        found = inputs.read_hosts(hostfile, hosts, exclude, ctx)
        inputs.warn(found, err)
        hosts_count = len(found.hosts)
    options = inputs.read_options(children, topology)
    chosen = ALL if children is None and topology is None else [(options.topology, options.children)]
    if json is not None and plot is not None and os.path.realpath(json) == os.path.realpath(plot):
        raise UsageError(f"--json {json}: --plot writes that file: name another")
    target = None if json is None else json_file.open_for_json(json, *read)
    if hosts_count >= MANY and err.is_terminal:
        err.write(b"mpboot: simulating so many hosts takes a while\n")
        err.flush()
    try:
        study = Study(hosts_count, given, chosen).run()
        if plot is not None:
            study.write_plot(plot)
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        kind = OutputError if error.errno in FULL else UsageError
        raise kind(f"--plot {plot}: {error.strerror}: give a file that can be written") from None
    if target is not None:
        return _write(target, study.to_dict(), out, err)
    return _print(study.lines(), out, err)


def _measured(machines: dict[str, Any]) -> dict[str, Any]:
    """What is said of the machines, with the times of a report where --latency names one."""
    from mpboot.plan.study import read_report

    given = {name: value for name, value in machines.items() if value is not None}
    if isinstance(given.get("latency"), str):
        try:
            known = read_report(given["latency"])
        except ValueError as error:
            raise UsageError(f"--latency {error}: give seconds, or a report") from None
        given = {"cost": known.cost, "lead": known.lead, **given, "latency": known.latencies}
    return given


def _write(target: int, value: Any, out: Sink, err: Sink) -> int:
    """Write the JSON; returns the exit code."""
    code = json_file.write_json(target, json_file.dumped(value), out, err, 0)
    complain(out, err)
    err.flush()
    return code


def _print(lines: Iterable[str], out: Sink, err: Sink) -> int:
    """Write the lines, as fast as they are read; returns the exit code."""
    for line in lines:
        out.write(line.encode() + b"\n")
        if out.pending > CHUNK:
            out.flush()
    out.flush()
    complain(out, err)
    err.flush()
    return out.outcome(0)
