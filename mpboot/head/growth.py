"""Hosts that come to a tree that is there, and those that leave it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpboot.head.options import Options
from mpboot.head.report import BootReport, HostReport
from mpboot.head.root import share
from mpboot.hosts.host import Host, HostError
from mpboot.net import wire
from mpboot.net.fields import number
from mpboot.node.dispatch import pack_to


class Growth:
    """``hosts`` and ``labels`` are the boot's own, by rank; ``send(kind, body)`` is to the root."""

    def __init__(
        self,
        hosts: list[Host],
        labels: list[str],
        report: BootReport,
        options: Options,
        start: float,
        send: Callable[[int, bytes], None],
    ) -> None:
        """``start``: when the boot began, on the monotonic clock."""
        self.left: set[str] = set()  # hosts that were taken out, and are not to be seen any more
        self._hosts = hosts
        self._labels = labels
        self._report = report
        self._options = options
        self._start = start
        self._send = send
        self._shares = 1  # that the root was sent
        self._done = 0  # and that it has finished

    @property
    def under_way(self) -> bool:
        """Are there hosts of which nobody knows yet whether they come up?"""
        return self._done < self._shares

    def finished(self, body: bytes) -> None:
        """DONE: the root has finished so many shares. ValueError."""
        self._done = max(self._done, number(body))

    def add(self, hosts: Sequence[Host]) -> list[int]:
        """Boot those of the hosts that are new, or not up; their ranks. HostError for one that is named twice."""
        names = [host.label for host in hosts]
        for name in names:
            if names.count(name) > 1:
                raise HostError(f"{name} is named twice")
        wanted = [host for host in hosts if not self._is_there(host.label)]
        ranked = [(self._rank_of(host), host) for host in wanted]
        if ranked:
            self.left.difference_update(host.label for host in wanted)
            for host in wanted:
                self._report.hosts[host.label] = HostReport(attributes=host.attributes())
            self._shares += 1
            self._send(wire.SHARE, share(ranked, self._options, self._start, late=True))
        return [rank for rank, _ in ranked]

    def _is_there(self, name: str) -> bool:
        """Is it up, or on its way?"""
        known = self._report.hosts.get(name)
        return known is not None and known.state in ("up", "pending")

    def part_with(self, labels: Sequence[str]) -> None:
        """Have the agents of these hosts end in good order, and hand their children on."""
        self.left.update(labels)
        self._tell([self._labels.index(label) for label in labels if self._report.hosts[label].state == "up"])

    def moved(self, rank: int) -> None:
        """A host has another parent: that it is to leave may have been lost with the old one."""
        if self._labels[rank] in self.left:
            self._tell([rank])

    def _tell(self, ranks: list[int]) -> None:
        if ranks:
            self._send(wire.TO, pack_to(ranks, wire.LEAVE, b""))

    def _rank_of(self, host: Host) -> int:
        if host.label in self._labels:
            rank = self._labels.index(host.label)
            self._hosts[rank] = host
            return rank
        self._hosts.append(host)
        self._labels.append(host.label)
        return len(self._labels) - 1
