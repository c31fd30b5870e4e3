"""An observer that keeps what it is told."""

from __future__ import annotations

from typing import Any, Callable

from mpboot.head.observer import Look, Observer, RunningBoot
from mpboot.head.report import HostReport


class Witness(Observer):
    """``told``: the method's name and its values, in order; of a host's report the state and the cause.

    ``boot``: what it was given to begin with. ``holds``: say that it is full. ``then``: is called when the first host
    has come up or failed.
    """

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.holds = False
        self.then: Callable[[], object] | None = None
        self.boot: RunningBoot | None = None
        self.looks: list[Look] = []
        self.looked: Callable[[], object] = lambda: None  # called after each

    @property
    def full(self) -> bool:
        return self.holds

    @property
    def logged(self) -> list[str]:
        """The lines of the log."""
        return [one[1] for one in self.told if one[0] == "log"]

    def of(self, *names: str) -> list[tuple[Any, ...]]:
        """What it was told by these methods."""
        return [one for one in self.told if one[0] in names]

    def begin(self, boot: RunningBoot) -> None:
        self.boot = boot

    def launched(self, count: int) -> None:
        self.told.append(("launched", count))

    def changed(self, host: str, report: HostReport) -> None:
        self.told.append(("changed", host, report.state, report.cause))
        then, self.then = self.then, None
        if then is not None:
            then()

    def slow(self, host: str, slow: bool) -> None:
        self.told.append(("slow", host, slow))

    def booted(self) -> None:
        self.told.append(("booted",))

    def output(self, host: str, stream: int, line: bytes) -> None:
        self.told.append(("output", host, stream, line))

    def exited(self, host: str, code: int | None) -> None:
        self.told.append(("exited", host, code))

    def log(self, line: str) -> None:
        self.told.append(("log", line))

    def under_way(self, look: Look) -> None:
        self.looks.append(look)
        self.looked()

    def stopping(self, why: str) -> None:
        self.told.append(("stopping", why))
