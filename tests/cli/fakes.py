"""What the tests of the display put in the place of a boot and its outputs."""

from __future__ import annotations

from types import SimpleNamespace

from mpboot.cli.screen import Screen
from mpboot.head.observer import Launching, Look
from mpboot.head.report import HostReport


class FakeSink:
    """Keeps what is written."""

    def __init__(self, is_terminal: bool = False) -> None:
        self.text = b""
        self.is_terminal = is_terminal
        self.is_pipe = not is_terminal
        self.pending = 0
        self.unflushed = 0  # bytes
        self.loops: list[object] = []

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.text += data
        self.unflushed += len(data)

    def flush(self, seconds: float | None = None) -> bytes:  # noqa: ARG002
        """Nothing waits."""
        self.unflushed = 0
        return b""

    def push(self, seconds: float | None = None) -> None:  # noqa: ARG002
        """Nothing waits."""
        self.unflushed = 0

    def attach(self, loop: object) -> None:
        """Remember the loop, which is not needed."""
        self.loops.append(loop)


class UnreadSink(FakeSink):
    """Has a reader who reads ``room`` bytes and no more."""

    room = 0

    def flush(self, seconds: float | None = None) -> bytes:
        """What he has not read."""
        super().flush(seconds)
        return self.text[self.room :]


class FakeBoot:
    """As much of a boot as a display sees; what it is asked for is kept in ``calls``."""

    def __init__(self, total: int, command: tuple[str, ...] = ()) -> None:
        self.hosts = range(total)
        self.options = SimpleNamespace(command=command)
        self.calls: list[str] = []
        self.timers: list[tuple[float, object]] = []
        self.loop = SimpleNamespace(
            later=lambda seconds, action: self.timers.append((seconds, action)), soon=lambda call: call()
        )
        self.elapsed = 0.0

    def stop(self) -> None:
        """Keep it."""
        self.calls.append("stop")

    def look(self) -> None:
        """Keep it."""
        self.calls.append("look")

    def eased(self) -> None:
        """Keep it."""
        self.calls.append("eased")


class FakeScreen(Screen):
    """A terminal of this size, but for the last column; ``free``: may it be drawn on?"""

    def __init__(self, columns: int = 79, lines: int = 24) -> None:
        self.columns, self.lines, self.free = columns, lines, True
        super().__init__()

    def size(self) -> tuple[int, int]:
        """What the test says."""
        return self.columns, self.lines

    def has_room(self) -> bool:
        """It has, whatever it is drawn on."""
        return True

    def is_free(self, shared: bool) -> bool:  # noqa: ARG002
        """What the test says."""
        return self.free


def up() -> HostReport:
    """The report of a host that has come up by its first launch."""
    report = HostReport()
    report.come_up("head", 1, 0.1, 0.5, 4711, 1, "3.11.2")
    return report


def failed(cause: str = "auth", detail: str = "denied") -> HostReport:
    """The report of a host that has failed after two launches."""
    report = HostReport()
    report.fail(cause, "connect", 2, "head", detail, "")
    return report


def launching(host: str, attempt: int = 1, left: float | None = 7.0, seconds: float = 3.0) -> Launching:
    """A launch that has got to the handshake."""
    return Launching(host, attempt, "handshake", seconds, left, f"{host} to finish keys or login")


def look(*launches: Launching, more: int = 0) -> Look:
    """A look at these launches, and at so many more."""
    again = sum(one.attempt > 1 for one in launches)
    return Look(len(launches) + more, again, list(launches))
