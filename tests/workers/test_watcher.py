"""The watcher: real processes that it looks at, when it says that they hang, and how it ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from select import POLLIN
from typing import Any

import pytest

from mpboot.net import work
from mpboot.net.work import Forget, Hung, Sighting, Tell, Told, Watch
from mpboot.workers import watcher
from mpboot.workers.pipes import Results, ResultsWriter, ready
from mpboot.workers.sight import Scan, Sight
from mpboot.workers.watcher import End, Watched, Watcher
from tests.workers.given import LONG, end_session, gone

Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Have lines of shell run as an rsh would, and wait until they say something."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(lines: str) -> subprocess.Popen[bytes]:
        shell = subprocess.Popen(
            ["sh", "-c", lines], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(shell)
        assert shell.stdout
        shell.stdout.readline()
        return shell

    yield begin
    for shell in started:
        end_session(shell)


class Pipe:
    """What a watcher in this process says."""

    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()
        self.writer = ResultsWriter(self.writes)

    def said(self) -> list[Any]:
        """All of it so far."""
        got = []
        while ready(self.reads, POLLIN, 0.0):
            got.append(work.watcher_result(Results(self.reads).get()))
        return got


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.reads)
    os.close(made.writes)


def watch(pid: int, launch: int = 1, fed: int = 0, age: float = 0.0) -> Watch:
    return Watch(launch, "label", pid, fed, time.monotonic() - age)


# -- one launch ------------------------------------------------------------------------------------


def seen(**values: Any) -> Sight:
    made = Sight()
    for name, value in {"pids": [1], **values}.items():
        setattr(made, name, value)
    return made


def test_the_first_look_counts_as_movement() -> None:
    one = Watched(Watch(1, "label", 9, 0, 100.0))
    assert (one.moved, one.phase, one.phase_since) == (100.0, "", 100.0)
    one.see(seen(), 103.0)
    assert (one.moved, one.phase, one.phase_since) == (103.0, "connect", 100.0)
    one.see(seen(), 104.0)
    assert (one.moved, one.phase_since) == (103.0, 100.0)
    one.see(seen(reads=1), 105.0)
    assert (one.moved, one.phase_since) == (105.0, 100.0)


def test_a_new_phase_is_movement_and_begins_now() -> None:
    one = Watched(Watch(1, "label", 9, 10, 100.0))
    one.see(seen(unread=10), 101.0)
    assert one.phase == "connect"
    one.see(seen(unread=10, statuses=["sleeping"], tty="/dev/pts/1"), 104.0)
    assert (one.phase, one.phase_since, one.moved) == ("handshake", 104.0, 104.0)
    one.see(seen(unread=9), 107.0)
    assert (one.phase, one.phase_since, one.moved) == ("shell", 107.0, 107.0)


@pytest.mark.parametrize(("unread", "logged_in"), [(-1, False), (0, True), (9, True), (10, False), (11, False)])
def test_who_has_read_of_its_input_is_logged_in(unread: int, logged_in: bool) -> None:
    one = Watched(Watch(1, "label", 9, 10, 100.0))
    one.see(seen(unread=unread), 101.0)
    assert one.evidence("rsh", 101.0).logged_in is logged_in


def test_evidence_is_what_was_seen() -> None:
    one = Watched(Watch(1, "label", 9, 10, 100.0))
    one.see(seen(tcp=[("SYN_SENT", "h:22")], tty="/dev/tty", statuses=["sleeping", "stopped"]), 101.0)
    evidence = one.evidence("rsh", 107.0)
    assert (evidence.rsh, evidence.host, evidence.seconds) == ("rsh", "label", 7.0)
    assert (evidence.tcp, evidence.tty, evidence.stopped) == ([("SYN_SENT", "h:22")], "/dev/tty", True)
    one.see(seen(statuses=["sleeping"]), 108.0)
    assert not one.evidence("rsh", 108.0).stopped


def test_a_sighting_fits_into_a_pipe_at_once() -> None:
    one = Watched(Watch(7, "label", 9, 0, 100.0))
    one.see(seen(tcp=[("SYN_SENT", "x" * 40)] * 9, statuses=["sleeping"] * 99, tty="/dev/pts/7"), 101.0)
    sighting = one.sighting(104.26)
    assert (sighting.launch, sighting.phase, sighting.still, sighting.tty) == (7, "handshake", 3.3, "/dev/pts/7")
    assert (len(sighting.tcp), len(sighting.statuses)) == (4, 8)
    assert work.watcher_result(sighting.plain()) == sighting


# -- its end ---------------------------------------------------------------------------------------


def test_an_end_is_term_first(start: Start) -> None:
    shell = start("trap 'exit 5' TERM; echo; while :; do sleep 0.01; done")
    begin = time.monotonic()
    end = End(shell.pid, Scan())
    assert shell.wait(LONG) == 5
    assert 0.0 <= end.due - begin - watcher.TERM_GRACE < LONG


def test_a_stopped_one_is_woken_to_see_its_end(start: Start) -> None:
    shell = start("trap 'exit 5' TERM; echo; while :; do sleep 0.01; done")
    os.kill(shell.pid, signal.SIGSTOP)
    End(shell.pid, Scan())
    assert shell.wait(LONG) == 5


def test_then_kill_for_all_that_was_there_and_is(start: Start) -> None:
    shell = start("trap '' TERM; echo; read line; sleep 60 & echo $!; wait")
    end = End(shell.pid, Scan())
    assert shell.stdin
    assert shell.stdout
    shell.stdin.write(b"go on\n")
    shell.stdin.flush()
    child = int(shell.stdout.readline())
    end.go_on()
    assert shell.wait(LONG) == -signal.SIGKILL
    assert gone(child)


def test_who_has_lost_its_parent_meanwhile_is_killed_too(start: Start) -> None:
    shell = start(
        "setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.01; done' | (read pid; echo; echo $pid; cat)"
    )
    assert shell.stdout
    leaver = int(shell.stdout.readline())
    end = End(shell.pid, Scan())
    shell.wait(LONG)
    end.go_on()
    assert gone(leaver)


def test_what_does_not_die_is_killed_a_few_times_and_then_left(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = start("echo; exec sleep 60")
    sent: list[int] = []
    monkeypatch.setattr(End, "_send", lambda _, *numbers: sent.extend(numbers))
    end = End(shell.pid, Scan())
    while end.due < time.monotonic() + LONG and len(sent) < 99:
        end.go_on()
    assert sent == [signal.SIGTERM, signal.SIGCONT, *[signal.SIGKILL] * watcher.TRIES]


# -- all launches ----------------------------------------------------------------------------------


def test_the_times_are_those_that_the_documents_tell() -> None:
    assert (watcher.INTERVAL, watcher.SHARE, watcher.TERM_GRACE) == (1.0, 10, 0.5)


def test_without_launches_there_is_no_hurry(pipe: Pipe) -> None:
    made = Watcher("rsh", 30.0, pipe.writer)
    assert made.patience() > 1000
    made.go_round()
    assert pipe.said() == []


def test_a_launch_is_looked_at_once_a_second(start: Start, pipe: Pipe) -> None:
    made = Watcher("rsh", 30.0, pipe.writer)
    made.take(watch(start("echo; exec sleep 60").pid))
    assert made.patience() <= 0.0
    made.go_round()
    assert watcher.INTERVAL - 0.5 < made.patience() <= max(watcher.INTERVAL, LONG)
    made.take(Forget(1))
    assert made.patience() > 1000
    assert pipe.said() == []


def test_looking_takes_a_tenth_of_a_processor_at_most(
    start: Start, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "INTERVAL", 0.0)
    monkeypatch.setattr(watcher, "SHARE", 1000)
    made = Watcher("rsh", 1e6, pipe.writer)
    made.take(watch(start("echo; exec sleep 60").pid))
    begin = time.monotonic()
    made.go_round()
    took = time.monotonic() - begin
    assert 0.0 < made.patience() <= 1000 * took


def test_a_timeout_does_not_wait_for_the_next_look(start: Start, pipe: Pipe) -> None:
    made = Watcher("rsh", 5.3, pipe.writer)
    made.take(watch(start("echo; exec sleep 60").pid, age=5.0))
    made.go_round()
    assert 0.0 < made.patience() <= 0.3
    assert pipe.said() == []


def test_a_launch_whose_time_is_over_is_said_to_hang_and_ended(start: Start, pipe: Pipe) -> None:
    shell = start("echo; exec sleep 60")
    made = Watcher("rsh", 5.0, pipe.writer)
    made.take(watch(shell.pid, launch=4, age=5.0))
    made.go_round()
    (hung,) = pipe.said()
    assert isinstance(hung, Hung)
    assert (hung.launch, hung.cause, hung.phase) == (4, "connect-timeout", "connect")
    assert hung.detail == "rsh did not get to the host for 5 s"
    assert shell.wait(LONG) == -signal.SIGTERM
    assert 0.0 < made.patience() <= watcher.TERM_GRACE
    made.go_round()
    assert pipe.said() == []  # it is said once


def test_a_stopped_launch_hangs_at_once(start: Start, pipe: Pipe) -> None:
    shell = start("echo; exec sleep 60")
    os.kill(shell.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, shell.pid, os.WSTOPPED)
    made = Watcher("ssh", 1e6, pipe.writer)
    made.take(watch(shell.pid))
    made.go_round()
    assert pipe.said() == [Hung(1, "rsh-failed", "connect", "ssh was stopped by a signal")]
    assert shell.wait(LONG) == -signal.SIGTERM


def test_who_is_deaf_to_term_is_killed_when_that_is_due(
    start: Start, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "TERM_GRACE", 0.05)
    monkeypatch.setattr(watcher, "INTERVAL", 0.0)
    monkeypatch.setattr(watcher, "SHARE", 0)
    shell = start("trap '' TERM; echo; while :; do sleep 0.01; done")
    made = Watcher("rsh", 1.0, pipe.writer)
    made.take(watch(shell.pid, age=1.0))
    made.go_round()
    assert shell.poll() is None
    while shell.poll() is None:
        ready(pipe.reads, 0, min(0.01, made.patience()))  # as run() waits
        made.go_round()
    assert shell.wait(LONG) == -signal.SIGKILL
    assert len(pipe.said()) == 1  # however often it was looked at


def test_one_that_is_gone_is_its_workers_to_tell(start: Start, pipe: Pipe) -> None:
    shell = start("echo; exit 0")
    shell.wait(LONG)
    made = Watcher("rsh", 1.0, pipe.writer)
    made.take(watch(shell.pid, age=5.0))
    made.go_round()
    assert pipe.said() == []


def test_what_is_seen_is_told(start: Start, pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Watcher("rsh", 30.0, pipe.writer)
    made.take(Tell())
    assert pipe.said() == [Told()]
    for launch in (1, 2, 3):
        made.take(watch(start("echo; exec sleep 60").pid, launch))
    made.take(Tell())
    *sightings, last = pipe.said()
    assert [(one.launch, one.phase, len(one.statuses), one.tty) for one in sightings] == [
        (1, "connect", 1, ""), (2, "connect", 1, ""), (3, "connect", 1, ""),
    ]  # fmt: skip
    assert isinstance(last, Told)
    monkeypatch.setattr(watcher, "MOST_TOLD", 2)
    made.take(Tell())
    assert [type(one) for one in pipe.said()] == [Sighting, Sighting, Told]
