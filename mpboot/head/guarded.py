"""An observer as the boot has it: an exception of the observer ends the boot in order, and is raised at the end."""

from __future__ import annotations

from typing import Callable

from mpboot.head.observer import Look, Observer, RunningBoot
from mpboot.head.report import HostReport


class Guarded(Observer):
    """Calls ``observer`` until it raises something; then calls ``end``, and the observer no more."""

    def __init__(self, observer: Observer, end: Callable[[], None]) -> None:
        self.raised: BaseException | None = None
        self._observer = observer
        self._end = end

    @property
    def full(self) -> bool:
        """Whoever has raised something holds nothing back."""
        found: list[bool] = []
        self._tell(lambda: found.append(bool(self._observer.full)))
        return found == [True]

    def begin(self, boot: RunningBoot) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.begin(boot))

    def launched(self, count: int) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.launched(count))

    def changed(self, host: str, report: HostReport) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.changed(host, report))

    def slow(self, host: str, slow: bool) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.slow(host, slow))

    def booted(self) -> None:
        """Pass it on."""
        self._tell(self._observer.booted)

    def output(self, host: str, stream: int, line: bytes) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.output(host, stream, line))

    def part(self, host: str, stream: int, piece: bytes) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.part(host, stream, piece))

    def exited(self, host: str, code: int | None) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.exited(host, code))

    def log(self, line: str) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.log(line))

    def under_way(self, look: Look) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.under_way(look))

    def stopping(self, why: str) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.stopping(why))

    # -- inside ------------------------------------------------------------------------------------

    def _tell(self, call: Callable[[], None]) -> None:
        if self.raised is not None:
            return
        try:
            call()
        except BaseException as error:
            self.raised = error
            self._end()
