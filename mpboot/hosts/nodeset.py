"""Node sets and groups, as ClusterShell writes them: their size, and the names that they stand for."""

from __future__ import annotations

import re

from mpboot.hosts.host import HostError
from mpboot.text import shown

MAX_HOSTS = 200_000  # different hosts in one list, and hosts that one node set may stand for
MAX_RANGES = 8  # [brackets] in one node set

_SET = re.compile(r"(?:[A-Za-z0-9._-]|\[[0-9,/-]*\])+")
_GROUP = re.compile(r"@(?:\*|[A-Za-z0-9_](?:[A-Za-z0-9._:-]|\[[0-9,/-]*\])*)")
_RANGE = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,15})(?:/([0-9]{1,15}))?)?")


def set_size(text: str) -> int:
    """How many hosts a node set's ranges stand for, without expanding it; stops counting at too many."""
    size = 1
    for ranges in re.findall(r"\[([^\]]*)\]", text):
        count = 0
        for part in ranges.split(","):
            match = _RANGE.fullmatch(part)
            first, last, step = match.groups() if match else ("", None, None)
            uneven = first[:1] == "0" and last is not None and len(first) != len(last)
            if not match or uneven or int(last or first) < int(first) or (step and not int(step)):
                raise HostError(f"bad range {shown(part)} in {shown(text)}: write [1-3,7] or [001-147]")
            count += (int(last or first) - int(first)) // int(step or 1) + 1
        size *= count
        if size > MAX_HOSTS:
            break
    return size


def names_of(text: str) -> list[str]:
    """The names that one node set or @group stands for, in NodeSet's order.

    Loads ClusterShell. A set of more than MAX_HOSTS is refused before it is expanded. Raises HostError.
    """
    group = text.startswith("@")
    if not (_GROUP if group else _SET).fullmatch(text):
        rule = "write node[001-147], node[1-3,7], rack[1-2]n[1-4] or @group, without operators such as ! or &"
        raise HostError(f"bad node set {shown(text)}: {rule}")
    if text.count("[") > MAX_RANGES:
        raise HostError(f"node set {shown(text)} has {text.count('[')} brackets: {MAX_RANGES} is the most")
    if (size := set_size(text)) > MAX_HOSTS:
        raise HostError(f"node set {shown(text)} stands for {size} hosts or more: {MAX_HOSTS} is the most")
    try:
        from ClusterShell.NodeSet import NodeSet, NodeSetException
        from ClusterShell.NodeUtils import GroupResolverError, GroupResolverSourceError, GroupSourceError

        from mpboot.hosts import groups
    except ImportError:
        raise HostError(f"node set {shown(text)} needs ClusterShell: python3 -m pip install ClusterShell") from None
    try:
        names = [str(name) for name in (NodeSet(text, resolver=groups.resolver()) if group else NodeSet(text))]
    except GroupResolverSourceError:
        names = []
    except (NodeSetException, GroupResolverError, GroupSourceError, OSError) as error:
        reason = shown(str(error) or repr(error), 120)
        raise HostError(f"bad node set {shown(text)}: ClusterShell says {reason}") from None
    if not names:
        raise HostError(f"node set {shown(text)} has no hosts: `nodeset -LL` shows the groups that exist")
    if group and groups.are_examples(names):
        raise HostError(f"{shown(text)} is a group of the examples that ClusterShell comes with: {groups.ADVICE}")
    return names
