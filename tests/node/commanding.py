"""Where commands run, for their tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence

from mpboot.net.loop import READ
from mpboot.net.outlet import STDOUT, Outlet, unpack_out
from mpboot.node.command import Command
from mpboot.node.guard import Guard
from mpboot.node.program import Program, keep_to_ourselves
from tests.node.played import Rounds, await_end

JOB = 3


def program(argv: Sequence[str], ignored: Sequence[int] = (), cwd: str = "", **environment: str) -> Program:
    """A program with these words and variables, as an agent has it."""
    return Program(argv, list(environment.items()), "host7", ignored, cwd)


def has_ended(command: Command) -> None:
    """Wait until its process is dead."""
    await_end(command.pid)


class Children:
    """Calls ``changed`` in the loop whenever a child of this process has changed, as an agent does."""

    def __init__(self, loop: Rounds) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._loop = loop
        self._read, self._write = os.pipe()
        for fd in (self._read, self._write):
            os.set_blocking(fd, False)
        self._handler = signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wakeup = signal.set_wakeup_fd(self._write)
        loop.watch(self._read, READ, lambda _: self._look())

    def _look(self) -> None:
        os.read(self._read, 256)
        self.changed()

    def close(self) -> None:
        """All is as it was."""
        self._loop.forget(self._read)
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGCHLD, self._handler)
        os.close(self._read)
        os.close(self._write)


class Host:
    """Where commands run: their output within its credit, their exit codes."""

    def __init__(self, loop: Rounds) -> None:
        self.loop = loop
        self.sent: list[tuple[int, int, int, bytes]] = []
        self.codes: list[int | None] = []
        self.outlet = Outlet(lambda _, body: self.sent.append(unpack_out(body)))
        self.notes: list[tuple[str, str]] = []
        self.command: Command | None = None
        self.guard = Guard()
        keep_to_ourselves()
        self._children = Children(loop)
        self._children.changed = self._changed
        self.outlet.eased = lambda: self.command.watch_streams() if self.command is not None else None

    def _changed(self) -> None:
        if self.command is not None:
            self.command.child_changed()
        self.guard.look()

    def begin(
        self, *argv: str, ignored: Sequence[int] = (), cwd: str = "", stdin: int | None = None, **environment: str
    ) -> Command:
        """Have a command started; one word is a shell's."""
        words = list(argv) if len(argv) > 1 else ["/bin/sh", "-c", *argv]
        made = program(words, ignored, cwd, **environment)
        self.command = Command(self.loop, self.outlet, 7, JOB, made, self.guard, self.codes.append, self._note, stdin)
        return self.command

    run = begin

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

    def close(self) -> None:
        """End all of it."""
        if self.command is not None:
            self.command.kill()
            self.command.give_up()
            self.command.close()
        self.guard.close()
        self._children.close()
