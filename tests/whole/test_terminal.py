"""The real command on a terminal: the display, output beside it, Ctrl-C; and a terminal that can do nothing."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest

from tests.support.run_mpboot import LOCAL, LOGIN, Running, script


class Terminal:
    """A terminal of 80 columns, on whose other side a person looks at the screen and types."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.screen = pyte.Screen(80, 24)
        self.stream = pyte.ByteStream(self.screen)
        self.seen = b""

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

    def lines(self) -> list[str]:
        """What the screen shows."""
        return [line.rstrip() for line in self.screen.display if line.strip()]


class TestTerminal:
    @pytest.fixture
    def terminal(self) -> Iterator[Terminal]:
        made = Terminal()
        yield made
        os.close(made.master)

    def start(self, terminal: Terminal, *arguments: str, **variables: str) -> Running:
        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        slave = terminal.slave
        run = Running(
            *arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=take_terminal,
            variables=variables,
        )
        os.close(slave)
        return run

    def test_display_then_ctrl_c(self, terminal: Terminal, tmp_path: Path) -> None:
        rsh = script(
            tmp_path / "rsh",
            f"case $host in h1) exec sleep 99;; h2) echo 'Permission denied' >&2; exit 255;; esac; {LOGIN}",
        )
        arguments = ("--hosts", "h[1-4]", "--rsh", rsh, "--retries", "0", "--", "echo", "hello from here")
        with self.start(terminal, *arguments) as run:
            terminal.until("2/4 up  1 launching  1 failed")
            terminal.until("h2 failed: auth: Permission denied")
            terminal.until("h3: hello from here")
            terminal.until("h4: hello from here")
            os.write(terminal.master, b"\x03")
            while terminal.look(10):
                continue
            assert run.end() == 130
        shown = terminal.lines()
        assert sorted(line for line in shown if "hello" in line) == ["h3: hello from here", "h4: hello from here"]
        assert not any("launching" in line for line in shown), shown
        assert any(line.startswith("mpboot: interrupted: 2 of 4 hosts up") for line in shown)

    def test_fast_output_and_the_display_together(self, terminal: Terminal) -> None:
        with self.start(terminal, "--hosts", "h[1-3]", *LOCAL, "--", "seq", "500") as run:
            while terminal.look(10):
                continue
            assert run.end() == 0
        shown = terminal.lines()
        assert shown[-1].startswith("mpboot: 3 of 3 hosts up in")
        assert all(line.split()[0] in ("h1:", "h2:", "h3:") for line in shown[:-1])
        assert b"\x1b[36mh" in terminal.seen

    def test_dumb_terminal_gets_plain_lines(self, terminal: Terminal) -> None:
        with self.start(terminal, "--hosts", "h1", *LOCAL, "--", "echo", "x", TERM="dumb", NO_COLOR="1") as run:
            while terminal.look(10):
                continue
            assert run.end() == 0
        assert terminal.lines()[-1].startswith("mpboot: 1 of 1 host up")
        assert b"\x1b" not in terminal.seen
