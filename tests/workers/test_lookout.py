"""The parent's end of the watcher: a real one, real launches that are handed over, and what it says of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from mpboot.net.work import Forget, Hung, Message, Sighting, Verdict, Watch
from mpboot.workers import forkserver, lookout, sight
from mpboot.workers.forker import ForkServer
from mpboot.workers.lookout import Lookout, WatcherProcess
from mpboot.workers.pipes import WATCHER
from tests.workers.given import LONG, SteppedLoop, descriptors, gone, order, settings

FAILED = Verdict("rsh-failed", "connect", "ended", [], "stderr")
SEEN = Verdict("rsh-failed", "connect", "local was stopped by a signal", [], "stderr")


class Looked:
    """A lookout, its loop, and what it has called."""

    def __init__(self, server: ForkServer, directories: list[str]) -> None:
        self.loop = SteppedLoop()
        self.told: list[list[Sighting]] = []
        self.blind = 0
        self.out = Lookout(self.loop, server, directories, self._blind, self.told.append)

    def _blind(self) -> None:
        self.blind += 1

    def ask(self) -> list[int]:
        """The launches of which anything is seen."""
        count = len(self.told)
        assert self.out.ask()
        self.loop.until(lambda: len(self.told) > count)
        return [sighting.launch for sighting in self.told[-1]]


@pytest.fixture
def looked(server: ForkServer) -> Iterator[Looked]:
    made = Looked(server, [])
    yield made
    made.out.stop()


@pytest.fixture
def rsh() -> Iterator[Callable[[], int]]:
    """Have a process run that stands for an rsh; its pid."""
    started: list[subprocess.Popen[bytes]] = []

    def begin() -> int:
        started.append(subprocess.Popen(["sleep", "60"], start_new_session=True))
        return started[-1].pid

    yield begin
    for one in started:
        one.kill()
        one.wait(LONG)


def watchers(server: ForkServer) -> list[psutil.Process]:
    """What the server has forked and runs."""
    return [child for child in psutil.Process(server._pid).children() if child.status() != "zombie"]


class Orders(list[Message]):
    """What a watcher's process is told, in its place."""

    def __call__(self, order: Message, _: object) -> bool:
        self.append(order)
        return True


@pytest.fixture
def orders(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> Orders:
    made = Orders()
    monkeypatch.setattr(looked.out._watcher, "order", made)
    return made


# -- which launches are watched --------------------------------------------------------------------


def test_a_launch_that_takes_long_is_handed_over(
    looked: Looked, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "FIRST_LOOK", 0.1)
    begin = time.monotonic()
    looked.out.started(order(3, label="label"), 77, 500, begin)
    looked.loop.until(lambda: orders)
    assert 0.1 <= time.monotonic() - begin < LONG
    assert orders == [Watch(3, "label", 77, 500, begin)]


def test_two_seconds_are_long() -> None:
    assert (lookout.FIRST_LOOK, lookout.TURN) == (2.0, 0.5)


def test_younger_ones_are_handed_over_at_a_later_turn(
    looked: Looked, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "FIRST_LOOK", 0.1)
    monkeypatch.setattr(lookout, "TURN", 0.03)
    now = time.monotonic()
    looked.out.started(order(1), 71, 0, now)
    looked.out.started(order(2), 72, 0, now + 0.02)
    looked.loop.until(lambda: orders)
    assert orders == [Watch(1, "h", 71, 0, now)]
    looked.loop.until(lambda: len(orders) > 1)
    assert orders[1:] == [Watch(2, "h", 72, 0, now + 0.02)]


def test_the_turns_end_with_the_launches(looked: Looked, orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "FIRST_LOOK", 0.0)
    monkeypatch.setattr(lookout, "TURN", 0.0)
    looked.out.started(order(1), 71, 0, time.monotonic())
    looked.loop.until(lambda: orders)
    looked.out.forget(1)
    looked.loop.until(looked.loop.at_rest)
    assert [type(one) for one in orders] == [Watch, Forget]


def test_a_launch_that_ended_early_is_never_handed_over(looked: Looked, orders: Orders) -> None:
    looked.out.started(order(1), 71, 0, time.monotonic())
    looked.out.forget(1)
    looked.out.forget(1)
    looked.out.forget(2)
    looked.out.ask()
    assert [type(one) for one in orders] == []


def test_a_glance_hands_nothing_over(looked: Looked, orders: Orders) -> None:
    looked.out.started(order(1), 71, 0, time.monotonic())
    assert not looked.out.ask(all_of_them=False)
    assert orders == []
    looked.out.ask()
    looked.out.started(order(2), 72, 0, time.monotonic())
    looked.out.ask(all_of_them=False)
    assert [one.launch for one in orders if isinstance(one, Watch)] == [1]


def test_a_further_rsh_takes_the_place_of_the_one_before(looked: Looked, orders: Orders) -> None:
    begin = time.monotonic()
    looked.out.started(order(1), 71, 0, begin)
    looked.out.ask()
    looked.out.started(order(1), 72, 9, begin)
    looked.out.ask()
    looked.out.ask()
    assert orders == [Watch(1, "h", 71, 0, begin), Forget(1), Watch(1, "h", 72, 9, begin)]


def test_a_watcher_that_is_busy_is_told_later(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "FIRST_LOOK", 0.0)
    monkeypatch.setattr(lookout, "TURN", 0.0)
    told: list[tuple[Message, bool]] = []

    def busy(order: Message, _: object) -> bool:
        told.append((order, len(told) > 2))
        return told[-1][1]

    monkeypatch.setattr(looked.out._watcher, "order", busy)
    for launch in (1, 2):
        looked.out.started(order(launch), 70 + launch, 0, time.monotonic())
    looked.loop.until(lambda: len(told) > 4)
    taken = [one.launch for one, was_taken in told if was_taken and isinstance(one, Watch)]
    assert taken == [1, 2]
    assert [one.launch for one, _ in told if isinstance(one, Watch)] == [1, 1, 1, 1, 2]


def test_what_is_seen_is_told(looked: Looked, rsh: Callable[[], int]) -> None:
    assert not looked.out.ask()  # there is nothing to be seen, and no watcher is made for it
    for launch in (1, 2):
        looked.out.started(order(launch), rsh(), 0, time.monotonic())
    assert looked.ask() == [1, 2]
    looked.out.forget(1)
    assert looked.ask() == [2]
    assert (looked.told[-1][0].phase, len(looked.told[-1][0].statuses)) == ("connect", 1)


def test_the_watcher_may_know_better_than_the_worker(looked: Looked, rsh: Callable[[], int]) -> None:
    pids = {launch: rsh() for launch in (1, 2)}
    for launch, pid in pids.items():
        looked.out.started(order(launch), pid, 0, time.monotonic())
    assert looked.ask() == [1, 2]
    assert looked.out.agreed(1, FAILED) == FAILED
    os.kill(pids[1], signal.SIGSTOP)
    os.waitid(os.P_PID, pids[1], os.WEXITED | os.WNOWAIT)  # the watcher has ended it
    up = Verdict("", "", "", [], "")
    assert looked.out.agreed(1, up) == up
    assert looked.out.agreed(1, FAILED) == SEEN
    assert looked.out.agreed(2, FAILED) == FAILED
    looked.out.forget(1)
    assert looked.out.agreed(1, FAILED) == FAILED


def test_how_far_the_host_had_come_is_the_workers_to_say(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    looked.out.started(order(1), 71, 0, time.monotonic())
    said = iter([Hung(1, "connect-timeout", "connect", "no answer"), None])
    monkeypatch.setattr(WatcherProcess, "runs", True)
    monkeypatch.setattr(looked.out._watcher, "result", lambda: next(said))
    verdict = looked.out.agreed(1, Verdict("shell-hang", "shell", "x", [("shell", 1.0)], "motd\n"))
    assert (verdict.cause, verdict.phase, verdict.stderr) == ("shell-hang", "shell", "motd\n")
    assert verdict.detail == "logged in, but the shell did not get to the agent; printed: motd"
    assert verdict.states == [("shell", 1.0)]


def test_of_a_launch_that_is_over_nothing_is_kept(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter([Hung(5, "connect-timeout", "connect", "no answer"), None])
    monkeypatch.setattr(WatcherProcess, "runs", True)
    monkeypatch.setattr(looked.out._watcher, "result", lambda: next(said))
    assert looked.out.agreed(5, FAILED) == FAILED
    assert looked.out._hung == {}


def test_a_watcher_that_died_is_replaced(looked: Looked, server: ForkServer, rsh: Callable[[], int]) -> None:
    looked.out.started(order(1), rsh(), 0, time.monotonic())
    assert looked.ask() == [1]
    (first,) = watchers(server)
    first.kill()
    looked.loop.until(lambda: not looked.out._watcher.runs)
    assert looked.ask() == [1]
    assert looked.blind == 0
    (second,) = watchers(server)
    assert second.pid != first.pid


@pytest.mark.parametrize("junk", [b"\0\0\0\4junk", b"\0\0\0\x05[\0\0\0\0", b'\0\0\0\x11["NoFork", 1, 11]'])
def test_one_that_says_what_does_not_fit_is_replaced(
    looked: Looked, server: ForkServer, rsh: Callable[[], int], junk: bytes
) -> None:
    looked.out.started(order(1), rsh(), 0, time.monotonic())
    assert looked.ask() == [1]
    server.read_pids()
    forked = looked.out._watcher._forked
    assert forked is not None
    reads, writes = os.pipe()
    os.write(writes, junk)
    looked.loop.forget(forked.results)
    os.dup2(reads, forked.results)  # in its place
    looked.out.agreed(1, FAILED)
    os.close(reads)
    os.close(writes)
    assert not looked.out._watcher.runs
    assert looked.ask() == [1]


def test_half_an_answer_is_none(looked: Looked, server: ForkServer, rsh: Callable[[], int]) -> None:
    looked.out.started(order(1), rsh(), 0, time.monotonic())
    assert looked.ask() == [1]
    looked.out._sightings.append(looked.told[0][0])
    watchers(server)[0].kill()
    looked.loop.until(lambda: not looked.out._watcher.runs)
    assert looked.ask() == [1]


def test_a_watcher_that_is_stopped_makes_nobody_wait(
    looked: Looked, server: ForkServer, rsh: Callable[[], int]
) -> None:
    looked.out.started(order(1), rsh(), 0, time.monotonic())
    assert looked.ask() == [1]
    (process,) = watchers(server)
    process.suspend()
    begin = time.monotonic()
    while looked.out.ask():  # until the pipe is full
        assert time.monotonic() - begin < LONG
    process.resume()
    looked.loop.until(lambda: len(looked.told) > 2)


def test_it_ends(looked: Looked, server: ForkServer, rsh: Callable[[], int]) -> None:
    looked.out.started(order(1), rsh(), 0, time.monotonic())
    looked.ask()
    (process,) = watchers(server)
    process.suspend()
    server.read_pids()
    before = len(descriptors())
    looked.out.stop()
    assert len(descriptors()) == before - 2
    assert gone(process.pid)
    looked.out.started(order(2), rsh(), 0, time.monotonic())
    assert not looked.out.ask()


# -- no psutil -------------------------------------------------------------------------------------


@pytest.fixture
def blind(server: ForkServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looked]:
    """A lookout whose first watcher has no psutil; ``server``, which is older, makes others."""
    del server
    monkeypatch.setattr(sight, "_loaded", [None])
    without = ForkServer(forkserver.start())
    without.configure(settings())
    made = Looked(without, ["/a"])
    yield made
    made.out.stop()
    without.stop()


def test_without_psutil_nobody_watches(blind: Looked, rsh: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "FIRST_LOOK", 0.0)
    blind.out.started(order(1), rsh(), 0, time.monotonic())
    blind.loop.until(lambda: blind.blind)
    blind.loop.until(blind.loop.at_rest)  # and no turn is taken in vain
    assert (blind.blind, blind.told) == (1, [])
    assert not blind.out.ask()
    blind.out.started(order(2), rsh(), 0, time.monotonic())
    assert blind.loop.at_rest()


def test_when_it_has_come_all_is_watched(
    blind: Looked, rsh: Callable[[], int], server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "FIRST_LOOK", 0.0)
    blind.out.started(order(1), rsh(), 0, time.monotonic())
    blind.loop.until(lambda: blind.blind)
    blind.out._watcher._server = server
    asked: list[list[str]] = []
    real = server.fork

    def fork(kind: int, first: Message) -> object:
        asked.append(first.row()[0])
        assert kind == WATCHER
        return real(kind, first)

    monkeypatch.setattr(server, "fork", fork)
    blind.out.look_in("/b")
    assert blind.out.directories == ["/a", "/b"]
    blind.loop.until(lambda: blind.out._watched)
    assert asked == [["/a", "/b"]]
    assert blind.ask() == [1]


def test_no_process_is_to_be_had(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> object:
        raise BlockingIOError

    monkeypatch.setattr(looked.out._watcher._server, "fork", refuse)
    looked.out.started(order(1), os.getpid(), 0, time.monotonic())
    assert not looked.out.ask()
    monkeypatch.undo()
    assert looked.ask() == [1]
