"""Groups of hosts, as the site or the user has told ClusterShell, wherever ClusterShell itself is installed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

FILE = "groups.conf"
EXAMPLES = ("adm", "oss", "mds", "io", "compute", "gpu", "all")  # groups that ClusterShell comes with
_EXAMPLE = re.compile(r"example(?:[0-9]+|\[.*\])")  # and their hosts
ADVICE = (
    "your own are read where there is a groups.conf in /etc/clustershell or ~/.config/clustershell, "
    "or where CLUSTERSHELL_CFGDIR leads"
)


def files() -> list[str]:
    """The files that say where groups are from, the last one counts most.

    ClusterShell comes with a file of examples, which a virtual environment puts in front of the site's: it is read only
    where there is no other.
    """
    from ClusterShell.Defaults import config_paths

    every: list[str] = config_paths(FILE)
    examples = str(Path(sys.prefix) / "etc" / "clustershell" / FILE)
    own = [name for name in every if name != examples or examples == f"/etc/clustershell/{FILE}"]
    return own if any(Path(name).is_file() for name in own) else every


@cache
def resolver() -> Any:
    """What finds the hosts of a group."""
    from ClusterShell.NodeUtils import GroupResolverConfig

    return GroupResolverConfig(files())


def names() -> list[str]:
    """The groups of the default source, without its examples. Raises what ClusterShell raises, or ImportError."""
    found = resolver()
    every = sorted(found.grouplist())
    return [name for name in every if name not in EXAMPLES or not are_examples(found.group_nodes(name))]


def are_examples(hosts: Iterable[str]) -> bool:
    """Are these hosts of the groups that ClusterShell comes with?"""
    return all(_EXAMPLE.fullmatch(host) for host in hosts)
