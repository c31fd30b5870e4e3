"""A worker's life, in a real process that the fork server made: orders in, results out, and its end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from mpboot.net.work import Cancel, Ended, LaunchOrder, NoFork, Started
from mpboot.workers import forkserver
from mpboot.workers.forker import Forked, ForkServer
from mpboot.workers.pipes import WORKER, Writer
from tests.workers.given import LONG, gone, next_result, order, results, settings, verdict

Fork = Callable[[LaunchOrder], Forked]


def tell(forked: Forked, message: object) -> None:
    Writer(forked.orders).put(message)


def test_a_launch_is_started_and_ended(fork: Fork) -> None:
    started, ended = results(fork(order(4)))
    assert isinstance(started, Started)
    assert isinstance(ended, Ended)
    assert (started.launch, ended.launch) == (4, 4)
    assert started.fed > 0
    assert ended.verdict.cause == "no-python"
    assert started.worker_pid not in (started.rsh_pid, os.getpid())


def test_a_worker_carries_one_launch_after_the_other(fork: Fork) -> None:
    forked = fork(order(1))
    first, _ = results(forked)
    tell(forked, order(9).plain())
    second, ended = results(forked)
    assert isinstance(first, Started)
    assert isinstance(second, Started)
    assert (second.launch, ended.launch) == (9, 9)
    assert second.worker_pid == first.worker_pid
    assert second.rsh_pid != first.rsh_pid


def test_a_cancellation_that_comes_too_late_cancels_nothing(fork: Fork) -> None:
    forked = fork(order(1))
    results(forked)
    tell(forked, Cancel().plain())
    tell(forked, order(2).plain())
    assert verdict(forked).cause == "no-python"


def test_a_limit_of_the_machine_is_said_and_the_worker_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(os, "posix_spawnp", refuse)  # the server is forked from here
    server = ForkServer(forkserver.start())
    server.configure(settings())
    forked = server.fork(WORKER, order(5))
    assert next_result(forked) == NoFork(5, errno.ENOMEM)
    assert forked.ends(LONG)
    forked.close()
    server.stop()


@pytest.mark.parametrize("server", ["sh -c 'sleep 60; exit' {host}"], indirect=True)
def test_the_parents_end_is_the_launchs(fork: Fork) -> None:
    forked = fork(order(1))
    started = next_result(forked)
    assert isinstance(started, Started)
    rsh, worker = psutil.Process(started.rsh_pid), psutil.Process(started.worker_pid)
    forked.close_orders()
    worker.wait(LONG)
    assert not rsh.is_running()
    assert forked.ends(0.0)


def test_an_idle_worker_ends_with_its_parent(fork: Fork) -> None:
    forked = fork(order(1))
    results(forked)
    forked.close_orders()
    assert forked.ends(LONG)


def test_a_launch_that_nobody_listens_to_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, spawn = tmp_path / "begun", os.posix_spawnp

    def note(*words: Any, **options: Any) -> int:
        begun.touch()
        return spawn(*words, **options)

    monkeypatch.setattr(os, "posix_spawnp", note)  # the server is forked from here
    server = ForkServer(forkserver.start())
    server.configure(settings())
    forked = server.fork(WORKER, order(1))
    first = results(forked)[0]
    assert isinstance(first, Started)
    begun.unlink()
    worker = psutil.Process(first.worker_pid)
    worker.suspend()
    tell(forked, order(2).plain())
    os.close(forked.results)
    forked.results = -1
    worker.resume()
    worker.wait(LONG)
    assert not begun.exists()
    forked.close()
    server.stop()


@pytest.mark.parametrize(
    "junk", [None, ["Cancel", 1], ["Started", 1, 2, 3, 4], order(0).plain(), order(1).plain()[:-1]]
)
def test_an_order_that_does_not_fit_ends_the_worker(fork: Fork, junk: object) -> None:
    forked = fork(order(1))
    results(forked)
    tell(forked, junk)
    assert forked.ends(LONG)


@pytest.mark.parametrize("server", ["sh -c 'exec <&- >&- 2>&-; sleep 60; exit' {host}"], indirect=True)
def test_a_launch_with_closed_pipes_is_cancelled_all_the_same(fork: Fork) -> None:
    forked = fork(order(1))
    started = next_result(forked)
    assert isinstance(started, Started)
    tell(forked, Cancel().plain())
    assert verdict(forked).cause == "interrupted"
    assert gone(started.rsh_pid)
