"""The beginning of a session that does not get to its end: interrupted, halted, or without the client that began it."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mpboot.head.observer import Observer
from mpboot.head.options import Options
from mpboot.head.report import HostReport
from mpboot.hosts.host import Host
from mpboot.session import start
from mpboot.session.connection import Connection
from mpboot.session.registry import SessionError
from mpboot.session.start import KeptBoot, start_daemon
from tests.support.kept import Kept, kept
from tests.support.run_mpboot import LOCAL
from tests.support.waiting import until


@pytest.fixture
def user() -> Iterator[Kept]:
    """Somebody without a session."""
    with kept() as made:
        yield made


@pytest.mark.parametrize("options", [(), ("--stdin", "/dev/null")])
def test_one_whose_command_is_interrupted_is_not_kept_and_not_said_to_be(user: Kept, options: tuple[str, ...]) -> None:
    begun = user.start("--hosts", "h[1-3]", *LOCAL, "--keep", *options, "--", "sleep", "983")
    until(lambda: sum("sleep 983" in one for one in user.family().values()) == 4)  # the client, too
    begun.send_signal(signal.SIGINT)
    _, errors = begun.communicate(timeout=15)
    assert begun.returncode == 130
    assert b"interrupted: 3 of 3 hosts up" in errors
    assert b"is kept" not in errors
    user.gone()


class Late(Observer):
    """Hears that a host is up, and goes on only when the daemon has said all and closed the connection."""

    def begin(self, boot: Any) -> None:
        self.boot = boot

    def changed(self, label: str, report: HostReport) -> None:  # noqa: ARG002
        if report.state == "up":
            waiter = select.poll()
            waiter.register(self.boot._connection.fileno(), select.POLLRDHUP)
            assert waiter.poll(15000)
            for _ in range(2):  # the first word after it still finds no fault, perhaps
                self.boot.look()


def test_a_client_that_was_stopped_meanwhile_hears_that_all_is_well(
    user: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in user.environment.items():
        monkeypatch.setenv(name, value)
    boot = KeptBoot([Host("h1")], Options(rsh="local", command=("true",)), Late())
    report = boot.run()
    assert (boot.kept, report.up, report.ended_by, report.hosts["h1"].exit) == (True, 1, "", 0)
    assert user.exec("true").returncode == 0


def test_one_that_is_halted_while_its_command_runs_says_so(user: Kept) -> None:
    begun = user.start("--hosts", "h[1-3]", *LOCAL, "--keep", "--", "sleep", "983")
    until(lambda: sum("sleep 983" in one for one in user.family().values()) == 4)  # the client, too
    assert user.mpboot("halt").returncode == 0
    _, errors = begun.communicate(timeout=15)
    assert begun.returncode == 130
    assert b"interrupted: 3 of 3 hosts up" in errors
    user.gone()


def test_one_that_is_halted_before_its_hosts_are_up_does_not_blame_them(user: Kept) -> None:
    begun = user.start("--hosts", "h[1-3]", "--rsh", "sh -c 'sleep 983' {host}", "--keep")
    until(lambda: sum("sleep 983" in one for one in user.family().values()) >= 3)
    assert user.mpboot("halt").returncode == 0
    _, errors = begun.communicate(timeout=15)
    assert begun.returncode == 130
    assert b"interrupted: 0 of 3 hosts up" in errors
    assert b"root process" not in errors
    user.gone()


def daemon_of(user: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client of a new session does first: its daemon boots, and nobody has come to watch yet."""
    for name, value in user.environment.items():
        monkeypatch.setenv(name, value)
    start_daemon("default", [Host("a"), Host("b")], Options(rsh="local"), 0.0, rejoin=False, last_look=False)
    until(lambda: [one["state"] for one in user.nodes().values()] == ["up", "up"])


def test_whoever_comes_late_to_watch_hears_of_all(user: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon_of(user, monkeypatch)
    with Connection("default") as connection:
        connection.ask("watch")
        told = [connection.answer()]
        while "complete" not in told[-1]:
            told.append(connection.answer())
    assert sorted(one["host"] for one in told if one.get("event") == "changed") == ["a", "b"]
    assert told[-1]["kept"] is True
    with Connection("default") as connection:
        connection.ask("watch")
        with pytest.raises(SessionError, match="watched already"):
            connection.answer()
    assert user.exec("true").returncode == 0


@pytest.mark.long
def test_one_whose_client_went_before_it_watched_ends(user: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = start._MAIN.replace("main()", "import mpboot.session.daemon as it; it.COMES = 3.0; main()")
    monkeypatch.setattr(start, "_MAIN", hasty)
    daemon_of(user, monkeypatch)
    until(lambda: not user.family(), 20.0)
    user.gone()


class Stopping(Observer):
    """Stops the daemon when the first launch has begun, and interrupts so often."""

    def __init__(self, interrupts: int, stopped: Callable[[], None]) -> None:
        self.interrupts = interrupts
        self.stopped = stopped
        self.told: list[str] = []
        self.boot: KeptBoot | None = None

    def launched(self, count: int) -> None:
        assert self.boot is not None
        if count:
            os.kill(self.boot.daemon, signal.SIGSTOP)
            self.stopped()
            for _ in range(self.interrupts):
                self.boot.stop()

    def log(self, line: str) -> None:
        self.told.append(line)


@pytest.mark.parametrize("interrupts", [0, 2])
def test_a_daemon_that_is_stopped_holds_its_client_up_no_longer_than_others(
    user: Kept, monkeypatch: pytest.MonkeyPatch, interrupts: int
) -> None:
    for name, value in user.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(start, "BEAT", 0.1)
    observer = Stopping(interrupts, lambda: monkeypatch.setattr(start, "LIFE", 1e6 if interrupts else 0.5))
    boot = observer.boot = KeptBoot([Host("a")], Options(rsh="sh -c 'exec sleep 983' {host}"), observer)
    report = boot.run()
    assert (report.ended_by, report.exit_code()) == (("interrupted", 143) if interrupts else ("lost", 1))
    assert report.hosts["a"].state == "failed"
    assert "does not answer: its daemon is stopped" in observer.told[-1]
    os.kill(boot.daemon, signal.SIGCONT)
    until(lambda: not user.family())


def test_a_daemon_that_ends_before_it_has_read_what_it_is_to_do(user: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(user.runtime))
    monkeypatch.setattr(start, "_MAIN", "raise SystemExit(3)")
    hosts = [Host(f"node{number}") for number in range(2000)]  # more than a pipe holds
    with pytest.raises(SessionError, match="the session's daemon could not be started"):
        start_daemon("default", hosts, Options(rsh="local"), 0.0, rejoin=False, last_look=False)
