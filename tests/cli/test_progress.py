"""What a person sees while a boot runs: plain lines, frames, output, and what the boot is asked for."""

from __future__ import annotations

from typing import Any

import pyte
import pytest

from mpboot.cli import progress as module
from mpboot.cli.output import Lines
from mpboot.cli.progress import Progress
from tests.cli.fakes import FakeBoot, FakeSink, failed, up


def progress(total: int = 4, terminal: bool = False, quiet: bool = False, command: tuple[str, ...] = ()) -> Any:
    out, err = FakeSink(terminal), FakeSink(terminal)
    boot = FakeBoot(total, command)
    made: Any = Progress(out, err, Lines(out, err), quiet, clock=lambda: boot.elapsed, width=79)  # type: ignore[arg-type]
    made.begin(boot)
    made.time = boot
    return made


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


class TestPlainLines:
    def test_at_most_one_a_second(self) -> None:
        shown = progress(100)
        for number in range(100):
            shown.time.elapsed = number * 0.03
            shown.launched(number + 1)
            shown.changed(f"h{number}", up())
        lines = shown.err.text.decode().splitlines()
        assert len(lines) == 2
        assert lines[0] == "mpboot: 34 of 100 up, 1 launching, 1.0 s"

    def test_each_failure_but_not_thousands(self) -> None:
        shown = progress(1000)
        for number in range(1000):
            shown.changed(f"h{number}", failed(detail="no\x1b[31m entry"))
        lines = shown.err.text.decode().splitlines()
        assert lines[0] == "mpboot: h0 failed: auth: no\\x1b[31m entry"
        assert len(lines) == 20

    def test_quiet(self) -> None:
        shown = progress(2, quiet=True)
        shown.time.elapsed = 5.0
        shown.launched(2)
        shown.changed("a", up())
        shown.changed("b", failed())
        shown.stopping("deadline")
        assert shown.err.text == b""
        assert shown.time.timers == []

    def test_the_command_of_a_booted_tree(self) -> None:
        shown = progress(2, command=("sleep", "9"))
        shown.changed("a", up())
        shown.changed("b", up())
        shown.time.elapsed = 2.0
        shown.booted()
        assert shown.err.text == b"mpboot: 2 of 2 up, the command has ended on 0, 2.0 s\n"
        shown.time.elapsed = 3.0
        shown.exited("a", 0)
        assert shown.err.text.endswith(b"mpboot: 2 of 2 up, the command has ended on 1, 3.0 s\n")

    def test_an_end_is_told_at_once(self) -> None:
        shown = progress(2)
        shown.time.elapsed = 0.1
        shown.stopping("deadline")
        assert shown.err.text == b"mpboot: 0 of 2 up, 0 launching, 0.1 s, deadline reached, ending\n"
        shown.changed("a", failed("deadline"))
        assert shown.err.text.count(b"\n") == 1

    def test_a_host_that_was_up_and_is_lost(self) -> None:
        shown = progress(1)
        shown.changed("a", up())
        shown.changed("a", failed("lost"))
        assert (shown.counts.up, shown.counts.failed) == (0, 1)

    def test_a_line_of_the_log(self) -> None:
        shown = progress()
        shown.log("h1: \x1b[2Jlaunched")
        assert shown.err.text == b"mpboot: h1: \\x1b[2Jlaunched\n"


class TestOutput:
    def test_is_bytes_with_the_host_in_front(self) -> None:
        shown = progress()
        shown.output("h1", 1, b"\xff\x00\x1b[31mraw")
        shown.output("h2", 2, b"oops")
        assert shown.out.text == b"h1: \xff\x00\x1b[31mraw\n"
        assert shown.err.text == b"h2: oops\n"

    def test_does_not_garble_the_display(self) -> None:
        screen: Any = pyte.Screen(80, 10)
        stream = pyte.ByteStream(screen)
        shown = progress(2, terminal=True)
        shown.err = shown.out
        for number in range(5):
            shown.time.elapsed += 1
            shown.changed("h1", failed())
            shown.output("h1", 1, b"line %d \x1b[31mred" % number)
        shown.time.elapsed += 1
        shown.launched(1)
        stream.feed(shown.out.text.replace(b"\n", b"\r\n"))
        assert [line.rstrip() for line in screen.display[:5]] == [f"h1: line {number} red" for number in range(5)]
        assert "0/2 up" in screen.display[5]
        assert screen.buffer[5][0].fg != "red"
        before = len(shown.out.text)
        shown.end()
        stream.feed(shown.out.text[before:])
        assert not any(line.strip() for line in screen.display[5:])


class TestDisplay:
    def test_draws_ten_times_a_second_at_most(self) -> None:
        shown = progress(1000, terminal=True)
        for number in range(1000):
            shown.time.elapsed = 1 + number / 1000
            shown.launched(number)
        assert 5 <= shown.err.text.count(b"launching") <= 11

    def test_no_frames_for_a_terminal_that_is_behind(self) -> None:
        shown = progress(terminal=True)
        shown.err.pending = module.MOST_PENDING + 1
        shown.time.elapsed = 5.0
        shown.launched(1)
        assert shown.err.text == b""

    @pytest.mark.parametrize("terminal", ["dumb", None])
    def test_plain_lines_on_a_terminal_that_can_not(
        self, monkeypatch: pytest.MonkeyPatch, terminal: str | None
    ) -> None:
        if terminal is None:
            monkeypatch.delenv("TERM")
        else:
            monkeypatch.setenv("TERM", terminal)
        shown = progress(terminal=True)
        shown.time.elapsed = 1.0
        shown.launched(1)
        assert shown.err.text == b"mpboot: 0 of 4 up, 1 launching, 1.0 s\n"

    def test_a_line_of_mpboots_own_takes_its_place(self) -> None:
        shown = progress(terminal=True)
        shown.time.elapsed = 1.0
        shown.launched(1)
        drawn = len(shown.err.text)
        shown.say("hello")
        assert shown.err.text[drawn:] == b"\r\x1b[2Kmpboot: hello\n"

    def test_it_moves_though_nothing_happens(self) -> None:
        shown = progress(terminal=True)
        (seconds, beat), *more = shown.time.timers
        assert (seconds, more) == (module.FRAME, [])
        beat()
        assert b"0/4 up" in shown.err.text
        assert shown.time.timers[1:] == [(module.BEAT, beat)]


class TestBoot:
    def test_it_is_stopped_when_nobody_reads_the_output(self) -> None:
        shown = progress()
        shown.out.broke()
        assert shown.time.calls == ["stop"]

    def test_it_is_told_when_all_that_waited_is_written(self) -> None:
        shown = progress()
        shown.out.pending = 1
        assert shown.full
        shown.err.drained()
        assert shown.time.calls == []
        shown.out.pending = 0
        assert not shown.full
        shown.out.drained()
        assert shown.time.calls == ["eased"]

    def test_outputs_are_written_in_its_loop_until_it_ends(self) -> None:
        shown = progress()
        shown.end()
        for sink in (shown.out, shown.err):
            assert sink.loops == [shown.time.loop, None]
