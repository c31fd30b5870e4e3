"""Hosts that are lost, or did not come up, are tried again for as long as a session lives, ever less often."""

from __future__ import annotations

from contextlib import suppress

from mpboot.head.boot import Boot
from mpboot.hosts.host import HostError

FIRST, MOST = 2.0, 60.0  # seconds before the first new try, and at most: each pause is twice the one before


class Rejoin:
    """``changed(label)`` is to be called for each host that came up or failed."""

    def __init__(self, boot: Boot) -> None:
        self._boot = boot
        self._pauses: dict[str, float] = {}
        self._waiting: set[str] = set()

    def changed(self, label: str) -> None:
        """Try it again after its pause, if it is not up."""
        report = self._boot.report.hosts[label]
        if report.state == "up":
            self._pauses.pop(label, None)
        elif report.state == "failed" and label not in self._waiting and label not in self._boot.growth.left:
            pause = self._pauses[label] = min(MOST, 2 * self._pauses.get(label, FIRST / 2))
            self._waiting.add(label)
            self._boot.loop.later(pause, lambda: self._try(label))

    def _try(self, label: str) -> None:
        self._waiting.discard(label)
        host = next((host for host in self._boot.hosts if host.label == label), None)
        if host is not None and label not in self._boot.growth.left:
            with suppress(HostError):  # it has been grown meanwhile
                self._boot.growth.add([host])
