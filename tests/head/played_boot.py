"""A boot whose root the test plays."""

from __future__ import annotations

import os
import signal
from typing import Any, Callable

from mpboot.head.boot import Boot
from mpboot.head.options import Options
from mpboot.head.report import BootReport
from mpboot.hosts.host import Host
from mpboot.net import wire
from tests.head.played_root import PONG, Message, PlayedRoot
from tests.head.witness import Witness

HOSTS = [Host("a"), Host("b", cpu=2), Host("c", schedule=False)]
COMMAND = ["uptime"]
ROUNDED = 0.0001  # seconds


class Played:
    """A boot of HOSTS whose root is played: ``says`` is what it says to its share."""

    def __init__(self, *says: Message | Callable[[], None], last_look: bool = False, **options: Any) -> None:
        self.root = PlayedRoot()
        self.root.on(wire.PING, PONG)
        self.root.on(wire.SHARE, *says)
        self.witness = Witness()
        self.boot = Boot(HOSTS, Options(**options), self.witness, last_look, self.root.started)
        self.root.attach(self.boot.loop)

    def run(self) -> BootReport:
        """Run it."""
        report = self.boot.run()
        assert report is self.boot.report
        return report

    def stopped_by(self) -> list[bytes]:
        """The signals with which the root was told to stop."""
        return self.root.bodies(wire.STOP)


def came_up(host: str) -> tuple[str, str, str, str]:
    return "changed", host, "up", ""


def gave_up(host: str, cause: str) -> tuple[str, str, str, str]:
    return "changed", host, "failed", cause


def interrupt(number: int = signal.SIGINT) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)
