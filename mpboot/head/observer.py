"""What a boot tells its observer while it runs, and what of the boot the observer may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mpboot.head.options import Options
    from mpboot.head.report import HostReport
    from mpboot.hosts.host import Host
    from mpboot.net.loop import Loop


@dataclass(frozen=True)
class Launching:
    """A launch under way, in words that can be printed. Times in seconds; ``phase`` is empty where nobody knows it."""

    host: str
    attempt: int
    phase: str
    seconds: float  # since it began
    left: float | None  # until it is given up, if nothing moves; None: not known
    waits_for: str


@dataclass(frozen=True)
class Look:
    """A look at the launches under way: how many there are, how many ``again``, and the ``longest``, longest first."""

    count: int = 0
    again: int = 0  # hosts that have been tried before
    longest: list[Launching] = field(default_factory=list)


class RunningBoot(Protocol):
    """What an observer may use of the boot that it observes, in the thread in which it is called."""

    @property
    def hosts(self) -> Sequence[Host]:
        """The hosts to boot, in the order given."""

    @property
    def options(self) -> Options:
        """How they are booted."""

    @property
    def loop(self) -> Loop:
        """The boot's loop; it serves timers and descriptors of the observer's own, too."""

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the boot."""

    def stop(self) -> None:
        """End the boot early, as Ctrl-C does."""

    def eased(self) -> None:
        """Say that the observer was ``full``, and has room again."""

    def show_launches(self) -> None:
        """Have ``log`` called with the launches under way, as SIGUSR1 does."""

    def look(self) -> None:
        """Have ``under_way`` called, once, with the launches under way."""


class Observer:
    """What a boot tells while it runs; override what you need. Labels name hosts. An exception ends the boot."""

    @property
    def full(self) -> bool:
        """Does this observer still hold output? While it does, the commands' output is held back."""
        return False

    def begin(self, boot: RunningBoot) -> None:
        """The boot begins. ``boot.loop`` serves timers and descriptors of the observer's own.

        An observer that was ``full`` calls ``boot.eased()`` when it no longer is; ``boot.stop()`` ends the boot.
        """

    def launched(self, count: int) -> None:
        """So many launches have begun so far, repeats included."""

    def changed(self, host: str, report: HostReport) -> None:
        """A host came up or failed; or the command was begun there (``report.begun``), where it had waited for all."""

    def slow(self, host: str, slow: bool) -> None:
        """A host says nothing, though its kernel answers; or it is heard again."""

    def booted(self) -> None:
        """Every host is up or has failed; commands may still run."""

    def output(self, host: str, stream: int, line: bytes) -> None:
        """A line (without its end) of the command's stdout (1) or stderr (2) on a host."""

    def part(self, host: str, stream: int, piece: bytes) -> None:
        """A piece of a line without its end: more follows, or the output ends here. Goes to ``output`` by default."""
        self.output(host, stream, piece)

    def exited(self, host: str, code: int | None) -> None:
        """The command has ended on a host; None: nobody knows its exit code."""

    def log(self, line: str) -> None:
        """A line of the launches' log (``verbose``), or of those under way (``show_launches``)."""

    def under_way(self, look: Look) -> None:
        """The launches under way: called after ``look``, within a second or so."""

    def stopping(self, why: str) -> None:
        """The boot is being ended early; ``why`` is "interrupted" or "deadline"."""
