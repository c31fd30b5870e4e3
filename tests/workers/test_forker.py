"""The fork server as its parent has it, a real one: what it forks, what it tells of that, and its own death."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from mpboot.net.work import Cancel, LaunchOrder, NoFork, Started
from mpboot.workers import forker, forkserver
from mpboot.workers.forker import Forked, ForkServer
from mpboot.workers.pipes import WORKER, Writer
from tests.workers.given import LONG, descriptors, learn_pids, next_result, order, results, settings, verdict

Fork = Callable[[LaunchOrder], Forked]
SLEEPS = "sh -c 'sleep 60; exit' {host}"


def parent_of(forked: Forked) -> psutil.Process:
    """The fork server of a process."""
    found = psutil.Process(forked.pid).parent()
    assert found is not None
    return found


def test_a_pid_is_known_when_it_is_asked_for(server: ForkServer, fork: Fork) -> None:
    forked = fork(order(1))
    assert (forked.pid, forked.runs, forked.generation) == (0, False, 1)
    started, ended = results(forked)
    assert isinstance(started, Started)
    learn_pids(server)
    assert forked.pid == started.worker_pid != started.rsh_pid
    assert ended.launch == 1
    assert forked.runs


def test_many_pids_are_read_at_once(server: ForkServer, fork: Fork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forker, "ANSWERS", 2)
    made = [fork(order(number)) for number in range(1, 6)]
    for forked in made:
        results(forked)
    learn_pids(server)
    assert len({forked.pid for forked in made}) == 5
    assert all(forked.runs for forked in made)


@pytest.mark.parametrize("server", [SLEEPS], indirect=True)
def test_a_cancelled_launch_ends_its_rsh(fork: Fork) -> None:
    forked = fork(order(1))
    started = next_result(forked)
    assert isinstance(started, Started)
    running = psutil.Process(started.rsh_pid)
    assert os.getsid(started.rsh_pid) == started.rsh_pid
    Writer(forked.orders).put(Cancel().plain())
    assert verdict(forked).cause == "interrupted"
    assert not running.is_running()


def test_a_limit_of_the_machine_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """…where rsh can't be started."""

    def refuse(*_: object, **__: object) -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "posix_spawnp", refuse)  # the server is forked from here
    made = ForkServer(forkserver.start())
    made.configure(settings())
    forked = made.fork(WORKER, order(1))
    assert next_result(forked) == NoFork(1, errno.EAGAIN)
    assert forked.ends(LONG)
    forked.close()
    made.stop()


def test_what_a_stopped_server_was_asked_for_ends_with_it(server: ForkServer, fork: Fork) -> None:
    first = fork(order(1))
    results(first)
    learn_pids(server)
    parent_of(first).send_signal(signal.SIGSTOP)
    second = fork(order(2))
    assert not second.ends(0.05)
    server.give_up(second)
    assert second.ends(LONG)
    assert not second.pid
    assert first.runs


def test_the_server_is_not_killed_for_what_it_has_forked(server: ForkServer, fork: Fork) -> None:
    first = fork(order(1))
    results(first)
    learn_pids(server)
    server.give_up(first)
    second = fork(order(2))
    results(second)
    assert second.generation == 1


def test_the_server_is_not_killed_for_what_the_one_before_was_asked(server: ForkServer, fork: Fork) -> None:
    first = fork(order(1))
    results(first)
    learn_pids(server)
    parent_of(first).send_signal(signal.SIGSTOP)
    late = fork(order(2))
    server.kill()
    results(fork(order(3)))
    server.give_up(late)
    last = fork(order(4))
    results(last)
    assert last.generation == 2


def test_a_worker_ends_with_its_orders(server: ForkServer, fork: Fork) -> None:
    forked = fork(order(1))
    results(forked)
    learn_pids(server)
    assert forked.runs
    assert not forked.ends(0.0)
    forked.close_orders()
    assert forked.ends(LONG)
    assert not forked.runs


def test_a_killed_process_has_ended(server: ForkServer, fork: Fork) -> None:
    forked = fork(order(1))
    results(forked)
    learn_pids(server)
    process = psutil.Process(forked.pid)
    forked.kill()
    assert forked.ends(LONG)
    process.wait(LONG)
    forked.close()
    forked.close()
    assert (forked.orders, forked.results) == (-1, -1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_server_is_replaced_and_its_workers_live_on(server: ForkServer, fork: Fork, number: int) -> None:
    first = fork(order(1))
    results(first)
    learn_pids(server)
    parent = parent_of(first)
    parent.send_signal(number)
    parent.wait(LONG)
    second = fork(order(2))
    assert [one.launch for one in results(second)] == [2, 2]
    assert (first.generation, second.generation) == (1, 2)
    Writer(first.orders).put(order(3).plain())
    assert [one.launch for one in results(first)] == [3, 3]


def test_a_server_that_dies_while_it_is_asked_is_replaced(
    server: ForkServer, fork: Fork, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fork(order(1))
    results(first)
    learn_pids(server)
    parent = parent_of(first)
    parent.kill()
    parent.wait(LONG)
    monkeypatch.setattr(server, "read_pids", lambda: None)  # that was just before it died
    second = fork(order(2))
    assert [one.launch for one in results(second)] == [2, 2]
    assert second.generation == 2


def test_a_killed_server_is_reaped(server: ForkServer, fork: Fork) -> None:
    first = fork(order(1))
    results(first)
    learn_pids(server)
    parent = parent_of(first)
    server.kill()
    parent.wait(LONG)  # a zombie is no end, unless its parent reaps it
    learn_pids(server)
    with pytest.raises(ChildProcessError):
        os.waitpid(parent.pid, os.WNOHANG)


def test_a_server_that_could_not_be_started_yet_is_started_by_the_first_order() -> None:
    server = ForkServer((0, -1))
    server.configure(settings())
    forked = server.fork(WORKER, order(1))
    assert [one.launch for one in results(forked)] == [1, 1]
    assert forked.generation == 2
    forked.close()
    server.stop()


def test_no_descriptor_is_lost_when_none_can_be_asked_for(server: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[int, int]:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    server.kill()
    monkeypatch.setattr(forkserver, "start", refuse)
    before = descriptors()
    with pytest.raises(BlockingIOError):
        server.fork(WORKER, order(1))
    assert descriptors() == before


def test_settings_that_do_not_fit_end_the_server() -> None:
    code = (
        "import os; from mpboot.workers import forkserver, pipes; pid, fd = forkserver.start();"
        "pipes.Writer(fd).put([1, 2, 3]); print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LONG)
    assert done.stdout == "1\n"
    assert "ValueError: no list of 13 values" in done.stderr


def test_a_server_without_a_parent_ends_with_its_workers() -> None:
    server = ForkServer(forkserver.start())
    server.configure(settings())
    forked = server.fork(WORKER, order(1))
    results(forked)
    learn_pids(server)
    worker, parent = psutil.Process(forked.pid), parent_of(forked)
    forked.close()
    server.stop()
    assert not parent.is_running()
    assert not worker.is_running()
