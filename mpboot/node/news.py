"""News for the parent: hosts up and failed, merged round by round, and kept for a new parent."""

from __future__ import annotations

from mpboot.net import messages, wire
from mpboot.net.fields import MOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List, Sequence, Set

    from mpboot.net.loop import Loop
    from mpboot.node.uplink import Uplink


class News:
    """What one node has to say of the hosts in its care."""

    def __init__(self, loop: Loop, uplink: Uplink) -> None:
        self._loop = loop
        self._uplink = uplink
        self._fresh_ups: List[messages.Up] = []
        self._fresh_failures: List[messages.Failed] = []
        self._ups: Dict[int, messages.Up] = {}  # the latest word on each host, told already or not
        self._failures: Dict[int, messages.Failed] = {}
        self._launched = self._strangers = 0  # how many more, not told yet
        self._due = False

    def up(self, record: messages.Up) -> None:
        """A host is up; this is the latest word on it."""
        self._failures.pop(record.rank, None)
        self._ups[record.rank] = record
        self._fresh_ups.append(record)
        self._soon()

    def failed(self, record: messages.Failed) -> None:
        """A host has failed; this is the latest word on it."""
        self._ups.pop(record.rank, None)
        self._failures[record.rank] = record
        self._fresh_failures.append(record)
        self._soon()

    def stranger(self) -> None:
        """Somebody was sent away who could not prove a key."""
        self.count(strangers=1)

    def fits(self, rank: int, pid: int, family: Sequence[int]) -> bool:
        """Is this the agent that is up there, and is no host of its family up elsewhere, as far as is known?"""
        own = {rank, *family}
        ups = self._ups
        return (rank not in ups or ups[rank].pid == pid) and own.issuperset(
            ups[one].parent for one in family if one in ups
        )

    def count(self, launched: int = 0, strangers: int = 0) -> None:
        """So many more were launched, or were strangers."""
        self._launched = min(self._launched + launched, MOST)
        self._strangers = min(self._strangers + strangers, MOST)  # whatever a child says that it has seen
        self._soon()

    def part_with(self, ranks: Iterable[int]) -> None:
        """These hosts are given back, after all news of them; a new parent, who may not know them here, hears none."""
        self.send()
        for rank in ranks:
            self._ups.pop(rank, None)
            self._failures.pop(rank, None)

    def parents(self) -> Set[int]:
        """Below whom hosts are up, as far as is known."""
        return {one.parent for one in self._ups.values()}

    def keep(self, own: int, ranks: List[int]) -> List[int]:
        """No others are in the care of this node, ``own``: a new parent, below which others may be, hears of none.

        The same ranks.
        """
        kept = {own, *ranks}
        ups, failures = self._ups.items(), self._failures.items()
        self._ups = {rank: one for rank, one in ups if {rank, one.parent} <= kept}
        self._failures = {rank: one for rank, one in failures if {rank, one.launcher} <= kept}
        self._uplink.keep(kept)
        return ranks

    def failure(self, rank: int) -> messages.Failed:
        """The record of a host that failed."""
        return self._failures[rank]

    def again(self) -> None:
        """Tell a new parent all that the old one was told: the news may have died with it."""
        self._fresh_ups = list(self._ups.values())
        self._fresh_failures = list(self._failures.values())
        self._soon()

    def send(self) -> None:
        """Send what has gathered, merged."""
        self._due = False
        for ups in messages.Up.groups(self._fresh_ups):
            self._uplink.send(wire.UP, messages.Up.pack_all(ups))
        for failures in messages.Failed.groups(self._fresh_failures):
            self._uplink.send(wire.FAILED, messages.Failed.pack_all(failures))
        self._fresh_ups, self._fresh_failures = [], []
        if self._launched or self._strangers:
            self._uplink.send(wire.LAUNCHED, messages.Launched(self._launched, self._strangers).pack())
            self._launched = self._strangers = 0

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            self._loop.soon(self.send)
