"""A fork server, a real one, and processes that it makes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mpboot.net.work import LaunchOrder, Started
from mpboot.workers import forkserver
from mpboot.workers.forker import Forked, ForkServer
from mpboot.workers.launch import RshLaunch
from mpboot.workers.pipes import WORKER, Reader, Writer
from mpboot.workers.rsh import Interrupts
from tests.workers.carried import Carried, Carry
from tests.workers.given import order, script, settings
from tests.workers.owned_pool import Own, Owned


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[ForkServer]:
    """A server whose launches are done by the rsh that is asked for, or by a local shell."""
    made = ForkServer(forkserver.start())
    made.configure(settings(getattr(request, "param", "local")))
    yield made
    made.stop()


@pytest.fixture
def fork(server: ForkServer) -> Iterator[Callable[[LaunchOrder], Forked]]:
    """Have workers made."""
    made: list[Forked] = []

    def ask(first: LaunchOrder) -> Forked:
        made.append(server.fork(WORKER, first))
        return made[-1]

    yield ask
    for one in made:
        one.close()


@pytest.fixture
def interrupts() -> Iterator[tuple[Interrupts, Writer]]:
    """What interrupts the following of an rsh, in this very process, and the parent's end of the orders."""
    before = signal.getsignal(signal.SIGCHLD)
    read, write = os.pipe()
    made = Interrupts(Reader(read))
    yield made, Writer(write)
    told = signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, before)
    for fd in (read, made.child, told):
        os.close(fd)
    try:
        os.close(write)
    except OSError:
        return  # the test has closed it


@pytest.fixture
def carry(interrupts: tuple[Interrupts, Writer], tmp_path: Path) -> Carry:
    """Carry out a launch by an rsh that runs these lines."""

    def run(lines: str, said: Callable[[Started], None] = lambda _: None, **others: Any) -> Carried:
        started: list[Started] = []

        def say(one: Started) -> None:
            started.append(one)
            said(one)

        given = settings(others.pop("rsh", None) or script(tmp_path, lines), **others)
        return Carried(RshLaunch(given, order(3, "name", "label"), interrupts[0], say).run(), started)

    return run


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Own]:
    """Have a pool whose rsh runs these lines."""
    made: list[Owned] = []

    def begin(lines: str, timeout: float = 30.0, attach: bool = False) -> Owned:
        made.append(Owned(script(tmp_path, lines), timeout, attach))
        return made[-1]

    yield begin
    for one in made:
        one.pool.stop()
        assert one.loop.at_rest() or one.lookout._turn_due
        assert one.pool.busy == 0
