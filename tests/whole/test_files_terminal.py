"""A push on a terminal: a line says how far it is, and goes when it is over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.kept import kept
from tests.support.terminal import Terminal
from tests.support.waiting import until


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    os.close(made.master)


@pytest.mark.long
def test_a_line_says_how_far_it_is(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (30 << 20))
    with kept("h[1-3]") as user:
        agent = user.nodes()["h3"]["pid"]
        os.kill(agent, signal.SIGSTOP)
        push = user.start("push", str(tmp_path / "big"), f"{tmp_path}/there", stderr=terminal.slave)
        os.close(terminal.slave)
        terminal.until("mpboot: push: 2 of 3 hosts, ")
        assert b" of 94.4 MB, " in terminal.seen
        os.kill(agent, signal.SIGCONT)
        terminal.until("mpboot: 3 of 3 hosts done, 31.5 MB in ")
        assert push.wait(20) == 0
        assert not any("push: " in line for line in terminal.screen.display)


@pytest.mark.long
def test_the_line_goes_when_the_push_is_stopped(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (30 << 20))
    with kept("h[1-3]") as user:
        agent = user.nodes()["h3"]["pid"]
        os.kill(agent, signal.SIGSTOP)
        # In a group of its own, as a shell has it: the kernel stops nobody whose group is an orphan.
        push = user.start(
            "push", str(tmp_path / "big"), f"{tmp_path}/there", stderr=terminal.slave, preexec_fn=os.setpgrp
        )  # fmt: skip
        terminal.until("mpboot: push: 2 of 3 hosts, ")
        os.kill(push.pid, signal.SIGTSTP)
        until(lambda: psutil.Process(push.pid).status() == psutil.STATUS_STOPPED)
        os.write(terminal.slave, b"the shell\r\n")
        terminal.until("the shell")
        assert not any("push: " in line for line in terminal.screen.display)
        os.close(terminal.slave)
        for pid in (push.pid, agent):
            os.kill(pid, signal.SIGCONT)
        terminal.until("mpboot: 3 of 3 hosts done, 31.5 MB in ")
        assert push.wait(20) == 0
