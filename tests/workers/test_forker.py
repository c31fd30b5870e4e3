"""The fork server, a real one: what it forks, what it tells of that, and its own death."""

from __future__ import annotations

import errno
import os
import posix
import signal
from collections.abc import Callable, Iterator
from select import POLLIN
from typing import Any

import psutil
import pytest

from mpboot.workers import forkserver
from mpboot.workers.commandline import rsh_words
from mpboot.workers.forker import Forked, ForkServer
from mpboot.workers.pipes import NO_FORK, WORKER, Reader, ready
from mpboot.workers.processes import Process
from mpboot.workers.rsh import Child

SETTINGS = {
    "rsh": "local", "words": ["local"], "timeout": 5.0, "shell_probe": "none", "attach": False, "port": 1,
    "ssh_options": [], "kit": ("raise SystemExit(3)",), "agent": {},
}  # fmt: skip


def target(launch: int) -> tuple[Any, ...]:
    return launch, 7, "h", None, None, "h"


def said(forked: Forked) -> list[Any]:
    """What it says, to the end of its launch."""
    told: list[Any] = []
    while not told or told[-1][1] != "ended":
        assert ready(forked.results, POLLIN, 10.0), told
        told.append(Reader(forked.results).get())
    return told


@pytest.fixture(params=["local"])
def server(request: pytest.FixtureRequest) -> Iterator[ForkServer]:
    """A server whose launches are done by the rsh that is asked for."""
    made = ForkServer(forkserver.start())
    made.settle({**SETTINGS, "rsh": request.param, "words": rsh_words(request.param)})
    yield made
    made.stop()


@pytest.fixture
def fork(server: ForkServer) -> Iterator[Callable[[Any], Forked]]:
    made: list[Forked] = []

    def ask(first: Any) -> Forked:
        made.append(server.fork(WORKER, first))
        return made[-1]

    yield ask
    for one in made:
        one.let_go()


def test_a_worker_carries_a_launch_and_then_more(server: ForkServer, fork: Callable[[Any], Forked]) -> None:
    forked = fork(target(1))
    (launch, what, (rsh, fed, pid)), (_, _, verdict) = said(forked)
    assert (launch, what) == (1, "started")
    assert fed > 0
    assert verdict[0] == "rsh-failed", verdict
    server.hear()
    assert pid == forked.pid != rsh
    assert psutil.pid_exists(pid)
    process = Process(forked)
    assert (process.pid, process.is_alive(), process.exitcode) == (forked.pid, True, None)
    process.orders.put(target(2))
    assert process.results.get()[:2] == (2, "started")
    assert process.results.get()[:2] == (2, "ended")


@pytest.mark.parametrize("server", ["sh -c 'sleep 60; exit' {host}"], indirect=True)
def test_a_cancelled_launch_ends_its_rsh(fork: Callable[[Any], Forked]) -> None:
    forked = fork(target(1))
    _, _, (rsh, _, _) = Reader(forked.results).get()
    running = psutil.Process(rsh)
    assert os.getsid(rsh) == rsh
    Process(forked).orders.put(None)
    assert Reader(forked.results).get()[2][0] == "interrupted"
    assert not running.is_running()


def test_a_child_without_posix_spawns_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise NotImplementedError

    monkeypatch.setattr(os, "posix_spawnp", refuse)
    with pytest.raises(FileNotFoundError):
        Child(["/nonexistent/rsh"], posix.environ)
    child = Child(["sh", "-c", "read line; echo $line; ps -o sid= -p $$; exit 7"], posix.environ)
    os.write(child.stdin, b"hello\n")
    said = b""
    while ready(child.stdout, POLLIN, 10.0):
        piece = os.read(child.stdout, 100)
        if not piece:
            break
        said += piece
    assert said.split() == [b"hello", b"%d" % child.pid]
    assert os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1]) == 7
    child.close()


def test_a_limit_of_the_machine_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "posix_spawnp", refuse)  # the server is forked from here
    made = ForkServer(forkserver.start())
    made.settle(SETTINGS)
    forked = made.fork(WORKER, target(1))
    assert ready(forked.results, POLLIN, 10.0)
    assert Reader(forked.results).get() == (1, NO_FORK, errno.EAGAIN)
    assert forked.ends(10.0)
    forked.let_go()
    made.stop()


def test_what_a_stopped_server_was_asked_for_ends_with_it(server: ForkServer, fork: Callable[[Any], Forked]) -> None:
    first = fork(target(1))
    said(first)
    server.hear()
    parent = psutil.Process(first.pid).parent()
    assert parent is not None
    parent.send_signal(signal.SIGSTOP)
    second = fork(target(2))
    assert not ready(second.results, POLLIN, 0.05)
    server.drop()
    assert second.ends(10.0)
    assert not second.pid
    assert first.runs


def test_a_worker_ends_with_its_orders(server: ForkServer, fork: Callable[[Any], Forked]) -> None:
    forked = fork(target(1))
    said(forked)
    server.hear()
    assert forked.runs
    forked.close_orders()
    assert forked.ends(10.0)
    assert not forked.runs


def test_killed_is_known_by_its_results(server: ForkServer, fork: Callable[[Any], Forked]) -> None:
    forked = fork(target(1))
    said(forked)
    server.hear()
    process = Process(forked)
    process.kill()
    process.join(10.0)
    assert process.exitcode == 255
    assert not process.is_alive()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_server_is_replaced_and_its_workers_live_on(
    server: ForkServer, fork: Callable[[Any], Forked], number: int
) -> None:
    first = fork(target(1))
    said(first)
    server.hear()
    parent = psutil.Process(first.pid).parent()
    assert parent is not None
    parent.send_signal(number)
    parent.wait(10.0)
    second = fork(target(2))
    assert [told[:2] for told in said(second)] == [(2, "started"), (2, "ended")]
    assert (first.generation, second.generation) == (1, 2)
    Process(first).orders.put(target(3))
    assert [told[0] for told in said(first)] == [3, 3]


def test_a_server_without_a_parent_ends_with_its_workers() -> None:
    server = ForkServer(forkserver.start())
    server.settle(SETTINGS)
    forked = server.fork(WORKER, target(1))
    said(forked)
    server.hear()
    worker = psutil.Process(forked.pid)
    parent = worker.parent()
    assert parent is not None
    forked.let_go()
    server.stop()
    assert not parent.is_running()
    assert not worker.is_running()
