"""A push on a terminal: a line says how far it is, and goes when it is over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kept import kept
from tests.support.terminal import Terminal


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
