"""The real command on a terminal: the display, output beside it, Ctrl-C; and a terminal that can do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.run_mpboot import LOCAL, LOGIN, script
from tests.support.terminal import Terminal


class TestTerminal:
    @pytest.fixture
    def terminal(self) -> Iterator[Terminal]:
        made = Terminal()
        yield made
        made.close()

    def test_display_then_ctrl_c(self, terminal: Terminal, tmp_path: Path) -> None:
        rsh = script(
            tmp_path / "rsh",
            f"case $host in h1) exec sleep 99;; h2) echo 'Permission denied' >&2; exit 255;; esac; {LOGIN}",
        )
        arguments = ("--hosts", "h[1-4]", "--rsh", rsh, "--retries", "0", "--", "echo", "hello from here")
        with terminal.start(*arguments) as run:
            terminal.until("2/4 up  1 launching  1 failed")
            terminal.until("h2 failed: auth: Permission denied")
            terminal.until("h3: hello from here")
            terminal.until("h4: hello from here")
            terminal.type("\x03")
            terminal.until_closed()
            assert run.end() == 130
        shown = terminal.lines()
        assert sorted(line for line in shown if "hello" in line) == ["h3: hello from here", "h4: hello from here"]
        assert not any("launching" in line for line in shown), shown
        assert any(line.startswith("mpboot: interrupted: 2 of 4 hosts up") for line in shown)

    @pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
    def test_the_report_has_the_colours_of_its_causes(
        self, terminal: Terminal, tmp_path: Path, variables: dict[str, str]
    ) -> None:
        refused = "Connection refused by a machine whose name is too long for one line of a terminal of so few columns"
        rsh = script(tmp_path / "rsh", f"case $host in h1) echo '{refused}' >&2; exit 255;; esac; {LOGIN}")
        words = ("--hosts", "h[1-2]", "--rsh", rsh, "--retries", "0")
        with terminal.start(*words, variables=variables) as run:
            terminal.until_closed()
            assert run.end() == 1
        shown = terminal.lines()
        row = next(number for number, line in enumerate(terminal.screen.display) if line.startswith("refused  "))
        assert terminal.screen.buffer[row][0].fg == ("default" if variables else "red")
        assert {"columns", "terminal"} <= {word for line in shown for word in line.split()}, "cut between words"
        last = next(number for number, line in enumerate(terminal.screen.display) if "1 of 2 hosts up" in line)
        assert terminal.screen.buffer[last][len("mpboot: ")].fg == ("default" if variables else "brown")
        if variables:
            assert b"\x1b[3" not in terminal.seen

    def test_fast_output_and_the_display_together(self, terminal: Terminal) -> None:
        with terminal.start("--hosts", "h[1-3]", *LOCAL, "--", "seq", "500") as run:
            terminal.until_closed()
            assert run.end() == 0
        shown = terminal.lines()
        assert shown[-1].startswith("mpboot: 3 of 3 hosts up in")
        assert all(line.split()[0] in ("h1:", "h2:", "h3:") for line in shown[:-1])
        assert b"\x1b[36mh" in terminal.seen

    def test_dumb_terminal_gets_plain_lines(self, terminal: Terminal) -> None:
        with terminal.start(
            "--hosts", "h1", *LOCAL, "--", "echo", "x", variables={"TERM": "dumb", "NO_COLOR": "1"}
        ) as run:
            terminal.until_closed()
            assert run.end() == 0
        assert terminal.lines()[-1].startswith("mpboot: 1 of 1 host up")
        assert b"\x1b" not in terminal.seen
