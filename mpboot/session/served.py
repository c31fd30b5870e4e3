"""The observer of a kept boot: tells the client that began it what a boot tells, and the daemon what has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from time import monotonic
from typing import Any

from mpboot.head.observer import Look, Observer, RunningBoot
from mpboot.head.report import BootReport, HostReport
from mpboot.session import frames
from mpboot.session.guest import Guest

FULL = 1 << 18  # bytes that wait for the client: then the command's output is held back


class Served(Observer):
    """``begun(boot)`` is called when the boot begins, ``moved(label)`` when a host came up or failed."""

    def __init__(self, begun: Callable[[RunningBoot], None], moved: Callable[[str], None]) -> None:
        self.all_up: Callable[[], None] = lambda: None  # all hosts, later ones too, are up or have failed
        self.logged = ""  # what it has told last, for people
        self.kept = False  # the client has got its report, and the tree stays
        self._begun = begun
        self._moved = moved
        self._boot: RunningBoot | None = None
        self._client: Guest | None = None
        self._watched = False  # a client has come for it
        self._places: dict[str, int] = {}
        self._early: list[bytes] = []  # what there was to tell before the client came

    @property
    def full(self) -> bool:
        """Is the client too slow for the command's output?"""
        return self._client is not None and self._client.waiting > FULL

    def watch(self, guest: Guest) -> None:
        """This is the client that began the boot. ValueError if there is one already."""
        if self._watched:
            raise ValueError("the boot is watched already")
        self._watched = True
        self._client = guest
        guest.drained = self._drained
        for frame in self._early:
            guest.send(frame)
        self._early = []
        if self.kept:
            self._let_go()

    def look(self) -> None:
        """Has nobody come to watch it by now? Then it is nobody's."""
        if not self._watched and self._boot is not None:
            self._boot.stop()

    def gone(self, guest: Guest) -> None:
        """A client has gone: without the one that began it a boot is not seen to its end."""
        if guest is self._client:
            self._client = None
            if not self.kept and self._boot is not None:
                self._boot.stop()

    def report(self, report: BootReport, kept: bool) -> None:
        """The boot has ended, or is complete and ``kept``: the client gets the report."""
        told = asdict(report)
        told["notes"] = [[what, text, at] for (what, text), at in report.notes.items()]
        self._tell(complete=told, kept=kept)
        self.kept = True
        self._let_go()

    # -- what the boot tells -----------------------------------------------------------------------

    def begin(self, boot: RunningBoot) -> None:
        """The boot begins."""
        self._boot = boot
        self._places = {host.label: at for at, host in enumerate(boot.hosts)}
        self._tell(event="begun", at=monotonic() - boot.elapsed)
        self._begun(boot)

    def launched(self, count: int) -> None:
        """So many launches have begun."""
        self._tell(event="launched", count=count)

    def changed(self, host: str, report: HostReport) -> None:
        """A host came up or failed."""
        self._moved(host)
        self._tell(event="changed", host=host, report=asdict(report))

    def slow(self, host: str, slow: bool) -> None:
        """A host is slow, or is so no more."""
        self._tell(event="slow", host=host, slow=slow)

    def booted(self) -> None:
        """Every host is up or has failed."""
        self._tell(event="booted", seconds=0.0 if self._boot is None else self._boot.elapsed)
        self.all_up()

    def output(self, host: str, stream: int, line: bytes) -> None:
        """A line of the boot's own command."""
        self._send(frames.pack_output(self._places[host], stream, line + b"\n"))

    def part(self, host: str, stream: int, piece: bytes) -> None:
        """A part of a line of it."""
        self._send(frames.pack_output(self._places[host], stream, piece))

    def exited(self, host: str, code: int | None) -> None:
        """The boot's own command has ended on a host."""
        self._tell(event="exited", host=host, code=code)

    def log(self, line: str) -> None:
        """A line of the launches' log."""
        self.logged = line
        self._tell(event="log", line=line)

    def under_way(self, look: Look) -> None:
        """Which launches are under way."""
        self._tell(event="under_way", look=asdict(look))

    def stopping(self, why: str) -> None:
        """The boot is being ended."""
        self._tell(event="stopping", why=why)

    # -- inside ------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        if self._client is not None:
            self._client.end()
            self._client = None

    def _tell(self, **told: Any) -> None:
        if not self.kept or self._client is not None:
            self._send(frames.pack(told))

    def _send(self, frame: bytes) -> None:
        if self._client is not None:
            self._client.send(frame)
        elif not self.kept:
            self._early.append(frame)

    def _drained(self) -> None:
        if self._boot is not None:
            self._boot.eased()
