"""What an observer may rely on: whom it is given, and what it is told in which order, of a real boot."""

from __future__ import annotations

import os
import signal

import mpboot
from mpboot.head.observer import Observer, RunningBoot
from tests.head.witness import Witness


class Beginner(Witness):
    """Looks at the boot when it begins."""

    def begin(self, boot: RunningBoot) -> None:
        self.told.append(("begin", [host.label for host in boot.hosts], boot.options.command))
        assert 0 <= boot.elapsed < 5
        boot.loop.soon(lambda: self.told.append(("loop",)))


def test_all_of_a_boot() -> None:
    observer = Beginner()
    command = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    report = mpboot.boot("a,b", observer=observer, rsh="local", topology="flat", command=command)
    assert report.up == 2
    told = observer.told
    assert told[:2] == [("begin", ["a", "b"], command), ("loop",)]
    assert observer.of("booted") == [("booted",)]
    assert ("launched", 2) in told
    assert observer.of("log", "stopping") == []
    for host in "ab":
        whole = [one for one in told if host in one]
        assert whole[0] == ("changed", host, "up", "")
        assert sorted(whole[1:3]) == [("output", host, 1, b"out"), ("output", host, 2, b"err")]
        assert whole[3:] == [("exited", host, 3)]
        assert told.index(whole[0]) < told.index(("booted",))


def test_verbose_logs_every_launch() -> None:
    observer = Witness()
    mpboot.boot("a,b", observer=observer, rsh="local", verbose=True)
    assert all(any(f" {host} " in line for line in observer.logged) for host in "ab")


def test_it_may_end_the_boot() -> None:
    class Impatient(Witness):
        def begin(self, boot: RunningBoot) -> None:
            boot.stop()

    observer = Impatient()
    report = mpboot.boot("a,b", observer=observer, rsh="local")
    assert report.ended_by == "interrupted"
    assert observer.told == [
        ("stopping", "interrupted"),
        ("changed", "a", "failed", "interrupted"),
        ("changed", "b", "failed", "interrupted"),
    ]


def test_what_is_not_overridden_does_nothing() -> None:
    observer = Observer()
    assert observer.full is False
    report = mpboot.boot("a", observer=observer, rsh="local", verbose=True, command=["echo", "x"])
    assert report.up == 1
    assert observer.stopping("deadline") is None  # type: ignore[func-returns-value]


def test_sigusr1_tells_where_the_command_still_runs() -> None:
    """It has ended on h1 when the signal comes, and runs on the others, which are up by then."""

    class Asker(Witness):
        def booted(self) -> None:
            super().booted()
            self.ask_if_due()

        def exited(self, host: str, code: int | None) -> None:
            super().exited(host, code)
            self.ask_if_due()

        def ask_if_due(self) -> None:
            if len(self.of("booted", "exited")) == 2:
                assert self.boot is not None
                self.boot.loop.soon(lambda: os.kill(os.getpid(), signal.SIGUSR1))

        def log(self, line: str) -> None:
            super().log(line)
            if "launch" in line:
                assert self.boot is not None
                self.boot.stop()

    observer = Asker()
    command = ["sh", "-c", "[ $MPBOOT_RANK = 0 ] || exec sleep 60"]
    report = mpboot.boot("h[1-4]", observer=observer, rsh="local", command=command, deadline=20)
    assert report.ended_by == "interrupted"
    assert observer.logged == [
        "the command has ended on 1 of 4, and runs on 3 hosts: h[2-4]",
        "no launches under way",
    ]
