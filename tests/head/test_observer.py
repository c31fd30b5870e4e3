"""What an observer may rely on: whom it is given, and what it is told in which order, of a real boot."""

from __future__ import annotations

from typing import Any

import mpboot
from mpboot.head.observer import Observer, RunningBoot
from mpboot.head.report import HostReport


class Everything(mpboot.Observer):
    """Keeps all that it is told, and looks at the boot when it begins."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def begin(self, boot: RunningBoot) -> None:
        self.told.append(("begin", [host.label for host in boot.hosts], boot.options.command))
        assert 0 <= boot.elapsed < 5
        boot.loop.soon(lambda: self.told.append(("loop",)))

    def launched(self, count: int) -> None:
        self.told.append(("launched", count))

    def changed(self, host: str, report: HostReport) -> None:
        self.told.append(("changed", host, report.state))

    def booted(self) -> None:
        self.told.append(("booted",))

    def output(self, host: str, stream: int, line: bytes) -> None:
        self.told.append(("output", host, stream, line))

    def exited(self, host: str, code: int) -> None:
        self.told.append(("exited", host, code))

    def log(self, line: str) -> None:
        self.told.append(("log", line))

    def stopping(self, why: str) -> None:
        self.told.append(("stopping", why))


def test_all_of_a_boot() -> None:
    observer = Everything()
    command = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    report = mpboot.boot("a,b", observer=observer, rsh="local", topology="flat", command=command)
    assert report.up == 2
    told = observer.told
    assert told[:2] == [("begin", ["a", "b"], command), ("loop",)]
    assert [one[0] for one in told].count("booted") == 1
    assert ("launched", 2) in told
    assert not [one for one in told if one[0] in ("log", "stopping")]
    for host in "ab":
        whole = [one for one in told if host in one]
        assert whole[0] == ("changed", host, "up")
        assert sorted(whole[1:3]) == [("output", host, 1, b"out"), ("output", host, 2, b"err")]
        assert whole[3:] == [("exited", host, 3)]
        assert told.index(whole[0]) < told.index(("booted",))


def test_verbose_logs_every_launch() -> None:
    observer = Everything()
    mpboot.boot("a,b", observer=observer, rsh="local", verbose=True)
    log = [one[1] for one in observer.told if one[0] == "log"]
    assert all(any(f" {host} " in line for line in log) for host in "ab")


def test_it_may_end_the_boot() -> None:
    class Impatient(Everything):
        def begin(self, boot: RunningBoot) -> None:
            boot.stop()

    observer = Impatient()
    report = mpboot.boot("a,b", observer=observer, rsh="local")
    assert report.ended_by == "interrupted"
    assert observer.told == [
        ("stopping", "interrupted"),
        ("changed", "a", "failed"),
        ("changed", "b", "failed"),
    ]


def test_what_is_not_overridden_does_nothing() -> None:
    observer = Observer()
    assert observer.full is False
    report = mpboot.boot("a", observer=observer, rsh="local", verbose=True, command=["echo", "x"])
    assert report.up == 1
    assert observer.stopping("deadline") is None  # type: ignore[func-returns-value]
