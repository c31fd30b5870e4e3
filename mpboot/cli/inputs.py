"""What a command works on: the hosts and the library's options. What the library refuses ends the command in a line."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpboot.cli.codes import UsageError
from mpboot.tree.policy import ADAPTIVE, AUTO

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink
    from mpboot.head.options import Options
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
        raise UsageError(str(error)) from None


def read_hosts(hostfile: str | None, listed: Sequence[str] | None) -> HostList:
    """Find the hosts, in the hostfile, in what --hosts lists, or in the batch system's allocation."""
    from mpboot.hosts.host import HostError
    from mpboot.hosts.sources import find_hosts

    try:
        return find_hosts(hostfile, ",".join(listed) if listed else None, os.environ)
    except HostError as error:
        raise UsageError(str(error)) from None


def read_set(terms: Sequence[str] | None) -> list[str] | None:
    """The labels that -w or -x give; None without it."""
    from mpboot.session.sets import labels_of

    try:
        return None if terms is None else labels_of(",".join(terms))
    except ValueError as error:
        raise UsageError(str(error)) from None


def warn(found: HostList, err: Sink) -> None:
    """Say what is doubtful about the hosts."""
    err.write("".join(f"mpboot: warning: {warning}\n" for warning in found.warnings).encode())
    err.flush()


def open_stdin(name: str) -> int:
    """Open the file of --stdin before anything is begun; returns its descriptor."""
    if name == "-":
        return 0
    try:
        if Path(name).is_dir():  # it can be opened, and not be read
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--stdin {name}: {why}: give a file that can be read, or -") from None
