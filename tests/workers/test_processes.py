"""A worker as multiprocessing has it: a process with two queues, whose descriptors are somebody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import pytest

from mpboot.net import work
from mpboot.net.work import LaunchOrder
from mpboot.workers.forker import Forked, ForkServer
from mpboot.workers.processes import Process, Queue
from tests.workers.given import LONG, order, results

Fork = Callable[[LaunchOrder], Forked]


def test_a_worker_is_a_process_with_queues(server: ForkServer, fork: Fork) -> None:
    forked = fork(order(1))
    results(forked)
    server.read_pids()
    process = Process(forked)
    assert isinstance(process, BaseProcess)
    assert isinstance(process.orders, Queue)
    assert (process.pid, process.is_alive(), process.exitcode) == (forked.pid, True, None)
    process.orders.put(order(2).plain())
    assert work.worker_result(process.results.get()).launch == 2
    assert isinstance(work.worker_result(process.results.get()), work.Ended)
    assert (process.name, process.sentinel) == ("mpboot worker", forked.results)


def test_a_killed_one_is_known_by_its_results(server: ForkServer, fork: Fork) -> None:
    forked = fork(order(1))
    results(forked)
    server.read_pids()
    process = Process(forked)
    process.join(0.0)
    assert process.is_alive()
    process.kill()
    process.join(LONG)
    assert process.exitcode == 255
    assert not process.is_alive()
    with pytest.raises(EOFError):
        process.results.get()


def test_one_whose_descriptors_are_closed_has_ended(server: ForkServer, fork: Fork) -> None:
    forked = fork(order(1))
    results(forked)
    server.read_pids()
    process = Process(forked)
    forked.close()
    assert process.exitcode == 255


def test_descriptors_stay_open_when_the_process_is_forgotten(fork: Fork) -> None:
    forked = fork(order(1))
    results(forked)
    process = Process(forked)
    del process
    os.fstat(forked.orders)
    os.fstat(forked.results)


def test_a_module_that_is_not_loaded_yet_is_when_it_is_wanted() -> None:
    code = (
        "import sys; from mpboot.workers.processes import _NotYet\n"
        "sys.modules['tempfile'] = later = _NotYet('tempfile')\n"
        "try: later.__path__\n"
        "except AttributeError: assert sys.modules['tempfile'] is later\n"
        "print(later.gettempprefix(), sys.modules['tempfile'] is later, later.gettempprefix())"
    )
    said = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, timeout=LONG)
    assert said.stdout.split() == ["tmp", "False", "tmp"]


def test_junk_in_a_queue_is_a_value_error(server: ForkServer, fork: Fork) -> None:
    forked = fork(order(1))
    results(forked)
    server.read_pids()
    forked.kill()
    assert forked.ends(LONG)
    read, write = os.pipe()
    os.dup2(read, forked.results)
    os.close(read)
    process = Process(forked)
    os.write(write, b"\0\0\0\4junk")
    with pytest.raises(ValueError, match="not JSON"):
        process.results.get()
    os.write(write, b"\7\0\0\0")  # more than 64 MiB
    with pytest.raises(ValueError, match="a value of"):
        process.results.get()
    os.close(write)


def test_modules_that_nobody_needs_are_not_loaded() -> None:
    """…and can be had all the same, by whoever wants them afterwards."""
    code = (
        "import sys; import mpboot.workers.processes\n"
        "assert not {'tempfile', 'locale'} & set(sys.modules)\n"
        "from multiprocessing import util\n"
        "print(util.get_temp_dir.__name__); import tempfile, locale; print(tempfile.gettempprefix(), locale.LC_ALL)"
    )
    said = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, timeout=LONG)
    assert said.stderr == ""
    assert said.stdout.split()[:2] == ["get_temp_dir", "tmp"]
