"""The command `mpboot plan`: the tree that a boot would build, or how long it would take; nothing is booted."""

from __future__ import annotations

from typing import Any

import typer

from mpboot.cli import json_file, values
from mpboot.cli.arguments import (
    Children,
    Cost,
    Dead,
    Hostfile,
    HostsCount,
    HostsOption,
    Json,
    Latency,
    PlotFile,
    Simulate,
    Slow,
    Topology,
)
from mpboot.cli.codes import UNREAD_CODE, UsageError
from mpboot.tree.policy import DEFAULT_TOPOLOGY

MAX_SIMULATED = 1_000_000  # hosts


def plan_command(
    ctx: typer.Context,
    hostfile: Hostfile = None,
    hosts: HostsOption = None,
    children: Children = None,
    topology: Topology = None,
    json: Json = None,
    simulate: Simulate = False,
    cost: Cost = None,
    latency: Latency = None,
    slow: Slow = None,
    dead: Dead = None,
    hosts_count: HostsCount = None,
    plot: PlotFile = None,
) -> int:
    """Print the tree that a boot would build, or how long it would take; boot nothing."""
    if ctx.obj is not None:
        raise UsageError("plan runs no command: leave out -- and what follows")
    wanted = {"--cost": cost, "--latency": latency, "--slow": slow, "--dead": dead, "--hosts-count": hosts_count,
              "--plot": plot}  # fmt: skip
    if simulate:
        return _simulate(hostfile, hosts, children, topology, json, wanted)
    for name, value in wanted.items():
        if value is not None:
            raise UsageError(f"{name} goes with --simulate")
    from mpboot.plan.tree import plan_tree

    given: dict[str, Any] = {
        "children": None if children is None else values.children(children, topology or DEFAULT_TOPOLOGY),
        "topology": topology,
    }
    options = values.options(given)
    found = values.find_hosts(hostfile, hosts)
    target = None if json is None else json_file.open_for_json(json)
    from mpboot.cli.sink import standard_sinks

    out, err = standard_sinks()
    values.warn(found, err)
    made = plan_tree([host.label for host in found.hosts], options.topology, options.children)
    if target is not None:
        from json import dumps

        return json_file.write_json(target, dumps(made.to_dict(), indent=1), out, err, 0)
    for line in made.drawing():
        out.write(line.encode() + b"\n")
        if out.pending > 1 << 16:
            out.flush()
    out.write(made.summary().encode() + b"\n")
    out.flush()
    return UNREAD_CODE if out.broken else 0


def _simulate(
    hostfile: str | None,
    hosts: str | None,
    children: str | None,
    topology: str | None,
    json: str | None,
    wanted: dict[str, str | None],
) -> int:
    from mpboot.cli.sink import standard_sinks
    from mpboot.plan.study import ALL, Study, read_report

    given: dict[str, Any] = {}
    latency, plot = wanted["--latency"], wanted["--plot"]
    if latency is not None and latency.replace(".", "", 1).isdigit():
        given["latency"] = values.seconds("--latency", latency)
    elif latency is not None:
        try:
            known = read_report(latency)
        except ValueError as error:
            raise UsageError(f"--latency {error}: give seconds, or a report") from None
        given.update(cost=known.cost, latency=known.latencies, lead=known.lead)
    if wanted["--cost"] is not None:
        given["cost"] = values.seconds("--cost", wanted["--cost"])
    for name in ("slow", "dead"):
        if (percent := wanted[f"--{name}"]) is not None:
            given[name] = values.percent(f"--{name}", percent)
    out, err = standard_sinks()
    if wanted["--hosts-count"] is not None:
        count = values.count("--hosts-count", wanted["--hosts-count"], 1, MAX_SIMULATED)
    else:
        found = values.find_hosts(hostfile, hosts)
        values.warn(found, err)
        count = len(found.hosts)
    chosen: Any = ALL
    if children is not None or topology is not None:
        width = 0 if children is None else values.children(children, topology or DEFAULT_TOPOLOGY)
        options = values.options({"topology": topology, "children": width})
        chosen = [(options.topology, options.children)]
    target = None if json is None else json_file.open_for_json(json)
    try:
        study = Study(count, given, chosen).run()
        if plot is not None:
            study.write_plot(plot)
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"--plot {plot}: {error.strerror}: give a file that can be written") from None
    if target is not None:
        from json import dumps

        return json_file.write_json(target, dumps(study.to_dict(), indent=1), out, err, 0)
    out.write("".join(f"{line}\n" for line in study.lines()).encode())
    out.flush()
    return UNREAD_CODE if out.broken else 0
