"""What a command works on: the hosts, and the library's options. A value that the library refuses is a UsageError."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpboot.cli.codes import UsageError
from mpboot.cli.variables import named
from mpboot.tree.policy import ADAPTIVE, AUTO, FLAT, LINEAR, RING

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink
    from mpboot.head.options import Options
    from mpboot.hosts.host import Host
    from mpboot.hosts.sources import HostList


def read_options(children: int | None, topology: str | None, **others: Any) -> Options:
    """Make the library's options of those that were typed; what is None has its default there."""
    from mpboot.head.options import Options

    if children == AUTO and topology not in (None, ADAPTIVE):
        raise UsageError(f"--children auto: the topology {topology} needs a number, such as 4")
    given = {"children": children, "topology": topology, **others}
    try:
        return Options(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        text = str(error)
        is_option = text.partition(" ")[0] in given
        raise UsageError(f"--{text}" if is_option else text) from None


def is_typed(ctx: Any, name: str) -> bool:
    """Was it given on the command line, and not by a variable?"""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


FOR_COMMANDS = ("gather", "output_dir", "stdin", "env", "chdir", "command_timeout", "barrier")


def check_options(ctx: Any, command: Sequence[str] | None, keep: bool) -> None:
    """UsageError for an option of a boot's that was typed and would mean nothing."""
    for name in FOR_COMMANDS if command is None else ():
        if is_typed(ctx, name):
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is for a command, and there is none: type it behind --, as in -- uptime")
    if not keep and is_typed(ctx, "name"):
        raise UsageError("--name is for a session: it goes with --keep; a command in a session is mpboot exec --name")


def idle_width(ctx: Any, topology: str | None) -> list[str]:
    """The warning that a number of children was typed for a topology that asks for none."""
    if topology not in (RING, LINEAR, FLAT):
        return []
    typed = [name for name in ("children", "fanout") if is_typed(ctx, name)]
    return [f"--{name} means nothing with --topology {topology}" for name in typed]


def read_width(
    ctx: Any, children: int | None, fanout: int | None, topology: str | None
) -> tuple[int | None, str | None]:
    """Number of children and topology, of --children, --fanout and --topology; what was typed counts more."""
    if fanout is None or (children is not None and is_typed(ctx, "children") > is_typed(ctx, "fanout")):
        return children, topology
    if children is not None and is_typed(ctx, "children") == is_typed(ctx, "fanout"):
        raise UsageError("--children and --fanout both say how wide: give one of them")
    return fanout, topology or ADAPTIVE


def read_hosts(
    hostfile: str | None,
    listed: Sequence[str] | None,
    without: Sequence[str] | None = None,
    ctx: Any = None,
    more: Sequence[str] = (),
) -> HostList:
    """Find the hosts, in the hostfile, in what --hosts lists, or in the batch system's allocation; some left out.

    ``ctx``: the command's; its warnings name the variable that stood for an option. ``more``: further warnings.
    """
    from mpboot.hosts.host import HostError
    from mpboot.hosts.sources import find_hosts

    hosts = ",".join(listed) if listed else None
    if hosts == "-":
        raise UsageError("--hosts -: hosts of standard input need no option: mpboot -")
    try:
        found = find_hosts(hostfile, hosts, os.environ)
        found = found if without is None else _leave_out(found, ",".join(without))
    except HostError as error:
        raise UsageError(str(error)) from None
    warnings = (*more, *(found.warnings if ctx is None else (named(one, ctx) for one in found.warnings)))
    return replace(found, warnings=warnings)


def _leave_out(found: HostList, listed: str) -> HostList:
    """The hosts without those that --exclude lists: by label, or as --hosts would name them."""
    from mpboot.hosts.sources import parse_hosts_option
    from mpboot.hosts.syntax import split_list
    from mpboot.text import fold

    labels = {host.label for host in found.hosts} & {*split_list(listed)}
    terms = [term for term in split_list(listed) if term not in labels]
    out: dict[str, list[Host]] = {}
    for host in parse_hosts_option(",".join(terms), "--exclude").hosts if terms else ():
        out.setdefault(host.name, []).append(host)
    left = [
        host for host in found.hosts
        if host.label not in labels and not any(_names(one, host) for one in out.get(host.name, ()))
    ]  # fmt: skip
    if not left:
        raise UsageError(f"--exclude {listed}: no host is left")
    strange = out.keys() - {host.name for host in found.hosts}
    warnings = [f"--exclude: not among the hosts: {fold(sorted(strange))}"] if strange else []
    return replace(found, hosts=tuple(left), warnings=(*found.warnings, *warnings))


def _names(term: Host, host: Host) -> bool:
    """Is a host meant by one of the same name, with user and port where they are said?"""
    return term.user in (None, host.user) and term.port in (None, host.port)


def read_set(terms: Sequence[str] | None, option: str = "-w", needed: bool = False) -> list[str] | None:
    """The labels that an option gives; None without it."""
    from mpboot.session.sets import labels_of

    if terms is None:
        return None
    if any(term.startswith("^") for term in terms):
        raise UsageError(f"{option} {','.join(terms)}: hosts of a session are given by name: {option} 'node[1-3]'")
    try:
        labels = labels_of(",".join(terms))
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not labels:
        more = "" if needed else ", or leave it out"
        raise UsageError(f"{option}: the set of hosts is empty: give names, as {option} 'node[1-3]'{more}")
    return labels


def warn(found: HostList, err: Sink) -> None:
    """Write the warnings about the hosts."""
    warn_of(found.warnings, err)


def warn_of(warnings: Sequence[str], err: Sink) -> None:
    """Write warnings."""
    err.write("".join(f"mpboot: warning: {warning}\n" for warning in warnings).encode("utf-8", "backslashreplace"))
    err.flush()


def choose_stdin(ctx: Any, name: str | None, no_input: bool) -> int:
    """The descriptor of the file of --stdin, -1 without it or with -n."""
    if name is not None and no_input and is_typed(ctx, "stdin"):
        raise UsageError("-n is for no input, and --stdin for one: give one of them")
    return -1 if name is None or no_input else open_stdin(name)


def open_stdin(name: str) -> int:
    """Open the file of --stdin before anything is begun; returns its descriptor."""
    if name == "-":
        if sys.stdin is None:
            raise UsageError("--stdin -: it is closed: give a file that can be read, or leave --stdin out")
        return 0
    try:
        if Path(name).is_dir():  # it can be opened, and not be read
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--stdin {name}: {why}: give a file that can be read, or -") from None
