"""The pool: which worker carries which launch, and what comes of it when a worker or the fork server dies or hangs."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mpboot.net.work import Started, Verdict
from mpboot.workers import forkserver, lookout, pool
from mpboot.workers.carrier import Worker
from mpboot.workers.forker import ForkServer
from mpboot.workers.lookout import Lookout
from mpboot.workers.pipes import pack
from mpboot.workers.pool import Pool
from tests.workers.given import LONG, MARK, SteppedLoop, gone, order, script, settings

SLEEPS = "exec sleep 60"
TELLS = "echo $PPID >&2; exit 1"  # an rsh that tells its worker's pid


class Owned:
    """A pool, its loop, and what it has told."""

    def __init__(self, rsh: str, timeout: float = 30.0, attach: bool = False) -> None:
        self.loop = SteppedLoop()
        self.server = ForkServer(forkserver.start())
        self.lookout = Lookout(self.loop, self.server, [], lambda: None, lambda _: None)
        self.rsh: dict[int, int] = {}
        self.verdicts: dict[int, Verdict] = {}
        self.unable: dict[int, str] = {}
        self.asked: list[int] = []  # for room
        self.room = 99
        given = settings(rsh, timeout, attach=attach)
        self.pool = Pool(
            self.loop, self.server, given, self.lookout, self.rsh.__setitem__, self._ended, self.unable.__setitem__,
            self._has_room,
        )  # fmt: skip

    def _ended(self, launch: int, verdict: Verdict) -> None:
        assert launch not in self.verdicts
        self.verdicts[launch] = verdict

    def _has_room(self, workers: int) -> bool:
        self.asked.append(workers)
        return workers <= self.room

    def begin(self, *launches: int) -> None:
        """Launches that are under way."""
        for launch in launches:
            self.pool.submit(order(launch))
        self.loop.until(lambda: all(launch in self.rsh or launch in self.verdicts for launch in launches))
        assert not any(launch in self.verdicts for launch in launches), self.verdicts

    def end(self, *launches: int) -> list[Verdict]:
        """The verdicts on launches."""
        self.loop.until(lambda: all(launch in self.verdicts for launch in launches))
        return [self.verdicts[launch] for launch in launches]

    def worker(self, launch: int) -> psutil.Process:
        """The process that carries a launch."""
        found = psutil.Process(self.rsh[launch]).parent()
        assert found is not None
        return found

    def told_worker(self, launch: int) -> int:
        """The worker of a launch by an rsh that TELLS."""
        (verdict,) = self.end(launch)
        assert verdict.stderr, verdict
        return int(verdict.stderr)


Own = Callable[..., Owned]


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


def died(verdict: Verdict) -> str:
    """What a worker's death says of its launch."""
    assert (verdict.cause, verdict.phase, verdict.states, verdict.stderr) == ("rsh-failed", "connect", [], "")
    return verdict.detail


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
        b"\0\0\0\4junk", pack(["Told"]), pack(Started(2, 5, 9, 0, 5).plain()), pack(["Started", 1, 0, 9, 0, 5]),
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
    talk(owned.pool._idle[0], pack(Started(1, 5, 9, 0, 5).plain()))
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


def first_server(owned: Owned) -> psutil.Process:
    return psutil.Process(owned.server._pid)


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
    assert LONG > pool.STOP_GRACE
