"""How the hosts are reached from elsewhere than the head: as the head itself would reach them, or by the head alone."""

from __future__ import annotations

from collections.abc import Sequence

from mpboot.head.options import Options
from mpboot.hosts.addresses import Addresses
from mpboot.hosts.host import Host
from mpboot.net.messages import Afar
from mpboot.tree.policy import Policy
from mpboot.workers.commandline import LOCAL

ALONE = Afar(True, None, None, None)


def from_elsewhere(hosts: Sequence[Host], options: Options) -> list[Afar | None]:
    """What other hosts have to know of each, None where that is nothing."""
    if options.rsh == LOCAL or not Policy(options.topology).shares:
        return [None] * len(hosts)
    known = Addresses()
    return [ALONE if known.only_here(host.name) else None for host in hosts]
