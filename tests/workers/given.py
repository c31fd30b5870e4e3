"""What tests of workers are given: settings, orders, an rsh that is a small shell script, what comes through a pipe."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from select import POLLIN
from typing import Any

import psutil

from mpboot.net import work
from mpboot.net.loop import Loop
from mpboot.workers.commandline import rsh_words
from mpboot.workers.diagnosis import Evidence
from mpboot.workers.forker import Forked, ForkServer
from mpboot.workers.pipes import Results, ready

LONG = 20.0  # seconds; what takes longer will never come
MARK = "m=${2#*m=}; m=${m%%;*}"  # in an rsh: the marker of the launch
KIT = ("raise SystemExit(3)",)  # a payload whose agent ends at once
KEY = b"key of a launch."
WAY = ((-1, 2), (3, 4))  # rank and number of the nodes that handed a host on


def settings(rsh: str = "local", timeout: float = 30.0, probe: str = "none", **others: Any) -> work.LaunchSettings:
    """Settings of launches by ``rsh``."""
    values = {
        "attach": False, "port": 1, "ssh_options": [], "kit": KIT, "agents": (), "python": "python3",
        "is_root": True, **others,
    }  # fmt: skip
    return work.LaunchSettings(
        rsh, rsh_words(rsh), timeout, probe, values["attach"], values["port"], values["ssh_options"], [], [],
        values["kit"], values["agents"], values["python"], values["is_root"],
    )  # fmt: skip


def order(launch: int, name: str = "h", label: str = "") -> work.LaunchOrder:
    """An order to launch a host."""
    return work.LaunchOrder(launch, 7, name, None, None, label or name, KEY, WAY, None, None)


def script(directory: Path, lines: str, name: str = "rsh") -> str:
    """An rsh that runs these lines of shell: the command for the host is $2, and its stdin is the payload."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return str(path)


def next_result(forked: Forked) -> work.Started | work.Ended | work.NoFork:
    """What a worker says next."""
    assert ready(forked.results, POLLIN, LONG), "it says nothing"
    return work.worker_result(Results(forked.results).get())


def results(forked: Forked) -> list[work.Started | work.Ended | work.NoFork]:
    """What a worker says, to the end of its launch."""
    said = [next_result(forked)]
    while not isinstance(said[-1], work.Ended):
        said.append(next_result(forked))
    return said


def verdict(forked: Forked) -> work.Verdict:
    """How a worker's launch ended."""
    last = results(forked)[-1]
    assert isinstance(last, work.Ended)
    return last.verdict


class SteppedLoop(Loop):
    """A loop that goes round until something holds."""

    def until(self, done: Callable[[], object]) -> None:
        """Go round until ``done()``; what never comes is pytest-timeout's."""
        while not done():
            self._settle()
            self._turn()

    def at_rest(self) -> bool:
        """Is nothing watched, and no call due?"""
        return not self._watched and all(timer.call is None for timer in self._timers)


def descriptors() -> list[str]:
    """Those that this process has open."""
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def gone(pid: int) -> bool:
    """Has a process ended, or does it soon? Whether anybody has reaped it does not matter."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return True  # there is none any more, or (EINVAL) it is being reaped at this moment
    try:
        return ready(fd, POLLIN, LONG)
    finally:
        os.close(fd)


def end_session(shell: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a session, and all below it and in its session."""
    below = psutil.Process(shell.pid).children(recursive=True) if shell.poll() is None else []
    try:
        os.killpg(shell.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # all of it has ended
    for process in below:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue  # it was of the session as well
    shell.communicate(timeout=LONG)


def evidence(stderr: str = "", code: int | None = 255, rsh: str = "ssh") -> Evidence:
    """What is known of a launch of h005 that ended so."""
    made = Evidence(rsh, "h005")
    made.stderr = stderr
    made.exit_code = code
    made.seconds = 10.0
    return made


def learn_pids(server: ForkServer) -> None:
    """Have the server's answers read, each of which may come after the first words of what was forked."""
    server.read_pids()
    while server._asked and server._channel is not None:
        assert select.select([server._channel], [], [], LONG)[0]
        server.read_pids()
