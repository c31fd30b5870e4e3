"""The guard of commands: when the agent is killed, which it can't help, its commands end all the same."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mpboot.node import guard
from tests.node.commanding import Host, has_ended
from tests.node.played import Rounds, await_end, open_files
from tests.support.waiting import until


@pytest.fixture
def agent() -> Iterator[Callable[..., tuple[int, int]]]:
    """Starts an agent with a command; the pids of both, 0 where it has ended. The agent does nothing else."""
    agents = []

    def start(*commands: str, kill_after: float = 0.1, descriptors: int = 0) -> tuple[int, int]:
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
                host = Host(Rounds())
                pids = [host.begin(command).pid for command in commands]
                os.write(tell, b"%d\n" % pids[0])
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


@pytest.mark.long
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


def test_all_that_run_end_and_nothing_else_does(agent: Callable[..., tuple[int, int]], tmp_path: Path) -> None:
    """…though one of them has ended long before: its number may be another's."""
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    waits = f"echo $$ >{ready}; exec sleep 300"
    pid, _ = agent("exit 0", waits, waits)
    with os.fdopen(os.open(ready, os.O_RDWR)) as heard:  # kept open: who writes when nobody reads gets SIGPIPE
        known = {int(heard.readline()) for _ in range(2)}
    os.kill(pid, signal.SIGKILL)
    for one in known:
        await_end(one)


@pytest.fixture
def host(loop: Rounds) -> Iterator[Host]:
    made = Host(loop)
    yield made
    made.close()


def test_it_holds_nothing_of_the_agent_s(host: Host) -> None:
    host.run("exec sleep 300")
    (process,) = host.guards
    until(lambda: process.num_fds() == 2)  # to hear of the agent's death, and of commands
    assert os.getsid(process.pid) == process.pid
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process.send_signal(number)
    assert process.is_running()


def test_one_guard_for_all(host: Host) -> None:
    for _ in range(3):
        host.run("exec sleep 300")
    (process,) = host.guards
    assert {one.pid for one in psutil.Process().children()} >= {process.pid, *(one.pid for one in host.commands)}
    host.run("true")
    assert host.guards == [process]


def test_a_guard_that_is_killed_is_replaced_and_no_command_ends(host: Host) -> None:
    before, children = open_files(), set(psutil.Process().children())
    command = host.run("trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done")
    host.until_it_says(b"ready")
    (first,) = host.guards
    first.kill()
    host.loop.until(lambda: host.guards != [first])
    assert (len(host.guards), host.codes, command.running) == (1, [], True)
    os.kill(command.pid, signal.SIGUSR1)
    host.until_it_ended()
    assert host.codes == [9]
    host.end_all()
    assert set(psutil.Process().children()) == children
    assert open_files() == before


def test_who_begins_while_the_guard_is_dead_runs_and_is_guarded_later(host: Host) -> None:
    host.run("exec sleep 300")
    (first,) = host.guards
    first.kill()
    await_end(first.pid)
    host.run("exit 4")
    host.until_it_ended()
    assert host.codes == [4]
    assert len(host.guards) == 1
    assert host.guards != [first]


def test_one_that_is_killed_while_nothing_runs_is_not_missed(host: Host) -> None:
    command = host.run("true")
    host.until_it_ended()
    command.close()
    (first,) = host.guards
    first.kill()
    host.loop.until(lambda: not host.guards)
    host.codes.clear()
    host.run("exit 4")
    host.until_it_ended()
    assert (host.codes, len(host.guards)) == ([4], 1)


def test_before_its_pipe_is_full_another_takes_its_place(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_TOLD", 4)
    seen = []
    for _ in range(5):
        command = host.run("true")
        seen.append(host.guards[0].pid)
        has_ended(command)
        host.loop.until(lambda: host.codes)
        host.codes.clear()
        command.close()
    assert len(set(seen)) == 3  # two commands each: that it begins, and that it has ended
    assert len(host.guards) == 1


def test_what_it_is_told_fits_into_a_pipe() -> None:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    written = os.write(writes, bytes(1 << 20))
    os.close(reads)
    os.close(writes)
    assert written >= (guard.MOST_TOLD + 1) * guard.TOLD


def test_who_has_ended_is_not_ended_again() -> None:
    """What the guard was told of a command's end counts, and a word that is cut does not."""
    told, tell = os.pipe()
    first, second, third = (bytes([number]) * guard.TOKEN for number in (1, 2, 3))
    os.write(tell, guard._packed(first, 11, 5) + guard._packed(second, 12, 6))
    os.write(tell, guard._packed(first, 0, 0) + guard._packed(third, 13, 7)[:-1])
    known = {b"k" * guard.TOKEN: (10, 4)}
    assert guard._still_running(told, known) == {**known, second: (12, 6)}
    os.close(tell)
    os.close(told)
