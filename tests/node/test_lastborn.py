"""A guard finds the command that its agent began last, where the agent was killed before it could tell which it is."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mpboot.node import guard
from mpboot.node.guard import Guard
from tests.node.commanding import Host, by_vfork
from tests.node.played import Rounds, await_end


def test_one_whose_output_is_known() -> None:
    """The agent was killed between the two: the program has the pipe of its output; it may hide its environment."""
    token = b"t" * guard.TOKEN
    reads, output = os.pipe()
    agent = os.fork()
    if not agent:
        try:
            guard.KILL_AFTER = 0.1
            known = Guard()
            known.begins()
            known.expects(token, output)
            os.close(output)
            os.kill(os.getpid(), signal.SIGSTOP)
        finally:
            os._exit(1)
    os.waitpid(agent, os.WUNTRACED)
    with subprocess.Popen(["sleep", "300"], env={}, start_new_session=True, stdout=output) as program:
        os.close(output)
        os.kill(agent, signal.SIGKILL)
        os.waitpid(agent, 0)
        assert program.wait(10) == -signal.SIGTERM
    os.close(reads)


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
@pytest.mark.parametrize("then", ["echo $$ >$at; exec sleep 300", "sleep 300 & echo $! >$at"])
def test_one_that_nothing_names(hidden: Callable[[str], tuple[int, int]], then: str) -> None:
    await_end(hidden(then)[0])


@by_vfork
def test_nobody_ends_where_it_might_be_another(hidden: Callable[[str], tuple[int, int]]) -> None:
    """Somebody else began in that very moment, and has no parent any more."""
    says = "echo $$ >&3; exec 3>&-; exec sleep 300"
    pid, known = hidden(f"exec 3>$at; (setsid sh -c '{says}' &); {says}")
    await_end(known)
    assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
