"""The hosts that a program means, by names or as Host objects; and their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mpboot.hosts.host import Host, HostError
from mpboot.hosts.sources import find_hosts
from mpboot.hosts.syntax import check_host


def chosen(hosts: Iterable[Host | str] | str, environ: Mapping[str, str]) -> Sequence[Host]:
    """The hosts that strings as for --hosts or Host objects name; for none, the batch job's. ValueError."""
    if isinstance(hosts, (Host, bytes, Mapping)) or not isinstance(hosts, Iterable):
        raise ValueError(f"hosts must be a text, or a list of texts or of Host objects, not {hosts!r}")
    given = [hosts] if isinstance(hosts, str) else list(hosts)
    names = [one for one in given if isinstance(one, str)]
    if len(names) == len(given):
        return find_hosts(None, ",".join(names) or None, environ).hosts
    made = [one for one in given if isinstance(one, Host)]
    if len(made) < len(given):
        raise ValueError("give host names or Host objects, not a mixture")
    for host in made:
        check_host(host)
    return made


def labels_of(hosts: Sequence[Host]) -> list[str]:
    """What people call the hosts, by rank. HostError where two have one label."""
    labels = [host.label for host in hosts]
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise HostError(f"{twice[0]} is named twice: give each host once, or an alias to tell them apart")
    return labels
