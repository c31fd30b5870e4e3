"""An agent that runs in a process of its own, forked from the test, which plays its parent."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mpboot.net import wire
from mpboot.net.commands import Exit
from mpboot.node import agent as module
from mpboot.node import bundle, leaf
from tests.node.played import Far, Message, Rounds, config


class Store:
    """What an agent has of modules: those of this checkout. CODE that comes is run, as Python's source."""

    def __init__(self) -> None:
        self.bundles = {name: bundle.pack(name) for name in ("agent", "parent")}

    def add(self, code: bytes) -> None:
        exec(code, {"store": self})


class Running:
    """The agent's process, and the test's end of the line to it."""

    def __init__(self, loop: Rounds, said: Path, received: list[Message], about: dict[str, Any]) -> None:
        self.loop = loop
        self._said = said
        self._code: int | None = None
        ours, theirs = socket.socketpair()
        is_root = about.pop("is_root", False)
        told = config(theirs.fileno() if is_root else None, **about)
        told.kit = bundle.kit()
        self.pid = os.fork()
        if not self.pid:
            self._be(told, theirs.detach(), received)
        theirs.close()
        self.parent = Far(loop, ours)

    def _be(self, told: wire.AgentConfig, fd: int, received: list[Message]) -> None:
        try:
            os.dup2(os.open(self._said, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), 2)
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
            for one in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
                if one > 2 and one != fd:
                    try:
                        os.close(one)
                    except OSError:
                        continue  # it was for the list itself
            line, more = leaf.shake_hands(told, fd, fd)
            module.Agent(line, told, Store()).run([*received, *more])
        finally:
            os._exit(99)

    def hears(self, kind: int, count: int = 1) -> list[bytes]:
        """The bodies of what it says of a kind, once there are so many."""
        self.loop.until(lambda: len(self.parent.bodies(kind)) >= count or self.parent.lost)
        bodies = self.parent.bodies(kind)
        assert len(bodies) >= count, f"it has closed the line: {self.said}"
        return bodies

    def exits(self) -> list[tuple[int, int, int | None, int]]:
        """The ends of commands that it tells, once there is one: rank, job, exit code, mpboot's signal."""
        (body,) = self.hears(wire.EXIT)
        return [(one.rank, one.job, one.code, one.signal) for one in Exit.unpack_all(body)]

    def asked(self, *messages: Message) -> list[Message]:
        """What it answers to these."""
        self.parent.heard.clear()
        for message in messages:
            self.parent.say(*message)
        self.parent.say(wire.PING)
        self.hears(wire.PONG)
        assert self.parent.kinds[-1] == wire.PONG
        return self.parent.heard[:-1]

    def children(self) -> list[psutil.Process]:
        """Its processes that have not ended: the commands, and their guard."""
        found = psutil.Process(self.pid).children()
        return [one for one in found if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    def guard(self) -> psutil.Process:
        """The guard of its commands: what is still the agent's own program once the commands are theirs."""
        program = psutil.Process(self.pid).exe()
        found: list[psutil.Process] = []

        def one_is() -> bool:
            found[:] = [one for one in self.children() if one.exe() == program]
            return len(found) == 1

        self.loop.look_until(one_is)
        return found[0]

    @property
    def said(self) -> str:
        """What it has written to stderr."""
        return self._said.read_text()

    def ends(self) -> int:
        """Its exit code, when it has ended."""
        if self._code is None:
            self.loop.until(lambda: self.parent.lost)
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def reaped(self) -> None:
        """The test has seen its end itself."""
        self._code = 0

    def close(self) -> None:
        """End it, however it is."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.parent.close()


Start = Callable[..., Running]


@pytest.fixture
def agent(loop: Rounds, tmp_path: Path) -> Iterator[Start]:
    """Starts an agent that has ``received`` this, and is told the rest."""
    made: list[Running] = []

    def start(received: list[Message] | None = None, **about: Any) -> Running:
        made.append(Running(loop, tmp_path / f"said.{len(made)}", received or [], about))
        return made[-1]

    yield start
    for one in made:
        one.close()
