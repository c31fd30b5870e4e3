"""The watcher in a process of its own: orders in, results out, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from select import POLLIN
from typing import Any

import pytest

from mpboot.net import work
from mpboot.net.work import Blind, FindPsutil, Forget, Hung, Tell, Told, Watch
from mpboot.workers import forkserver, sight
from mpboot.workers.forker import Forked, ForkServer
from mpboot.workers.pipes import WATCHER, Results, Writer, ready
from tests.workers.given import LONG, end_session, settings

Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Have lines of shell run as an rsh would, and wait until they say something."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(lines: str) -> subprocess.Popen[bytes]:
        shell = subprocess.Popen(
            ["sh", "-c", lines], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(shell)
        assert shell.stdout
        shell.stdout.readline()
        return shell

    yield begin
    for shell in started:
        end_session(shell)


def watch(pid: int, launch: int = 1, fed: int = 0, age: float = 0.0) -> Watch:
    return Watch(launch, "label", pid, fed, time.monotonic() - age)


@pytest.fixture
def forked(server: ForkServer) -> Iterator[Forked]:
    made = server.fork(WATCHER, FindPsutil([]))
    yield made
    made.close()


def tell(forked: Forked, message: work.Message) -> None:
    Writer(forked.orders).put(message.plain())


def heard(forked: Forked) -> Any:
    assert ready(forked.results, POLLIN, LONG)
    return work.watcher_result(Results(forked.results).get())


def test_it_watches_what_it_is_told(forked: Forked, start: Start) -> None:
    shell = start("echo; exec sleep 60")
    tell(forked, watch(shell.pid, launch=2))
    tell(forked, Tell())
    assert heard(forked).launch == 2
    assert heard(forked) == Told()
    os.kill(shell.pid, signal.SIGSTOP)
    assert heard(forked) == Hung(2, "rsh-failed", "connect", "local was stopped by a signal")
    assert shell.wait(LONG) == -signal.SIGTERM
    tell(forked, Forget(2))
    tell(forked, Tell())
    assert heard(forked) == Told()


def test_it_ends_with_its_parent(forked: Forked) -> None:
    tell(forked, Tell())
    heard(forked)
    forked.close_orders()
    assert forked.ends(LONG)


def test_an_order_that_does_not_fit_ends_it(forked: Forked) -> None:
    tell(forked, work.Cancel())
    assert forked.ends(LONG)


def test_without_psutil_it_says_so_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "_loaded", [None])  # the server is forked from here
    server = ForkServer(forkserver.start())
    server.configure(settings())
    made = server.fork(WATCHER, FindPsutil([]))
    assert heard(made) == Blind()
    assert made.ends(LONG)
    made.close()
    server.stop()
