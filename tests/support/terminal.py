"""A terminal: a person looks at its screen and types, and on the other side runs the real command."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from typing import Any

import pyte

from tests.support.run_mpboot import Running


class Terminal:
    """A pseudo-terminal, and the screen (pyte's) that shows what it got. One of 0 columns has no size of its own."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self.master, self.slave = pty.openpty()
        self.screen = pyte.Screen(columns or 80, lines or 24)
        self.stream = pyte.ByteStream(self.screen)
        self.seen = b""
        self._tell_size(columns, lines)

    def resize(self, columns: int, lines: int) -> None:
        """The window has another size: who is in front gets SIGWINCH from the kernel."""
        self.screen.resize(lines, columns)
        self._tell_size(columns, lines)

    def start(self, *arguments: str, variables: dict[str, str] | None = None) -> Running:
        """Start the command, whose terminal this is."""
        run = Running(*arguments, variables=variables or {}, **self._ours())
        os.close(self.slave)
        return run

    def run(self, argv: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start any program, such as a shell in which the command is typed."""
        program: subprocess.Popen[bytes] = subprocess.Popen(argv, env=env, **self._ours())
        os.close(self.slave)
        return program

    def _ours(self) -> dict[str, Any]:
        """What makes this the terminal that controls a process."""

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        descriptors = dict.fromkeys(("stdin", "stdout", "stderr"), self.slave)
        return {**descriptors, "start_new_session": True, "preexec_fn": take_terminal}

    def type(self, text: str) -> None:
        """As a person does."""
        os.write(self.master, text.encode())

    def look(self, seconds: float) -> bool:
        """Read what comes; False when the program has closed the terminal."""
        if not select.select([self.master], [], [], seconds)[0]:
            raise AssertionError(f"nothing more came: {self.screen.display}")
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return False
        self.seen += data
        self.stream.feed(data)
        return bool(data)

    def until(self, text: str) -> None:
        """Look until a line of the screen has a text."""
        while not any(text in line for line in self.screen.display):
            assert self.look(10), self.screen.display

    def until_closed(self) -> None:
        """Look until the program has closed the terminal."""
        while self.look(10):
            pass

    def lines(self) -> list[str]:
        """What the screen shows."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def close(self) -> None:
        """The window is closed."""
        os.close(self.master)

    def _tell_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
