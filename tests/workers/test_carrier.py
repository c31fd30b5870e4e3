"""A worker as its pool knows it: a real one, what it carries, its time limit, and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from select import POLLIN

import psutil
import pytest

from mpboot.net.work import Ended, LaunchOrder, NoFork, Started
from mpboot.workers.carrier import Worker
from mpboot.workers.family import start_of
from mpboot.workers.forker import Forked, ForkServer
from mpboot.workers.pipes import ResultsWriter, ready
from tests.workers.given import LONG, SteppedLoop, gone, learn_pids, order

Fork = Callable[[LaunchOrder], Forked]
SLEEPS = "sh -c 'sleep 60 & exec setsid --fork --wait sleep 60' {host}"


def next_result(worker: Worker) -> object:
    """What a worker says next, whenever that is."""
    while True:
        result = worker.result()  # which may have come with the one before
        if result is not None:
            return result
        assert ready(worker.fd, POLLIN, LONG), "it says nothing"


def first_result(worker: Worker) -> Started:
    """What a worker says first."""
    result = next_result(worker)
    assert isinstance(result, Started)
    return result


def hear_of_rsh(worker: Worker) -> int:
    """Hear what a worker's rsh is, as the pool does; its number."""
    started = first_result(worker)
    assert started.rsh_start > 0
    assert start_of(started.rsh_pid) in (0, started.rsh_start)  # it may have ended
    worker.rsh = (started.rsh_pid, started.rsh_start)
    return started.rsh_pid


def test_a_worker_begins_with_the_launch_that_it_was_made_for(fork: Fork) -> None:
    forked = fork(order(5))
    worker = Worker(forked, order(5), 2)
    assert (worker.launch, worker.tries, worker.fd) == (5, 2, forked.results)
    assert (worker.spoke, worker.cancelled, worker.agent_up, worker.rsh) == (False, False, False, None)
    assert first_result(worker).launch == 5
    assert worker.spoke
    assert isinstance(next_result(worker), Ended)


def test_it_is_free_and_carries_another(fork: Fork) -> None:
    worker = Worker(fork(order(1)), order(1))
    begin = worker.begin
    hear_of_rsh(worker)
    next_result(worker)
    worker.agent_up = worker.cancelled = True
    worker.free()
    assert (worker.launch, worker.order, worker.rsh, worker.agent_up, worker.cancelled) == (
        0,
        None,
        None,
        False,
        False,
    )
    worker.carry(order(2))
    assert worker.launch == 2
    assert worker.begin > begin
    assert first_result(worker).launch == 2
    assert isinstance(next_result(worker), Ended)


@pytest.mark.parametrize("server", ["sh -c 'sleep 60; exit' {host}"], indirect=True)
def test_it_is_cancelled(fork: Fork) -> None:
    worker = Worker(fork(order(1)), order(1))
    first_result(worker)
    worker.cancel()
    assert worker.cancelled
    result = next_result(worker)
    assert isinstance(result, Ended)
    assert result.verdict.cause == "interrupted"


def test_a_dead_one_takes_no_order_and_says_nothing(server: ForkServer, fork: Fork) -> None:
    forked = fork(order(1))
    worker = Worker(forked, order(1))
    first_result(worker)
    next_result(worker)
    worker.free()
    learn_pids(server)
    forked.kill()
    assert gone(forked.pid)
    with pytest.raises(BrokenPipeError):
        worker.carry(order(2))
    assert worker.launch == 0
    with pytest.raises(EOFError):
        worker.result()


def test_one_that_never_spoke_is_known_as_such() -> None:
    reads, writes = os.pipe()
    forked = Forked(0, 1, -1, reads)
    worker = Worker(forked, order(1))
    os.close(writes)
    with pytest.raises(EOFError):
        worker.result()
    assert not worker.spoke
    forked.close()


def test_what_no_worker_says_is_a_value_error() -> None:
    reads, writes = os.pipe()
    worker = Worker(Forked(0, 1, -1, reads), order(1))
    ResultsWriter(writes).put(NoFork(0, 11).plain())
    assert worker.result() == NoFork(0, 11)
    ResultsWriter(writes).put(["Hung", 1, "", "", ""])
    with pytest.raises(ValueError, match="none of Started, Ended, NoFork"):
        worker.result()
    assert worker.spoke
    os.close(writes)
    worker.forked.close()


@pytest.mark.parametrize("said", [b"\0", b"\0\0\0", b"\0\0\0\x20", b'\0\0\0\x20["NoFork",'])
def test_half_of_what_it_says_is_not_waited_for(said: bytes) -> None:
    reads, writes = os.pipe()
    worker = Worker(Forked(0, 1, -1, reads), order(1))
    os.write(writes, said)
    assert worker.result() is None
    assert worker.result() is None
    os.write(writes, b'\0\0\0\x20["NoFork",0,11                 ]'[len(said) :])
    assert worker.result() == NoFork(0, 11)
    assert worker.result() is None
    os.close(writes)
    worker.forked.close()


def test_of_its_limits_the_last_counts() -> None:
    loop = SteppedLoop()
    worker = Worker(Forked(0, 1, -1, -1), order(1))
    called: list[tuple[str, Worker]] = []
    worker.limit(loop, 0.0, lambda one: called.append(("first", one)))
    worker.limit(loop, 0.02, lambda one: called.append(("second", one)))
    loop.until(lambda: called)
    assert called == [("second", worker)]
    worker.limit(loop, 0.0, lambda one: called.append(("third", one)))
    worker.no_limit()
    worker.no_limit()
    assert loop.at_rest()
    worker.limit(loop, 0.0, lambda one: called.append(("fourth", one)))
    worker.free()
    assert loop.at_rest()


@pytest.mark.parametrize("server", [SLEEPS], indirect=True)
@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_all_that_came_of_it_dies_with_it(server: ForkServer, fork: Fork, stopped: bool, known: bool) -> None:
    """…even if it has not been heard to say what its rsh is."""
    worker = Worker(fork(order(1)), order(1))
    started = first_result(worker)
    if known:
        worker.rsh = (started.rsh_pid, started.rsh_start)
    learn_pids(server)
    rsh = psutil.Process(started.rsh_pid)
    while len(rsh.children(recursive=True)) < 2:
        os.sched_yield()
    below = [rsh.pid, *(child.pid for child in rsh.children(recursive=True))]
    if stopped:
        os.kill(worker.forked.pid, signal.SIGSTOP)
    worker.kill()
    assert all(gone(pid) for pid in [worker.forked.pid, *below])


@pytest.mark.parametrize("server", [SLEEPS], indirect=True)
def test_what_a_dead_one_leaves_behind_is_found(server: ForkServer, fork: Fork) -> None:
    worker = Worker(fork(order(1)), order(1))
    rsh = hear_of_rsh(worker)
    learn_pids(server)
    worker.forked.kill()
    assert worker.forked.ends(LONG)
    worker.kill()
    assert gone(rsh)


def test_an_idle_one_is_killed_alone(server: ForkServer, fork: Fork) -> None:
    worker = Worker(fork(order(1)), order(1))
    first_result(worker)
    next_result(worker)
    worker.free()
    learn_pids(server)
    worker.kill()
    assert gone(worker.forked.pid)
