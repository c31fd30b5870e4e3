"""The command's keeper: when the agent is killed, which it can't help, its command ends all the same."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mpboot.net.outlet import Outlet
from mpboot.node import keeper
from mpboot.node.command import Command
from tests.node.commanding import JOB, Host, program
from tests.node.played import Rounds, await_end, open_files

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
                keeper.KILL_AFTER = kill_after
                if descriptors:
                    limit = 1 + max(int(one.split()[0]) for one in open_files())
                    os.closerange(tell + 1, limit)
                    resource.setrlimit(resource.RLIMIT_NOFILE, (tell + 1 + descriptors,) * 2)
                loop = Rounds()
                made = program(["/bin/sh", "-c", command])
                ours = Command(loop, Outlet(lambda *_: None), 7, JOB, made, *NOBODY)
                loop.until(lambda: ours.pid)
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


def test_nothing_is_left_of_a_command_whose_keeper_is_killed(loop: Rounds) -> None:
    host = Host(loop)
    before, children = open_files(), psutil.Process().children()
    command = host.run("sleep 300; sleep 300")
    (keeper,) = [one for one in psutil.Process().children() if one not in children]
    keeper.kill()
    host.until_it_ended()
    await_end(command.pid)
    assert (host.codes, command.running) == ([None], False)
    command.give_up()
    assert not set(psutil.Process().children()) - set(children)
    assert open_files() == before
