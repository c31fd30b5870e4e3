"""The command `mpboot plan`: the tree that a boot would build, or how long it would take; nothing is booted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from mpboot.cli import arguments, inputs, json_file
from mpboot.cli.codes import UNREAD_CODE, UsageError
from mpboot.cli.sink import CHUNK, Sink, standard_sinks


@click.command("plan")
@arguments.hostfile
@arguments.hosts
@arguments.children
@arguments.topology
@arguments.json
@arguments.simulate
@arguments.cost
@arguments.latency
@arguments.slow
@arguments.dead
@arguments.hosts_count
@arguments.plot
@click.pass_obj
def plan_command(
    command: list[str] | None,
    /,
    hostfile: str | None,
    hosts: str | None,
    children: int | None,
    topology: str | None,
    json: str | None,
    simulate: bool,
    **simulated: Any,
) -> int:
    """Print the tree that a boot would build, or how long it would take; boot nothing.

    HOSTFILE has a host a line, - is standard input; without it and --hosts, the hosts are those of the Slurm, PBS, LSF
    or SGE job.
    """
    if command is not None:
        raise UsageError("plan runs no command: leave out -- and what follows")
    if simulate:
        return _simulate(hostfile, hosts, children, topology, json, **simulated)
    for name, value in simulated.items():
        if value is not None:
            raise UsageError(f"--{name.replace('_', '-')} goes with --simulate")
    from mpboot.plan.tree import plan_tree

    options = inputs.read_options(children, topology)
    found = inputs.read_hosts(hostfile, hosts)
    target = None if json is None else json_file.open_for_json(json)
    out, err = standard_sinks()
    inputs.warn(found, err)
    tree = plan_tree([host.label for host in found.hosts], options.topology, options.children)
    if target is not None:
        return json_file.write_json(target, json_file.dumped(tree.to_dict()), out, err, 0)
    return _print([*tree.drawing(), tree.summary()], out)


def _simulate(
    hostfile: str | None,
    hosts: str | None,
    children: int | None,
    topology: str | None,
    json: str | None,
    hosts_count: int | None,
    plot: str | None,
    **machines: Any,
) -> int:
    """Show how long a boot would take."""
    from mpboot.plan.study import ALL, Study

    given = _measured(machines)
    out, err = standard_sinks()
    if hosts_count is None:
        found = inputs.read_hosts(hostfile, hosts)
        inputs.warn(found, err)
        hosts_count = len(found.hosts)
    options = inputs.read_options(children, topology)
    chosen = ALL if children is None and topology is None else [(options.topology, options.children)]
    target = None if json is None else json_file.open_for_json(json)
    try:
        study = Study(hosts_count, given, chosen).run()
        if plot is not None:
            study.write_plot(plot)
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"--plot {plot}: {error.strerror}: give a file that can be written") from None
    if target is not None:
        return json_file.write_json(target, json_file.dumped(study.to_dict()), out, err, 0)
    return _print(study.lines(), out)


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


def _print(lines: Iterable[str], out: Sink) -> int:
    """Write the lines, as fast as they are read; returns the exit code."""
    for line in lines:
        out.write(line.encode() + b"\n")
        if out.pending > CHUNK:
            out.flush()
    out.flush()
    return UNREAD_CODE if out.broken else 0
