"""A guard finds by its mark the command that its agent began last, and was killed before it could tell its pid."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mpboot.node import guard
from mpboot.node.mark import mark_of, who_has
from tests.node.commanding import Host, by_vfork
from tests.node.played import Rounds, await_end

ROOT = Path(__file__).resolve().parents[2]
# A login whose agent is killed in the middle of a vfork: its command and its guard are told.
DIES = """import os, signal, sys
from mpboot.net import core
from mpboot.node import guard
from tests.node.commanding import Host
from tests.node.played import Rounds
guard.KILL_AFTER = 0.1
agent = os.fork()
if not agent:
    host = Host(Rounds())
    host.guard.begins()
    lent = core.lent
    core.lent = lambda start: (lent(start), signal.pause())[0]
    host.begin("/usr/bin/env", "-i", "/bin/sh", "-c",
        f"exec >&- 2>&-; echo $$ {host.guard._pid} >{sys.argv[1]}; kill -9 {os.getpid()}; exec sleep 300")
signal.pause()
"""


@pytest.fixture
def hidden(tmp_path: Path) -> Iterator[Callable[[str], tuple[int, int]]]:
    """Has an agent begin a command that shuts its output and empties its environment, and says a pid to ``$at``.

    The agent is killed before it can tell of it. Returns that pid, and that of the guard.
    """
    at = tmp_path / "at"
    pids: list[int] = []

    def begin(then: str) -> tuple[int, int]:
        os.mkfifo(at)
        told, tell = os.pipe()
        agent = os.fork()
        if not agent:
            try:
                guard.KILL_AFTER = 0.1
                host = Host(Rounds())
                host.guard.begins()
                os.write(tell, b"%d" % host.guard._pid)
                host.guard.started = lambda *_, **__: signal.pause()  # type: ignore[method-assign]
                host.begin("/usr/bin/env", "-i", "/bin/sh", "-c", f"exec >&- 2>&- <&-; at={at}; {then}")
            finally:
                os._exit(1)
        pids.extend(int(pid) for pid in at.read_text().split())
        known = int(os.read(told, 20))
        for fd in (told, tell):
            os.close(fd)
        os.kill(agent, signal.SIGKILL)
        os.waitpid(agent, 0)
        return pids[0], known

    yield begin
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@by_vfork
@pytest.mark.parametrize(
    "then",
    [
        "echo $$ >$at; exec sleep 300",
        "sleep 300 & echo $! >$at",
        "(setsid sh -c 'echo $$ >$at; exec env -i sleep 300' &)",
        "trap '' TERM; echo $$ >$at; sleep 300; sleep 300",
    ],
)
def test_one_that_hides_ends_with_its_agent(hidden: Callable[[str], tuple[int, int]], then: str) -> None:
    await_end(hidden(f"export at; {then}")[0])


@by_vfork
def test_an_agent_that_is_killed_with_the_mark_on_it(tmp_path: Path) -> None:
    """It was killed while it stood still in the vfork: nothing of its session ends, but the command."""
    at = tmp_path / "at"
    os.mkfifo(at)
    with subprocess.Popen([sys.executable, "-c", DIES, str(at)], start_new_session=True, cwd=ROOT) as session:
        pids = [int(word) for word in at.read_text().split()]
        await_end(pids[0])
        await_end(pids[1])
        assert session.poll() is None
        session.kill()


@by_vfork
def test_nobody_else_ends(hidden: Callable[[str], tuple[int, int]], tmp_path: Path) -> None:
    """…though he begins in that very moment, and the command has ended: as one that has become a daemon."""
    other = tmp_path / "other"
    os.mkfifo(other)
    says = f"""import os, time
os.fork() and os._exit(0)
os.setsid()
open('{other}', 'w').write(str(os.getpid()))
time.sleep(300)"""
    with subprocess.Popen([sys.executable, "-c", says]):
        pid = int(other.read_text())
    _, known = hidden("echo $$ >$at; exit")
    await_end(known)
    assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    os.kill(pid, signal.SIGKILL)


@by_vfork
def test_the_mark_is_taken_away() -> None:
    """A command finds the limits as the user has them; that one is not told by most shells."""
    host = Host(Rounds())
    try:
        command = host.begin("sleep", "300")
        assert who_has(mark_of(command._token)) == []
        assert resource.prlimit(command.pid, resource.RLIMIT_RTTIME) == resource.getrlimit(resource.RLIMIT_RTTIME)
        command.kill()
        host.until_it_ended()
    finally:
        host.close()


def test_where_no_mark_can_be_set_it_is_started_by_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refused)
    host = Host(Rounds())
    try:
        host.begin("echo", "here")
        host.until_it_ended()
        assert host.text() == b"here\n"
    finally:
        host.close()
