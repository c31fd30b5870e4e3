"""The commands' output, line by line: labels and colours, whose end was cut."""

from __future__ import annotations

from typing import Any

import pytest

from mpboot.cli.output import COLOURS, Labels, Lines
from tests.cli.fakes import FakeSink, UnreadSink


@pytest.fixture(autouse=True)
def _coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


class TestLabels:
    def test_each_host_has_its_colour(self) -> None:
        labels = Labels()
        first, second, again = (labels.coloured(host, b"x") for host in ("a", "b", "a"))
        assert first == again == b"\x1b[36ma:\x1b[0m x\n"
        assert second == b"\x1b[32mb:\x1b[0m x\n"

    def test_colours_come_again_when_there_are_no_more(self) -> None:
        labels = Labels()
        made = [labels.coloured(f"h{number}", b"")[:5] for number in range(len(COLOURS) + 1)]
        assert made[0] == made[-1]
        assert len(set(made)) == len(COLOURS)

    def test_without_colours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        assert Labels().coloured("a", b"x") == b"a: x\n"

    def test_colours_of_the_output_end_with_the_line(self) -> None:
        assert Labels().coloured("a", b"\x1b[31mx").endswith(b" \x1b[31mx\x1b[0m\n")


def lines(out: FakeSink, err: FakeSink, *hosts: str) -> Any:
    made: Any = Lines
    return made(out, err, hosts)


class TestLines:
    def test_a_part_of_a_line_is_one(self) -> None:
        shown = lines(out := FakeSink(), err := FakeSink())
        shown.line("h1", 1, b"\xff\x00", whole=False)
        shown.line("h1", 2, b"oops")
        assert (out.text, err.text) == (b"h1: \xff\x00\n", b"h1: oops\n")
        assert shown.finish() == []

    def test_a_label_that_no_encoding_has(self) -> None:
        lines(out := FakeSink(), FakeSink()).line("h\udcff", 1, b"x")
        assert out.text == b"h\\udcff: x\n"

    def test_the_display_is_not_cleared_for_a_file(self) -> None:
        shown = lines(FakeSink(), FakeSink(is_terminal=True))
        shown._out.is_pipe = False
        calls: list[str] = []
        shown.clear = lambda: calls.append("clear")
        shown.line("h1", 1, b"x")
        assert calls == []
        shown.line("h1", 2, b"x")
        assert calls == ["clear"]

    @pytest.mark.parametrize("terminal", [False, True])
    def test_whose_output_was_not_read_in_time(self, terminal: bool) -> None:
        shown = lines(out := UnreadSink(), FakeSink(), "h1", "h2", "h3")
        out.is_terminal = terminal
        for host in ("h1", "h2", "stranger", "h3", "h2"):
            shown.line(host, 1, b"x")
        out.room = out.text.index(b"\n") + 1
        assert shown.finish(0.5) == ["h2", "h3"]

    def test_what_waits_in_either_sink_makes_it_full(self) -> None:
        shown = lines(out := FakeSink(), err := FakeSink())
        assert not shown.full
        err.pending = 1
        assert shown.full
        err.pending, out.pending = 0, 1
        assert shown.full
