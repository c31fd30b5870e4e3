"""Where commands run, for their tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import psutil

from mpboot.net.loop import READ
from mpboot.net.outlet import STDOUT, Outlet, unpack_out
from mpboot.node.command import Command
from mpboot.node.guard import Guard
from mpboot.node.program import Program, keep_to_ourselves
from mpboot.node.vfork import Vfork
from mpboot.workers.family import Census
from tests.node.played import Rounds, await_end

JOB = 3


def program(
    argv: Sequence[str], ignored: Sequence[int] = (), cwd: str = "", vfork: Vfork | None = None, **environment: str
) -> Program:
    """A program with these words and variables, as an agent has it."""
    return Program(argv, list(environment.items()), "host7", ignored, cwd, vfork)


def has_ended(command: Command) -> None:
    """Wait until its process is dead."""
    await_end(command.pid)


class Host:
    """Where commands run: their output within its credit, their exit codes."""

    def __init__(self, loop: Rounds) -> None:
        self.loop = loop
        self.sent: list[tuple[int, int, int, bytes]] = []
        self.codes: list[int | None] = []
        self.outlet = Outlet(lambda _, body: self.sent.append(unpack_out(body)))
        self.outlet.eased = self._eased
        self.notes: list[tuple[str, str]] = []
        self.guard = Guard()
        self.vfork: Vfork | None = Vfork()  # None: by a fork
        keep_to_ourselves()
        self.commands: list[Command] = []
        self.job = JOB
        self._wakes, self._wake = os.pipe()
        for fd in (self._wakes, self._wake):
            os.set_blocking(fd, False)
        self._before = signal.signal(signal.SIGCHLD, lambda *_: None), signal.set_wakeup_fd(self._wake)
        loop.watch(self._wakes, READ, lambda _: self._signalled())

    @property
    def command(self) -> Command | None:
        """The one that was begun last."""
        return self.commands[-1] if self.commands else None

    def begin(self, *argv: str, ignored: Sequence[int] = (), stdin: int | None = None, **about: str) -> Command:
        """Have a command started; one word is a shell's. ``about``: variables, or ``cwd``."""
        words = list(argv) if len(argv) > 1 else ["/bin/sh", "-c", *argv]
        made = program(words, ignored, vfork=self.vfork, **about)
        command = Command(
            self.loop, self.outlet, 7, self.job, made, self.guard, self.codes.append, self._note, Census, stdin
        )  # fmt: skip
        self.commands.append(command)
        return command

    run = begin

    @property
    def guards(self) -> list[psutil.Process]:
        """The guard's process, if there is one."""
        ours = {command.pid for command in self.commands}
        found = [one for one in psutil.Process().children() if one.pid not in ours]
        return [one for one in found if one.pid == self.guard._pid]

    def _signalled(self) -> None:
        os.read(self._wakes, 256)
        for command in self.commands:
            command.child_changed()
        self.guard.look()

    def _eased(self) -> None:
        for command in self.commands:
            command.watch_streams()

    def _note(self, what: str, text: str) -> None:
        self.notes.append((what, text))

    def text(self, stream: int = STDOUT) -> bytes:
        """What came of a stream."""
        return b"".join(text for _, _, one, text in self.sent if one == stream)

    def until_it_says(self, text: bytes) -> None:
        """Go on until the command has said this."""
        self.loop.until(lambda: text in self.text())

    def until_it_ended(self) -> None:
        """Go on until the end of the command was told."""
        self.loop.until(lambda: self.codes)

    def end_all(self) -> None:
        """End all commands, and the guard."""
        for command in self.commands:
            command.kill()
            command.give_up()
            command.close()
        self.commands.clear()
        self.guard.close()
        if self.vfork is not None:
            self.vfork.close()

    def close(self) -> None:
        """The same, and listen to no signal any more."""
        self.end_all()
        signal.set_wakeup_fd(self._before[1])
        signal.signal(signal.SIGCHLD, self._before[0])
        self.loop.forget(self._wakes)
        os.close(self._wakes)
        os.close(self._wake)
