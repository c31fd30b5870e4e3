"""What a boot tells while it runs, and lines out of the pieces that a command's output comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpboot.head.boot import Boot
    from mpboot.head.report import HostReport


class Observer:
    """What a boot tells while it runs; override what is of interest. Labels name hosts."""

    @property
    def full(self) -> bool:
        """Is there output that has not been passed on? The commands' output is held back meanwhile."""
        return False

    def begin(self, boot: Boot) -> None:
        """The boot begins. ``boot.loop`` serves timers and descriptors of the observer's own.

        Whoever was ``full`` calls ``boot.eased()`` when it is false again; ``boot.stop()`` ends the boot.
        """

    def launched(self, count: int) -> None:
        """So many launches have begun so far, repeats included."""

    def changed(self, host: str, report: HostReport) -> None:
        """A host came up or failed."""

    def booted(self) -> None:
        """Every host is up or has failed; commands may still run."""

    def output(self, host: str, stream: int, line: bytes) -> None:
        """A line (without its end) of the command's stdout (1) or stderr (2) on a host."""

    def exited(self, host: str, code: int) -> None:
        """The command has ended on a host."""

    def log(self, line: str) -> None:
        """A line of the launches' log (``verbose``), or of those under way (``show_launches``)."""

    def stopping(self, why: str) -> None:
        """The boot is being ended: interrupted, deadline."""
