"""The fork server itself: what it keeps of its parent, what it does when it can't fork, and its end."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from select import POLLIN
from typing import Any

import psutil
import pytest

from mpboot.net.work import FindPsutil, LaunchOrder, NoFork, Started
from mpboot.workers import forkserver
from mpboot.workers.forker import ForkServer
from mpboot.workers.pipes import WATCHER, WORKER, Writer, ready
from tests.workers.given import LONG, descriptors, gone, learn_pids, next_result, order, results, settings


@pytest.fixture
def started() -> Iterator[tuple[int, int]]:
    pid, fd = forkserver.start()
    yield pid, fd
    try:
        os.close(fd)
    except OSError:
        pass  # the test has closed it
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except OSError:
        return  # the test has reaped it


def status(pid: int, name: str) -> int:
    """A set of signals of a process."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1], 16)


def has(signals: int, number: int) -> bool:
    return bool(signals >> (number - 1) & 1)


def test_it_keeps_nothing_of_its_parents() -> None:
    kept = os.open(os.devnull, os.O_RDONLY)
    far = os.dup2(kept, 700)
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    before = signal.set_wakeup_fd(writes)
    pid, fd = forkserver.start()
    signal.set_wakeup_fd(before)
    Writer(fd).put(settings().row())
    server = ForkServer((pid, fd))
    results(forked := server.fork(WORKER, order(1)))
    open_there = {int(path.name): str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    assert (open_there[0], open_there[1]) == (os.devnull, os.devnull)
    assert open_there[2] == str(Path("/proc/self/fd/2").readlink())
    assert len(open_there) == 4, open_there  # and the channel
    for fd in (kept, far, reads, writes):
        os.close(fd)
    forked.close()
    server.stop()


def test_a_signal_writes_into_no_descriptor_of_its_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    leave = forkserver._leave_parent

    def leave_and_look(channel: int) -> None:
        leave(channel)
        os._exit(0 if signal.set_wakeup_fd(-1) == -1 else 3)

    monkeypatch.setattr(forkserver, "_leave_parent", leave_and_look)
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    before = signal.set_wakeup_fd(writes)
    pid, fd = forkserver.start()
    signal.set_wakeup_fd(before)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for one in (reads, writes, fd):
        os.close(one)


def test_what_its_parent_had_in_hand_is_never_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """…or it would close descriptors whose numbers are others' by then."""
    spawn = os.posix_spawnp

    def spawn_unless_it_collects(*words: Any, **options: Any) -> int:
        if gc.isenabled():
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return spawn(*words, **options)

    monkeypatch.setattr(os, "posix_spawnp", spawn_unless_it_collects)
    assert gc.isenabled()
    server = ForkServer(forkserver.start())
    server.configure(settings())
    forked = server.fork(WORKER, order(1))
    assert isinstance(next_result(forked), Started)
    forked.close()
    server.stop()


def test_it_lives_through_what_is_typed_and_ends_with_term() -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # as an agent has it
    started = pid, fd = forkserver.start()
    signal.signal(signal.SIGTERM, before)
    Writer(fd).put(settings().row())
    server = ForkServer(started)
    forked = server.fork(WORKER, order(1))
    first = next_result(forked)
    assert isinstance(first, Started)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        assert has(status(pid, "SigIgn"), ignored)
        assert has(status(first.worker_pid, "SigIgn"), ignored)
    assert not has(status(pid, "SigIgn") | status(pid, "SigCgt"), signal.SIGTERM)
    assert has(status(pid, "SigCgt"), signal.SIGCHLD)
    forked.close()
    server.stop()


def test_it_ends_with_its_parent(started: tuple[int, int]) -> None:
    """…even before it has been told anything."""
    pid, fd = started
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_half_an_order_is_the_parents_end(started: tuple[int, int]) -> None:
    pid, fd = started
    Writer(fd).put(settings().row())
    os.write(fd, b"\1\0")
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_an_order_without_descriptors_ends_it(started: tuple[int, int]) -> None:
    pid, fd = started
    Writer(fd).put(settings().row())
    os.write(fd, bytes([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(
    ("kind", "first"), [(WORKER, order(0)), (WORKER, FindPsutil([])), (WATCHER, order(1)), (7, order(1))]
)
def test_an_order_that_does_not_fit_ends_it(
    started: tuple[int, int], kind: int, first: LaunchOrder | FindPsutil
) -> None:
    pid, fd = started
    Writer(fd).put(settings().row())
    server = ForkServer(started)
    before = server.fork(WORKER, order(1))
    results(before)
    forked = server.fork(kind, first)
    assert forked.ends(LONG)
    assert gone(pid)
    learn_pids(server)
    assert not forked.pid
    assert before.runs
    for one in (forked, before):
        one.close()
    server.stop()


def test_it_ends_also_where_its_traceback_can_not_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would go on with its parent's code: here as a second pytest, on a host as a second agent."""
    closed = os.fdopen(os.dup(2), "w")
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    try:
        pid, fd = forkserver.start()
    except ValueError:
        os._exit(7)  # this is the server, and should not be here
    os.write(fd, b"junk")
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_what_it_forked_is_reaped(started: tuple[int, int]) -> None:
    pid, fd = started
    Writer(fd).put(settings().row())
    server = ForkServer(started)
    forked = server.fork(WORKER, order(1))
    results(forked)
    learn_pids(server)
    os.kill(forked.pid, signal.SIGKILL)
    assert gone(forked.pid)
    second = server.fork(WORKER, order(2))  # by then it has seen its child's end
    results(second)
    assert [child.status() for child in psutil.Process(pid).children()].count("zombie") == 0
    second.close()
    forked.close()
    server.stop()


def test_when_its_parent_is_gone_it_waits_for_what_it_forked(started: tuple[int, int]) -> None:
    pid, fd = started
    Writer(fd).put(settings("sh -c 'sleep 60; exit' {host}").row())
    server = ForkServer(started)
    forked = server.fork(WORKER, order(1))
    first = next_result(forked)
    assert isinstance(first, Started)
    os.kill(first.worker_pid, signal.SIGSTOP)
    assert server._channel is not None
    server._channel.shutdown(2)
    assert not ready(os.pidfd_open(pid), POLLIN, 0.1)
    os.kill(first.worker_pid, signal.SIGCONT)
    forked.close()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert gone(first.worker_pid)
    assert gone(first.rsh_pid)


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forkserver, "END", 0.05)
    pid, fd = forkserver.start()
    Writer(fd).put(settings("sh -c 'sleep 60; exit' {host}").row())
    server = ForkServer((pid, fd))
    forked = server.fork(WORKER, order(1))
    first = next_result(forked)
    assert isinstance(first, Started)
    assert server._channel is not None
    server._channel.shutdown(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGALRM
    forked.close()
    assert gone(first.worker_pid)


@pytest.mark.parametrize(("kind", "first"), [(WORKER, order(1)), (WATCHER, FindPsutil([]))])
def test_when_no_process_can_be_had_it_says_so(
    kind: int, first: LaunchOrder | FindPsutil, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = forkserver._leave_parent

    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def leave_and_fork_no_more(channel: int) -> None:
        leave(channel)
        os.fork = refuse  # in the server alone

    monkeypatch.setattr(forkserver, "_leave_parent", leave_and_fork_no_more)
    server = ForkServer(forkserver.start())
    server.configure(settings())
    for _ in range(2):  # it lives
        forked = server.fork(kind, first)
        assert next_result(forked) == NoFork(0, errno.EAGAIN)
        assert forked.ends(LONG)
        learn_pids(server)
        assert not forked.pid
        forked.close()
    assert server.generation == 1
    server.stop()


def test_no_server_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    before = descriptors()
    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(BlockingIOError):
        forkserver.start()
    assert descriptors() == before


HELD = {
    "threading",
    "subprocess",
    "multiprocessing",
    "signal",
    "socket",
    "selectors",
    "re",
    "json",
    "logging",
    "psutil",
}


def test_it_loads_next_to_nothing() -> None:
    code = "import sys; from mpboot.workers import forkserver, worker; from mpboot.net import work\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, timeout=LONG)
    loaded = set(run.stdout.split())
    assert not loaded & HELD
    assert "mpboot.workers.diagnosis" not in loaded  # which only a failed launch needs
    assert "mpboot.workers.family" in loaded  # which each launch needs: no worker is to load it for itself
