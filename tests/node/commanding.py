"""Where commands run, for their tests."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence

from mpboot.net.outlet import STDOUT, Outlet, unpack_out
from mpboot.node.command import Command
from mpboot.node.keeper import Program
from tests.node.played import Rounds, await_end

JOB = 3


def program(argv: Sequence[str], ignored: Sequence[int] = (), **environment: str) -> Program:
    """A program with these words and variables, as an agent has it."""
    return Program(argv, environment, os.urandom(8).hex(), "host7", ignored)


def has_ended(command: Command) -> None:
    """Wait until its process is dead, and the keeper has said so."""
    await_end(command.pid)
    if not command._exited and command._kept is not None:
        select.select([command._kept.fd], [], [])


class Host:
    """Where commands run: their output within its credit, their exit codes."""

    def __init__(self, loop: Rounds) -> None:
        self.loop = loop
        self.sent: list[tuple[int, int, int, bytes]] = []
        self.codes: list[int | None] = []
        self.outlet = Outlet(lambda _, body: self.sent.append(unpack_out(body)))
        self.notes: list[tuple[str, str]] = []
        self.command: Command | None = None

    def begin(self, *argv: str, ignored: Sequence[int] = (), **environment: str) -> Command:
        """Have a command started; one word is a shell's."""
        words = list(argv) if len(argv) > 1 else ["/bin/sh", "-c", *argv]
        made = program(words, ignored, **environment)
        self.command = Command(self.loop, self.outlet, 7, JOB, made, self.codes.append, self._note)
        return self.command

    def run(self, *argv: str, ignored: Sequence[int] = (), **environment: str) -> Command:
        """The same, and wait until it is known to have begun, or why it can't."""
        command = self.begin(*argv, ignored=ignored, **environment)
        self.loop.until(lambda: command.pid or self.codes)
        return command

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
