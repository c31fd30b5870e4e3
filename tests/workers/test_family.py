"""Every process that came of one, found in /proc: real sessions, real daemons, real zombies."""

from __future__ import annotations

import os
import posix
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpboot.workers.family import Census, family, send, start_of
from tests.workers.given import LONG, descriptors, end_session

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Have a shell run lines in a session of its own, and wait until it says something."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(lines: str, session: bool = True, **environment: str) -> subprocess.Popen[bytes]:
        shell = subprocess.Popen(
            ["sh", "-c", lines], stdout=subprocess.PIPE, start_new_session=session, env={**os.environ, **environment}
        )
        started.append(shell)
        return shell

    yield begin
    for shell in started:
        end_session(shell)


def number(shell: subprocess.Popen[bytes]) -> int:
    """What a shell says."""
    assert shell.stdout
    return int(shell.stdout.readline())


def pids(leader: int, token: bytes = b"") -> list[int]:
    """The numbers of those that came of a process which is there."""
    return [pid for pid, _ in family(leader, start_of(leader), token)]


def test_the_session_and_what_descends_from_it(start: Start) -> None:
    shell = start("sleep 60 & echo $!; setsid sh -c 'echo $$; sleep 60 & echo $!; wait'; wait")
    child, leaver, grandchild = number(shell), number(shell), number(shell)
    assert os.getsid(child) == shell.pid
    assert os.getsid(leaver) == leaver != shell.pid
    assert {shell.pid, child, leaver, grandchild} <= set(pids(shell.pid))
    assert os.getpid() not in pids(shell.pid)
    assert family(leaver, start_of(leaver)) == [(one, start_of(one)) for one in (leaver, grandchild)]


def test_the_session_of_a_leader_that_has_ended(start: Start) -> None:
    """…also what has a process group of its own."""
    code = (
        "import os, signal; os.setpgid(0, 0); os.write(1, b'%d\\n' % os.getpid()); os.closerange(0, 3); signal.pause()"
    )
    shell = start(f'{sys.executable} -S -c "{code}" & exit')
    began = start_of(shell.pid)
    child = number(shell)
    try:
        shell.wait(LONG)
        assert family(shell.pid, began) == [(child, start_of(child))]
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_daemon_is_known_by_a_word_in_its_environment(start: Start) -> None:
    token = os.urandom(8).hex()
    shell = start("setsid sh -c 'sleep 60 <&- >&- 2>&- & echo $!' & wait", MPBOOT_TEST=token)
    began = start_of(shell.pid)
    daemon = number(shell)
    try:
        shell.wait(LONG)
        assert family(shell.pid, began) == []
        assert family(shell.pid, began, b"MPBOOT_TEST=" + token.encode()) == [(daemon, start_of(daemon))]
        assert family(shell.pid, began, b"MPBOOT_TEST=" + token[::-1].encode()) == []
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_a_zombie_is_none_of_them(start: Start) -> None:
    shell = start("echo 0")
    number(shell)
    os.waitid(os.P_PID, shell.pid, os.WEXITED | os.WNOWAIT)
    assert pids(shell.pid) == []


def test_a_name_may_hold_anything(start: Start, tmp_path: Path) -> None:
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    shell = start(f"'{odd}' 60 & echo $!; wait")
    child = number(shell)
    assert child in pids(shell.pid)


def test_without_proc_there_is_the_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> list[str]:
        raise FileNotFoundError

    monkeypatch.setattr(posix, "listdir", refuse)
    assert family(123, 456) == [(123, 456)]


def test_a_stopped_process_sees_its_signal(start: Start) -> None:
    shell = start("trap 'echo 7; exit 3' TERM; echo 0; while :; do sleep 0.05; done")
    number(shell)
    os.kill(shell.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, shell.pid, os.WSTOPPED)
    gone = start("exit 0")
    gone.wait(LONG)
    send([(gone.pid, 0), (shell.pid, start_of(shell.pid))], signal.SIGTERM)
    assert number(shell) == 7
    assert shell.wait(LONG) == 3


# -- numbers that are somebody else's by now -------------------------------------------------------


def test_the_start_of_a_process(start: Start) -> None:
    first, second = start("echo 0; sleep 60"), start("echo 0; sleep 60")
    assert 0 < start_of(os.getpid()) < start_of(first.pid) <= start_of(second.pid)
    ended = start("exit 0")
    ended.wait(LONG)
    assert start_of(ended.pid) == 0


def test_who_has_the_number_of_one_that_has_ended_is_not_of_its_family(start: Start) -> None:
    """Nor is anybody in the session that it leads."""
    shell = start("sleep 60 & echo $!; wait")
    number(shell)
    assert len(pids(shell.pid)) == 2
    assert family(shell.pid, start_of(shell.pid) - 1) == []


def test_who_has_the_number_of_another_is_not_signalled(start: Start) -> None:
    """Of a process whose start is not known nobody can tell."""
    shell = start("trap 'echo 1' TERM; trap 'echo 2; exit' INT; echo 0; while :; do sleep 0.05; done")
    number(shell)
    send([(shell.pid, start_of(shell.pid) - 1)], signal.SIGTERM)
    send([(shell.pid, 0)], signal.SIGINT)
    assert number(shell) == 2


@pytest.mark.parametrize("missing", ["_signal.pidfd_send_signal", "os.pidfd_open"])
def test_where_there_are_no_pidfds(start: Start, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.delattr(missing)
    shell = start("trap 'echo 1' TERM; trap 'echo 2; exit' INT; echo 0; while :; do sleep 0.05; done")
    number(shell)
    send([(shell.pid, start_of(shell.pid) - 1)], signal.SIGTERM)
    send([(shell.pid, start_of(shell.pid))], signal.SIGINT)
    assert number(shell) == 2


def test_no_descriptor_is_left(start: Start) -> None:
    before = descriptors()
    ended = start("exit 0")
    ended.wait(LONG)
    assert ended.stdout
    ended.stdout.close()
    send([(ended.pid, 1), (ended.pid, 0), (os.getpid(), 1)], signal.SIGTERM)
    assert descriptors() == before


def test_one_look_serves_for_many(start: Start) -> None:
    shells = [start("sleep 60 & echo $!; wait") for _ in range(2)]
    children = [number(shell) for shell in shells]
    census = Census()
    for shell in shells:
        assert census.family(shell.pid, start_of(shell.pid), b"") == family(shell.pid, start_of(shell.pid))
    assert {pid for shell in shells for pid, _ in family(shell.pid, start_of(shell.pid))} >= set(children)
