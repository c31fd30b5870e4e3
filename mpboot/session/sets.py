"""Sets of a session's hosts, as they are typed or given: ``-w node[001-147]``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Union

Set = Union[str, Sequence[str], None]  # hosts: "node[1-3],b", labels, or all


def labels_of(on: Set) -> list[str] | None:
    """The labels of a set of hosts; None for all of them. ValueError for a set that can't be read."""
    if on is None:
        return None
    from mpboot.hosts.host import HostError  # these take a while to load
    from mpboot.hosts.sources import parse_hosts_option

    if isinstance(on, str):
        try:
            return [host.label for host in parse_hosts_option(on).hosts] if on.strip(" ,") else []
        except HostError as error:
            raise ValueError(str(error).replace("--hosts: ", "", 1)) from None
    given: Any = on
    found: list[Any] = list(given) if isinstance(given, Iterable) else [None]
    if not all(isinstance(label, str) for label in found):
        raise ValueError(f"a set of hosts is a text such as node[1-3], or a list of names, not {on!r}")
    return found
