"""However a boot ends: signal handlers and descriptors are as before, and what an observer raised comes out."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mpboot
from mpboot.head import signals
from mpboot.head.observer import Observer
from mpboot.net import messages
from mpboot.net.loop import Loop

METHODS = ("begin", "launched", "changed", "booted", "output", "exited", "log", "stopping", "full")
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def state() -> tuple[Any, ...]:
    """This process's descriptors, handlers, wakeup descriptor, and children."""
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()
    return sorted(os.listdir("/proc/self/fd")), [signal.getsignal(number) for number in HANDLED], wakeup, children  # noqa: PTH208


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """It is so after each of these tests, without a collection of garbage."""
    before = state()
    yield
    assert state() == before


def raising(method: str, error: BaseException) -> Observer:
    """An observer one method of which raises."""

    def fail(*_: object) -> None:
        raise error

    members: dict[str, Any] = {method: property(fail) if method == "full" else fail}
    made: Observer = type("Raising", (Observer,), members)()
    return made


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [ValueError, KeyError, TypeError, OSError, KeyboardInterrupt, SystemExit])
def test_what_an_observer_raises_comes_out(method: str, kind: type[BaseException]) -> None:
    error = kind(method)
    how: dict[str, Any] = {"rsh": "local"} if method != "stopping" else {"rsh": "sh -c 'sleep 60'", "deadline": 0.1}
    with pytest.raises(kind) as caught:
        mpboot.boot("a", observer=raising(method, error), verbose=True, command=["echo", "x"], **how)
    assert caught.value is error


def test_nothing_runs_any_more_on_any_host_when_it_is_raised(tmp_path: Path) -> None:
    command = ["sh", "-c", f"echo $$ > {tmp_path}/$MPBOOT_HOST; echo ready; exec sleep 60"]
    with pytest.raises(ValueError, match="output"):
        mpboot.boot("a,b,c", observer=raising("output", ValueError("output")), rsh="local", command=command)
    pids = [int(text) for text in (path.read_text() for path in tmp_path.iterdir()) if text]
    assert pids
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_it_is_told_nothing_more() -> None:
    told = []

    class Once(Observer):
        def launched(self, count: int) -> None:
            told.append(count)
            raise LookupError("mine")

        def stopping(self, why: str) -> None:
            told.append(why)  # type: ignore[arg-type]

    with pytest.raises(LookupError, match="mine"):
        mpboot.boot("a,b", observer=Once(), rsh="local", topology="ring")
    assert told == [1]


def test_a_boot_that_ends_as_it_should() -> None:
    assert mpboot.boot("a", rsh="local").up == 1


def test_a_timer_of_the_observers_own_that_raises() -> None:
    class Late(Observer):
        def begin(self, boot: Any) -> None:
            boot.loop.later(0.0, [].pop)

    with pytest.raises(IndexError):
        mpboot.boot("a", observer=Late(), rsh="sh -c 'sleep 60'")


def test_however_few_descriptors_there_are() -> None:
    """Each count from none to enough: an error of the system's, or a boot."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    mpboot.boot("a", rsh="local")  # all is loaded
    lowest = os.dup(0)  # the first that is free
    os.close(lowest)
    errors = []
    try:
        for more in range(9):
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more, hard))
            try:
                mpboot.boot("a", rsh="local", deadline=5)
            except OSError as error:
                errors.append(error.errno)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert errors
    assert set(errors) == {errno.EMFILE}


@pytest.mark.parametrize("place", [(subprocess, "Popen"), (socket, "socketpair"), (messages, "agent_common")])
def test_no_root_to_be_had(monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str]) -> None:
    def none(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "no process to be had")

    monkeypatch.setattr(*place, none)
    with pytest.raises(BlockingIOError):
        mpboot.boot("a", rsh="local")


def test_no_pipe_for_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise OSError(errno.EMFILE, "no descriptor")

    monkeypatch.setattr(os, "pipe", none)
    with pytest.raises(OSError, match="no descriptor"), signals.signals_into(Loop(), print):
        pytest.fail("it went on")


def test_the_programs_own_handlers_and_wakeup_descriptor_are_put_back() -> None:
    def mine(*_: object) -> None:
        pass

    read, write = os.pipe()
    os.set_blocking(write, False)
    handlers = {number: signal.signal(number, mine) for number in HANDLED}
    wakeup = signal.set_wakeup_fd(write)
    try:
        with pytest.raises(ValueError, match="x"):
            mpboot.boot("a", observer=raising("changed", ValueError("x")), rsh="local")
        assert [signal.getsignal(number) for number in HANDLED] == [mine] * 3
        assert signal.set_wakeup_fd(write) == write
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("hosts", [None, 3, b"a", mpboot.Host("a"), {"a": 1}])
def test_hosts_that_are_none(hosts: Any) -> None:
    with pytest.raises(ValueError, match="hosts must be a text, or a list"):
        mpboot.boot(hosts, rsh="/nonexistent")


@pytest.mark.parametrize("observer", [Observer, 3, print])
def test_an_observer_that_is_none(observer: Any) -> None:
    with pytest.raises(ValueError, match=r"observer must be an mpboot\.Observer"):
        mpboot.boot("a", observer=observer, rsh="/nonexistent")


def test_an_interrupt_while_the_root_is_started(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is heeded behind that, and the root does not complain that it gets no code."""
    start = subprocess.Popen

    def interrupted(*words: Any, **more: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return start(*words, **more)

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mpboot.boot("a", rsh="local")
    assert capfd.readouterr().err == ""
