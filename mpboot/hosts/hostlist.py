"""A list of different hosts with unique labels: duplicates are merged, hosts of one name get labels of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mpboot.hosts.host import Host, HostError
from mpboot.hosts.nodeset import MAX_HOSTS
from mpboot.hosts.syntax import Entries

SHOWN = 5  # names in one warning


@dataclass(frozen=True)
class HostList:
    """Different hosts in the order in which they were first named; their labels are unique."""

    hosts: tuple[Host, ...]
    warnings: tuple[str, ...]  # one line each, printable
    source: str  # the file's name, «standard input», «--hosts», or the batch system's variable


def host_list(entries: Entries, source: str) -> HostList:
    """The list of what is written in a source. HostError if there is no host in it, or too many."""
    hosts, warnings = entries.hosts, entries.warnings
    if not hosts:
        raise HostError(f"{source}: no hosts in it: give at least one, a name a line")
    if len({host.name for host in hosts}) < len(hosts):
        groups: dict[tuple[str, str | None, int | None], list[Host]] = {}
        for host in hosts:
            groups.setdefault((host.name, host.user, host.port), []).append(host)
        hosts = _labelled([_merge(same) if len(same) > 1 else same[0] for same in groups.values()])
        repeated = [host.label for host, same in zip(hosts, groups.values()) if len(same) > 1]
        if repeated:
            note = "hosts listed more than once are merged, their slots added up"
            warnings = [*warnings, f"{source}: {note}: {_some(repeated)}"]
    if len(hosts) > MAX_HOSTS:
        raise HostError(f"{source}: {len(hosts)} hosts: {MAX_HOSTS} is the most")
    return HostList(tuple(hosts), tuple(warnings), source)


def _merge(same: Sequence[Host]) -> Host:
    """One host for all entries that name it; an entry without a count stands for one slot, or LAM's cpu."""
    cpu = slots = bare = 0
    for host in same:
        cpu += host.cpu or 0
        slots += host.slots or 0
        bare += host.cpu is None and host.slots is None
    if cpu and not slots:
        cpu += bare
    else:
        slots += bare
    limits = [host.max_slots for host in same if host.max_slots is not None]
    return replace(
        same[0],
        cpu=cpu or None,
        slots=slots or None,
        max_slots=max(*limits, slots) if limits else None,
        schedule=all(host.schedule for host in same),
        python=next((host.python for host in same if host.python), None),
    )


def _labelled(hosts: Sequence[Host]) -> list[Host]:
    """The hosts, where several share a name each with an alias: the user, the port, or both, as they differ."""
    users: dict[str, set[str | None]] = {}
    ports: dict[str, set[int | None]] = {}
    for host in hosts:
        users.setdefault(host.name, set()).add(host.user)
        ports.setdefault(host.name, set()).add(host.port)
    labelled = []
    for host in hosts:
        by_user = host.user is not None and len(users[host.name]) > 1
        by_port = host.port is not None and len(ports[host.name]) > 1
        name = f"[{host.name}]" if by_port and ":" in host.name else host.name
        alias = (f"{host.user}@" if by_user else "") + name + (f":{host.port}" if by_port else "")
        new = alias if by_user or by_port else None
        labelled.append(host if new == host.alias else replace(host, alias=new))
    return labelled


def unite(first: HostList, second: HostList) -> HostList:
    """All of the first, then what only the second has; an entry of the first counts as it stands there."""
    have = {(host.name, host.user, host.port) for host in first.hosts}
    new = [host for host in second.hosts if (host.name, host.user, host.port) not in have]
    again = [host.label for host in second.hosts if (host.name, host.user, host.port) in have]
    warnings = [*first.warnings, *second.warnings]
    if again:
        note = f"{second.source}: already in {first.source}, kept as there"
        warnings.append(f"{note}: {_some(again)}")
    return host_list(Entries([*first.hosts, *new], warnings), f"{first.source} and {second.source}")


def _some(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
