"""Every process that came of one, found in /proc: real sessions, real daemons, real zombies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpboot.workers.family import family, send
from tests.workers.given import LONG, end_session

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


def test_the_session_and_what_descends_from_it(start: Start) -> None:
    shell = start("sleep 60 & echo $!; setsid sh -c 'echo $$; sleep 60 & echo $!; wait'; wait")
    child, leaver, grandchild = number(shell), number(shell), number(shell)
    assert os.getsid(child) == shell.pid
    assert os.getsid(leaver) == leaver != shell.pid
    assert {shell.pid, child, leaver, grandchild} <= set(family(shell.pid))
    assert os.getpid() not in family(shell.pid)
    assert family(leaver) == [leaver, grandchild]


def test_the_session_of_a_leader_that_has_ended(start: Start) -> None:
    """…also what has a process group of its own."""
    code = "import os, time; os.setpgid(0, 0); os.write(1, b'%d\\n' % os.getpid()); os.closerange(0, 3); time.sleep(60)"
    shell = start(f'{sys.executable} -S -c "{code}" & exit')
    child = number(shell)
    try:
        shell.wait(LONG)
        assert family(shell.pid) == [child]
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_daemon_is_known_by_a_word_in_its_environment(start: Start) -> None:
    token = os.urandom(8).hex()
    shell = start("setsid sh -c 'sleep 60 <&- >&- 2>&- & echo $!' & wait", MPBOOT_TEST=token)
    daemon = number(shell)
    try:
        shell.wait(LONG)
        assert family(shell.pid) == []
        assert family(shell.pid, b"MPBOOT_TEST=" + token.encode()) == [daemon]
        assert family(shell.pid, b"MPBOOT_TEST=" + token[::-1].encode()) == []
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_a_zombie_is_none_of_them(start: Start) -> None:
    shell = start("echo 0")
    number(shell)
    os.waitid(os.P_PID, shell.pid, os.WEXITED | os.WNOWAIT)
    assert family(shell.pid) == []


def test_a_name_may_hold_anything(start: Start, tmp_path: Path) -> None:
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    shell = start(f"'{odd}' 60 & echo $!; wait")
    child = number(shell)
    assert child in family(shell.pid)


def test_without_proc_there_is_the_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> list[str]:
        raise FileNotFoundError

    monkeypatch.setattr(os, "listdir", refuse)
    assert family(123) == [123]


def test_a_stopped_process_sees_its_signal(start: Start) -> None:
    shell = start("trap 'echo 7; exit 3' TERM; echo 0; while :; do sleep 0.05; done")
    number(shell)
    os.kill(shell.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, shell.pid, os.WSTOPPED)
    gone = start("exit 0")
    gone.wait(LONG)
    send([gone.pid, shell.pid], signal.SIGTERM)
    assert number(shell) == 7
    assert shell.wait(LONG) == 3
