"""Ctrl-C at a shell ends its loop as well, as with any program; whoever is no shell gets the exit code."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import refuse
from tests.support.run_mpboot import MPBOOT, environment
from tests.support.terminal import Terminal

HOLDS = shlex.join([*MPBOOT, "--hosts", "h1", "--rsh", "local", "--", "sh", "-c", "echo here; sleep 983"])


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "ksh", "mksh"])
def test_a_loop_ends(terminal: Terminal, shell: str) -> None:
    if shutil.which(shell) is None:
        refuse("shells", f"{shell} is not installed")
    loop = f"for turn in 1 2 3; do echo turn-$turn; {HOLDS}; done; echo on"
    with terminal.run([shell, "-c", loop], environment()) as program:
        terminal.until("h1: here")
        terminal.type("\x03")
        terminal.until_closed()
        assert program.wait(10) == -2
    shown = terminal.lines()
    assert "turn-1" in shown
    assert not {"turn-2", "on"} & {*shown}
    assert any(line.startswith("mpboot: exit 130") for line in shown)


def test_another_program_gets_the_exit_code(terminal: Terminal, tmp_path: Path) -> None:
    asks = tmp_path / "asks.py"
    asks.write_text(
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "reset = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "print('code', subprocess.run(sys.argv[1:], preexec_fn=reset).returncode)\n"
    )
    with terminal.run([sys.executable, str(asks), *shlex.split(HOLDS)], environment()) as program:
        terminal.until("h1: here")
        terminal.type("\x03")
        terminal.until_closed()
        assert program.wait(10) == 0
    assert "code 130" in terminal.lines()
