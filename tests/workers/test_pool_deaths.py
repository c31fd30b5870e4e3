"""What comes of a pool's launches when a worker or the fork server dies, hangs, or says what does not fit."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import psutil
import pytest

from mpboot.net.work import Started
from mpboot.workers import forkserver, lookout, pool
from mpboot.workers.carrier import Worker
from mpboot.workers.pipes import pack
from tests.workers.given import LONG, gone, order
from tests.workers.owned_pool import SLEEPS, TELLS, Own, Owned, died, first_server

# -- a worker dies ---------------------------------------------------------------------------------


def test_a_worker_that_is_killed_costs_its_own_launch_alone(own: Own) -> None:
    owned = own(SLEEPS)
    owned.begin(1, 2)
    owned.worker(1).kill()
    assert died(owned.end(1)[0]) == "the worker died"
    assert gone(owned.rsh[1])
    assert owned.pool.busy == 1
    owned.begin(3)
    assert psutil.pid_exists(owned.rsh[2])


@pytest.mark.parametrize("seen", [False, True])
def test_a_worker_that_is_killed_while_it_is_idle_costs_nothing(own: Own, seen: bool) -> None:
    owned = own(TELLS)
    owned.pool.submit(order(1))
    first = owned.told_worker(1)
    os.kill(first, signal.SIGKILL)
    assert gone(first)
    if seen:
        owned.loop.until(lambda: not owned.pool._idle)
    owned.pool.submit(order(2))
    assert owned.told_worker(2) != first
    assert sorted(owned.verdicts) == [1, 2]


def test_of_several_idle_ones_that_are_dead_each_is_passed_over(own: Own) -> None:
    owned = own(TELLS)
    for launch in (1, 2, 3):
        owned.pool.submit(order(launch))
    owned.end(1, 2, 3)
    alive = owned.pool._idle[0].forked.pid
    for worker in owned.pool._idle[1:]:
        os.kill(worker.forked.pid, signal.SIGKILL)
        assert gone(worker.forked.pid)
    owned.pool.submit(order(4))
    assert owned.told_worker(4) == alive


def test_a_worker_that_hangs_is_replaced(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MARGIN", 0.2)
    monkeypatch.setattr(pool, "BACKUP", 0.0)
    owned = own("case $1 in slow) exec sleep 60;; esac; exit 1", timeout=0.1)
    owned.pool.submit(order(1, "slow"))
    owned.loop.until(lambda: 1 in owned.rsh)
    worker = owned.worker(1)
    worker.suspend()
    assert died(owned.end(1)[0]) == "the worker hung"
    assert gone(worker.pid)
    assert gone(owned.rsh[1])
    owned.pool.submit(order(2))
    owned.end(2)


def test_an_idle_worker_that_hangs_costs_the_launch_that_it_gets(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    owned = own(TELLS)
    owned.pool.submit(order(1))
    os.kill(owned.told_worker(1), signal.SIGSTOP)
    monkeypatch.setattr(owned.pool, "_limit", 0.1)
    owned.pool.submit(order(2))
    assert died(owned.end(2)[0]) == "the worker hung"
    owned.pool.submit(order(3))
    owned.end(3)


def talk(worker: Worker, said: bytes) -> None:
    """Say something in a worker's place, through its own end of the pipe."""
    pipe = Path(f"/proc/self/fd/{worker.fd}").readlink()
    theirs = [end for end in Path(f"/proc/{worker.forked.pid}/fd").iterdir() if end.readlink() == pipe]
    with open(theirs[0], "wb") as end:  # noqa: PTH123
        end.write(said)


@pytest.mark.parametrize(
    "said",
    [
        b"\0\0\0\4junk", pack(["Told"]), pack(Started(2, 5, 0, 0, 5).plain()), pack(["Started", 1, 0, 0, 0, 5]),
        pack(["Ended", 1, ["", "", "", [], 7]]),
    ],
)  # fmt: skip
def test_a_worker_that_says_what_does_not_fit_counts_as_dead(own: Own, said: bytes) -> None:
    owned = own(SLEEPS)
    owned.begin(1)
    worker = owned.worker(1)
    talk(owned.pool._busy[1], said)
    assert died(owned.end(1)[0]) == "the worker died"
    assert gone(worker.pid)
    assert gone(owned.rsh[1])
    owned.begin(2)


def test_an_idle_worker_that_speaks_is_not_used_again(own: Own) -> None:
    owned = own(TELLS)
    owned.pool.submit(order(1))
    first = owned.told_worker(1)
    talk(owned.pool._idle[0], pack(Started(1, 5, 0, 0, 5).plain()))
    owned.loop.until(lambda: not owned.pool._idle)
    assert gone(first)
    assert sorted(owned.verdicts) == [1]


def test_what_the_watcher_says_counts(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "FIRST_LOOK", 0.0)
    owned = own("kill -STOP $$")
    owned.pool.submit(order(1))
    (verdict,) = owned.end(1)
    assert verdict.detail.endswith("was stopped by a signal")
    assert owned.lookout._launches == {}


def test_the_watcher_says_what_a_launch_died_of_whose_worker_hangs(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    owned = own(SLEEPS, timeout=1e6)
    monkeypatch.setattr(owned.pool, "_limit", 1.0)
    owned.begin(1)
    owned.worker(1).suspend()
    assert owned.lookout.ask()
    os.kill(owned.rsh[1], signal.SIGSTOP)
    (verdict,) = owned.end(1)
    assert verdict.detail.endswith("was stopped by a signal")


# -- the fork server dies, hangs, or can't ---------------------------------------------------------


def serving(owned: Owned) -> psutil.Process:
    """The first server, when it has made a worker, of which nothing is left: launch 9 by an rsh that TELLS."""
    room, owned.room = owned.room, 0
    owned.pool.submit(order(9))
    owned.end(9)
    owned.room = room
    return first_server(owned)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_launch_that_a_dead_server_had_not_begun_is_begun_by_another(own: Own, number: int) -> None:
    owned = own(TELLS)
    server = serving(owned)
    server.suspend()
    owned.pool.submit(order(1))
    server.send_signal(number)
    server.resume()
    owned.end(1)
    assert not owned.unable
    assert owned.server.generation == 2


def test_a_launch_that_a_server_which_hangs_had_not_begun_is_begun_by_another(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "FORKED_IN", 0.1)
    owned = own(TELLS)
    server = serving(owned)
    server.suspend()
    for launch in (1, 2):
        owned.pool.submit(order(launch))
    monkeypatch.setattr(pool, "FORKED_IN", LONG)  # the next has all the time that it needs
    owned.end(1, 2)
    assert owned.server.generation == 2  # one for both
    assert gone(server.pid)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every fork server stops as soon as it is there."""
    made: list[int] = []
    start = forkserver.start

    def start_stopped() -> tuple[int, int]:
        pid, fd = start()
        os.kill(pid, signal.SIGSTOP)
        made.append(pid)
        return pid, fd

    monkeypatch.setattr(forkserver, "start", start_stopped)
    monkeypatch.setattr(pool, "FORKED_IN", 0.05)
    return made


def test_a_launch_of_which_servers_die_is_given_up(own: Own, hanging: list[int]) -> None:
    owned = own(TELLS)
    owned.pool.submit(order(1))
    assert died(owned.end(1)[0]) == "the worker hung"
    assert len(hanging) == 1 + pool.TRIES
    assert all(gone(pid) for pid in hanging)


def test_a_launch_that_is_wanted_no_more_needs_no_other_server(
    own: Own, hanging: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "MARGIN", 0.05)
    owned = own(TELLS)
    owned.pool.submit(order(1))
    owned.pool.cancel(1)
    assert owned.end(1)[0].cause == "interrupted"
    assert len(hanging) == 1
    assert gone(hanging[0])


def test_a_worker_that_was_forked_in_time_has_its_timeout(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "FORKED_IN", 0.1)
    owned = own(TELLS)
    monkeypatch.setattr(owned.pool, "_limit", 0.4)
    owned.pool.submit(order(1))
    while not owned.pool._busy[1].forked.pid:
        owned.server.read_pids()
    pid = owned.pool._busy[1].forked.pid
    os.kill(pid, signal.SIGSTOP)
    over: list[bool] = []
    owned.loop.later(0.2, lambda: over.append(True))
    owned.loop.until(lambda: over or owned.verdicts)
    if 1 not in owned.rsh:  # else it had been quicker than the signal
        assert owned.verdicts == {}
        assert died(owned.end(1)[0]) == "the worker hung"
        assert gone(pid)
    assert owned.server.generation == 1


def test_no_process_can_be_had(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    leave = forkserver._leave_parent

    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def leave_and_fork_no_more(channel: int) -> None:
        leave(channel)
        os.fork = refuse  # in the server alone

    monkeypatch.setattr(forkserver, "_leave_parent", leave_and_fork_no_more)
    owned = own(TELLS)
    owned.pool.submit(order(1))
    owned.loop.until(lambda: owned.unable)
    assert owned.unable == {1: os.strerror(errno.EAGAIN)}
    assert (owned.pool.busy, owned.verdicts, owned.server.generation) == (0, {}, 1)


def test_no_further_server_can_be_had(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    owned = own(TELLS)
    server = serving(owned)
    server.suspend()
    owned.pool.submit(order(1))

    def refuse() -> tuple[int, int]:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(forkserver, "start", refuse)
    server.kill()
    owned.loop.until(lambda: owned.unable)
    assert owned.unable == {1: os.strerror(errno.EAGAIN)}
    assert owned.pool.busy == 0
    with pytest.raises(BlockingIOError):
        owned.pool.submit(order(2))
    assert owned.pool.busy == 0


def test_no_rsh_can_be_had(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(os, "posix_spawnp", refuse)  # the server is forked from here
    owned = own(TELLS)
    owned.pool.submit(order(1))
    owned.loop.until(lambda: owned.unable)
    assert owned.unable == {1: os.strerror(errno.ENOMEM)}
    assert owned.pool._idle == []
