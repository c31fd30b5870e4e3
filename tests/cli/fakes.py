"""What the tests of the display put in the place of a boot and its outputs."""

from __future__ import annotations

from types import SimpleNamespace

from mpboot.head.report import HostReport


class FakeSink:
    """Keeps what is written."""

    def __init__(self, is_terminal: bool = False) -> None:
        self.text = b""
        self.is_terminal = is_terminal
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
        self.loop = SimpleNamespace(later=lambda seconds, action: self.timers.append((seconds, action)))
        self.elapsed = 0.0

    def stop(self) -> None:
        """Keep it."""
        self.calls.append("stop")

    def eased(self) -> None:
        """Keep it."""
        self.calls.append("eased")


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
