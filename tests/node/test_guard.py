"""The guard of commands: when the agent is killed, which it can't help, they end all the same."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mpboot.net.outlet import Outlet
from mpboot.node import guard
from mpboot.node.command import Command
from tests.node.commanding import JOB, program
from tests.node.played import Rounds, await_end, open_files
from tests.support.waiting import until

NOBODY: tuple[Callable[[int | None], None], Callable[[str, str], None]] = (lambda _: None, lambda *_: None)


@pytest.fixture
def agent() -> Iterator[Callable[..., tuple[int, int]]]:
    """Starts an agent with a command; the pids of both, 0 where it has ended. The agent does nothing else."""
    agents = []

    def start(command: str, kill_after: float = 0.1, descriptors: int = 0) -> tuple[int, int]:
        told, tell = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.close(told)
                guard.KILL_AFTER = kill_after
                if descriptors:
                    limit = 1 + max(int(one.split()[0]) for one in open_files())
                    os.closerange(tell + 1, limit)
                    resource.setrlimit(resource.RLIMIT_NOFILE, (tell + 1 + descriptors,) * 2)
                loop = Rounds()
                made = program(["/bin/sh", "-c", command])
                ours = Command(loop, Outlet(lambda *_: None), 7, JOB, made, guard.Guard(), *NOBODY)
                os.write(tell, b"%d\n" % ours.pid)
                signal.pause()
            finally:
                os._exit(1)
        os.close(tell)
        agents.append(pid)
        said = os.read(told, 10)
        os.close(told)
        return pid, int(said or 0)

    yield start
    for pid in agents:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.parametrize("heeds", ["", "trap '' TERM;", "setsid sh -c 'trap \"\" TERM; sleep 300' & "])
def test_when_the_agent_is_killed_the_command_ends(
    agent: Callable[..., tuple[int, int]], heeds: str, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    pid, command = agent(f"{heeds} echo >{ready}; sleep 300; sleep 300")
    ready.read_text()
    below = psutil.Process(command).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    for one in [command, *(process.pid for process in below)]:
        await_end(one)


def test_when_the_agent_is_killed_the_command_is_asked_first(
    agent: Callable[..., tuple[int, int]], tmp_path: Path
) -> None:
    ready, said = tmp_path / "ready", tmp_path / "said"
    os.mkfifo(ready)
    asked = f"exec 2>/dev/null; trap 'echo asked >{said}; exit' TERM; echo >{ready}; while :; do sleep 0.01; done"
    pid, command = agent(asked, kill_after=5.0)
    ready.read_text()
    os.kill(pid, signal.SIGKILL)
    await_end(command)
    assert said.read_text() == "asked\n"


def test_with_few_descriptors_a_command_is_kept_or_not_begun(agent: Callable[..., tuple[int, int]]) -> None:
    begun = []
    for descriptors in range(1, 12):
        pid, command = agent("sleep 300; sleep 300", descriptors=descriptors)
        if command:
            begun.append(descriptors)
            os.kill(pid, signal.SIGKILL)
            await_end(command)
    assert begun
    assert begun == list(range(begun[0], 12))


def test_of_several_those_that_run_end_and_what_the_others_have_left_stays() -> None:
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            ours = guard.Guard()
            programs = [program(["/bin/sh", "-c", "exec sleep 300"]) for _ in range(3)]
            pids = [one.start(ours, 0)[0] for one in programs]
            os.waitpid(program(["/bin/sh", "-c", "exec true"]).start(ours, 0)[0], 0)
            ours.ended(programs[1].token)
            os.write(tell, b" ".join(b"%d" % one for one in pids))
            signal.pause()
        finally:
            os._exit(1)
    os.close(tell)
    first, stays, last = map(int, os.read(told, 100).split())
    os.close(told)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for one in (first, last):
        await_end(one)
    assert psutil.Process(stays).name() == "sleep"
    os.kill(stays, signal.SIGKILL)


def test_a_guard_that_has_been_told_much_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_TOLD", 4)
    before, files = set(psutil.Process().children()), open_files()
    ours = guard.Guard()
    guards = set()
    for _ in range(6):
        made = program(["/bin/sh", "-c", "exit 3"])
        pid, *streams = made.start(ours, 0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
        for fd in streams:
            os.close(fd)
        ours.ended(made.token)
        guards.update(set(psutil.Process().children()) - before)
    assert len(guards) == 3
    ours.close()
    assert (set(psutil.Process().children()), open_files()) == (before, files)


def test_the_guard_holds_nothing_of_the_agent_s() -> None:
    before = set(psutil.Process().children())
    ours = guard.Guard()
    ours.begins()
    (one,) = set(psutil.Process().children()) - before
    until(lambda: one.num_fds() == 2)  # to hear of the agent's death, and of commands
    assert os.getsid(one.pid) == one.pid
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        one.send_signal(number)
    assert one.is_running()
    ours.close()
