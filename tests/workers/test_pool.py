"""The pool: which worker carries which launch, when a launch is wanted no more, and the end of all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import psutil
import pytest

from mpboot.workers import pool
from tests.workers.given import MARK, gone, order
from tests.workers.owned_pool import SLEEPS, TELLS, Own, died, first_server

# -- which worker carries which launch -------------------------------------------------------------


def test_launches_are_carried_at_once(own: Own) -> None:
    owned = own("read size; case $1 in h) exit 3;; esac; exit 4")
    for launch in (1, 2, 3):
        owned.pool.submit(order(launch, "g" if launch == 2 else "h"))
    assert owned.pool.busy == 3
    codes = [verdict.detail.split("code ")[1][0] for verdict in owned.end(1, 2, 3)]
    assert codes == ["3", "4", "3"]
    assert owned.pool.busy == 0
    assert sorted(owned.rsh) == [1, 2, 3]
    assert len(set(owned.rsh.values())) == 3
    assert owned.unable == {}


def test_the_worker_that_was_free_last_is_used_first(own: Own, tmp_path: Path) -> None:
    """…since most of what it needs is in the caches."""
    owned = own(f"echo $PPID >&2; while [ ! -e {tmp_path}/$1 ]; do sleep 0.01; done; exit 1")
    owned.pool.submit(order(1, "a"))
    owned.pool.submit(order(2, "b"))
    (tmp_path / "b").touch()
    second = owned.told_worker(2)
    (tmp_path / "a").touch()
    first = owned.told_worker(1)
    assert first != second
    owned.pool.submit(order(3, "a"))
    owned.pool.submit(order(4, "a"))
    owned.pool.submit(order(5, "a"))
    assert owned.told_worker(3) == first
    assert owned.told_worker(4) == second
    assert owned.told_worker(5) not in (first, second)


def test_without_room_there_is_no_further_worker(own: Own) -> None:
    owned = own(SLEEPS)
    owned.room = 2
    owned.begin(1, 2)
    with pytest.raises(OSError, match="Too many open files") as refused:
        owned.pool.submit(order(3))
    assert refused.value.errno == errno.EMFILE
    assert owned.pool.busy == 2
    assert owned.asked == [2, 3]


def test_one_launch_may_always_be_under_way(own: Own) -> None:
    owned = own(TELLS)
    owned.room = 0
    owned.pool.submit(order(1))
    first = owned.told_worker(1)
    assert gone(first)  # its place is needed for something else
    owned.pool.submit(order(2))
    assert owned.told_worker(2) != first


def test_what_would_be_too_many_for_the_room_is_let_go(own: Own) -> None:
    owned = own(TELLS)
    owned.room = 99
    for launch in (1, 2, 3):
        owned.pool.submit(order(launch))
    owned.end(1, 2, 3)
    owned.asked.clear()
    owned.room = 2
    for launch in (4, 5, 6):
        owned.pool.submit(order(launch))
    owned.end(4, 5, 6)
    assert owned.asked == [3, 2, 2] or sorted(owned.asked) == [2, 2, 3]
    owned.pool.submit(order(7))
    owned.pool.submit(order(8))
    with pytest.raises(OSError, match="Too many open files"):
        owned.pool.submit(order(9))


def test_a_worker_has_its_timeout_and_a_margin(own: Own) -> None:
    """…as docs/architecture.md says."""
    assert own(TELLS, timeout=30.0).pool._limit == 30.0 + 1.0 + 4.0
    assert pool.FORKED_IN == 4.0


def test_a_further_launch_begins_where_the_first_did(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    owned = own("case $1 in slow) exec sleep 60;; esac; exit 1", timeout=0.1)
    monkeypatch.setattr(owned.pool, "_limit", 0.3)
    owned.pool.submit(order(1))
    owned.end(1)
    owned.pool.submit(order(2, "slow"))
    owned.loop.until(lambda: 2 in owned.rsh)
    owned.worker(2).suspend()
    assert died(owned.end(2)[0]) == "the worker hung"


# -- a launch is wanted no more, or lives on -------------------------------------------------------


def test_a_cancelled_launch_is_interrupted(own: Own) -> None:
    owned = own(SLEEPS)
    owned.begin(1, 2)
    owned.pool.cancel(1)
    owned.pool.cancel(7)
    assert owned.end(1)[0].cause == "interrupted"
    assert gone(owned.rsh[1])
    assert 2 not in owned.verdicts
    assert psutil.pid_exists(owned.rsh[2])


def test_a_launch_that_is_cancelled_before_it_begins_is_interrupted_too(own: Own) -> None:
    owned = own(SLEEPS)
    owned.pool.submit(order(1))
    owned.pool.cancel(1)
    assert owned.end(1)[0].cause == "interrupted"


def test_who_was_cancelled_carries_the_next(own: Own) -> None:
    owned = own("case $1 in slow) exec sleep 60;; esac; exit 5")
    owned.pool.submit(order(1, "slow"))
    owned.loop.until(lambda: 1 in owned.rsh)
    owned.pool.cancel(1)
    owned.end(1)
    owned.pool.submit(order(2))
    assert owned.end(2)[0].detail.split(",")[0].endswith("ended with code 5")


def test_a_cancelled_launch_whose_worker_hangs_is_interrupted(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MARGIN", 0.2)
    owned = own(SLEEPS)
    owned.begin(1)
    worker = owned.worker(1)
    worker.suspend()
    owned.pool.cancel(1)
    (verdict,) = owned.end(1)
    assert (verdict.cause, verdict.phase, verdict.detail) == ("interrupted", "", "cancelled")
    assert gone(worker.pid)
    assert gone(owned.rsh[1])


def test_a_dead_workers_launch_that_is_cancelled_is_interrupted(own: Own) -> None:
    owned = own(SLEEPS)
    owned.begin(1)
    owned.worker(1).kill()
    assert gone(owned.pool._busy[1].forked.pid)
    owned.pool.cancel(1)
    assert 1 not in owned.verdicts  # not yet: whoever cancels need not expect it
    assert owned.end(1)[0].cause == "interrupted"


@pytest.mark.parametrize("up", [False, True])
def test_when_the_agent_is_up_there_is_no_limit(own: Own, monkeypatch: pytest.MonkeyPatch, up: bool) -> None:
    monkeypatch.setattr(pool, "MARGIN", 0.2)
    monkeypatch.setattr(pool, "BACKUP", 0.0)
    owned = own(f"{MARK}; echo $m tcp; {SLEEPS}", timeout=0.1, attach=True)
    owned.begin(1)
    over: list[bool] = []
    if up:
        owned.pool.agent_up(1)
        owned.loop.later(0.5, lambda: over.append(True))
    owned.loop.until(lambda: over or owned.verdicts)
    assert bool(owned.verdicts) is not up
    assert psutil.pid_exists(owned.rsh[1]) if up else gone(owned.rsh[1])


def test_an_agent_that_is_up_before_its_launch_is_told_of_has_no_limit(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "MARGIN", 0.1)
    monkeypatch.setattr(pool, "BACKUP", 0.0)
    owned = own(f"{MARK}; echo $m tcp; {SLEEPS}", timeout=0.1, attach=True)
    owned.pool.submit(order(1))
    owned.pool.agent_up(1)
    owned.pool.agent_up(7)
    over: list[bool] = []
    owned.loop.later(0.6, lambda: over.append(True))
    owned.loop.until(lambda: over or owned.verdicts)
    assert owned.verdicts == {}
    assert owned.lookout._launches == {}


# -- the end ---------------------------------------------------------------------------------------


def test_nothing_is_left(own: Own) -> None:
    owned = own("case $1 in slow) exec sleep 60;; esac; exit 1")
    owned.pool.submit(order(1))
    owned.end(1)
    for launch in (2, 3):
        owned.pool.submit(order(launch, "slow"))
    owned.loop.until(lambda: 3 in owned.rsh and 2 in owned.rsh)
    assert owned.lookout.ask()
    server = first_server(owned)
    while len(below := server.children(recursive=True)) < 5:
        os.sched_yield()  # the watcher is about to be forked, beside two workers and their rsh
    owned.pool.stop()
    assert all(gone(process.pid) for process in [server, *below])
    assert (list(owned.verdicts), owned.unable) == ([1], {})


@pytest.mark.parametrize("stopped", ["worker", "server", "unborn"])
def test_nothing_is_left_of_what_hangs(own: Own, monkeypatch: pytest.MonkeyPatch, stopped: str) -> None:
    monkeypatch.setattr(pool, "STOP_GRACE", 0.1)
    owned = own(SLEEPS)
    owned.begin(1)
    server = first_server(owned)
    below = server.children(recursive=True)
    (owned.worker(1) if stopped == "worker" else server).suspend()
    if stopped == "unborn":
        owned.pool.submit(order(2))
    owned.pool.stop()
    assert all(gone(process.pid) for process in [server, *below])
    assert owned.verdicts == {}


def test_an_end_before_anything_has_begun(own: Own) -> None:
    owned = own(TELLS)
    owned.pool.submit(order(1))
    server = first_server(owned)
    owned.pool.stop()
    assert gone(server.pid)
    assert (owned.rsh, owned.verdicts, owned.unable) == ({}, {}, {})
