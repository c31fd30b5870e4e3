"""Where commands run, for their tests."""

from __future__ import annotations

import os
import signal

from mpboot.net.loop import READ
from mpboot.net.outlet import STDOUT, Outlet, unpack_out
from mpboot.node.command import Command
from tests.node.played import Rounds


class Host:
    """Where commands run: their output within its credit, their exit codes, and SIGCHLD as an agent has it."""

    def __init__(self, loop: Rounds) -> None:
        self.loop = loop
        self.sent: list[tuple[int, int, bytes]] = []
        self.codes: list[int | None] = []
        self.outlet = Outlet(lambda _, body: self.sent.append(unpack_out(body)))
        self.notes: list[tuple[str, str]] = []
        self.command: Command | None = None
        self.told, self._tell = os.pipe()
        os.set_blocking(self._tell, False)
        self._before = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        loop.watch(self.told, READ, lambda _: self._signalled())

    def _signalled(self) -> None:
        os.read(self.told, 100)
        if self.command is not None:
            self.command.child_ended()

    def run(self, *argv: str, **environment: str) -> Command:
        """Start a command; one word is a shell's."""
        words = list(argv) if len(argv) > 1 else ["/bin/sh", "-c", *argv]
        self.command = Command(self.loop, self.outlet, 7, words, environment, self.codes.append, self._note)
        return self.command

    def _note(self, what: str, text: str) -> None:
        self.notes.append((what, text))

    def text(self, stream: int = STDOUT) -> bytes:
        """What came of a stream."""
        return b"".join(text for _, one, text in self.sent if one == stream)

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
            try:
                os.waitpid(self.command.pid, 0)
            except ChildProcessError:
                pass
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, self._before)
        for fd in (self.told, self._tell):
            os.close(fd)
