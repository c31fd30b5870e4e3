"""News for the parent: hosts up and failed, merged round by round, and kept for a new parent."""

from __future__ import annotations

from mpboot.net import plain, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from mpboot.node.agent import Agent


class News:
    """What one node has to say of the hosts in its care."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._fresh: Dict[int, List[Any]] = {wire.UP: [], wire.FAILED: []}
        self._told: Dict[int, Dict[int, Any]] = {wire.UP: {}, wire.FAILED: {}}
        self._numbers = {"launched": 0, "strangers": 0}
        self._due = False

    def of_host(self, kind: int, record: List[Any]) -> None:
        """A host (record[0]) is UP or has FAILED; only the latest word is told again."""
        self._fresh[kind].append(record)
        for told in self._told.values():
            told.pop(record[0], None)
        self._told[kind][record[0]] = record
        self._soon()

    def count(self, name: str, number: int = 1) -> None:
        """So many more were launched, or were strangers."""
        self._numbers[name] += number
        self._soon()

    def failure(self, rank: int) -> List[Any]:
        """What was told of a host that failed."""
        record: List[Any] = self._told[wire.FAILED][rank]
        return record

    def again(self) -> None:
        """Tell a new parent all that the old one was told, which may have died with it."""
        for kind, told in self._told.items():
            self._fresh[kind] = list(told.values())
        self._soon()

    def send(self) -> None:
        """Send what has gathered, merged."""
        self._due = False
        uplink = self._agent.uplink
        for kind, records in self._fresh.items():
            if records:
                uplink.send(kind, plain.dumps(records))
                self._fresh[kind] = []
        if any(self._numbers.values()):
            uplink.send(wire.LAUNCHED, plain.dumps(self._numbers))
            self._numbers = dict.fromkeys(self._numbers, 0)

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            self._agent.loop.soon(self.send)
