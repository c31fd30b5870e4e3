"""What a person sees while a boot runs: plain lines, frames, output, and what the boot is asked for."""

from __future__ import annotations

from typing import Any, Callable

import pyte
import pytest

from mpboot.cli import display
from mpboot.cli import progress as module
from mpboot.cli.live import ERASE
from mpboot.cli.output import Lines
from mpboot.cli.progress import Progress
from tests.cli.fakes import FakeBoot, FakeScreen, FakeSink, failed, launching, look, up


def progress(
    total: int = 4, terminal: bool = False, quiet: bool = False, command: tuple[str, ...] = (), piped: bool = False
) -> Any:
    out, err = FakeSink(terminal and not piped), FakeSink(terminal)
    boot = FakeBoot(total, command)
    screen = FakeScreen()
    made: Any = Progress(out, err, Lines(out, err), quiet, clock=lambda: boot.elapsed, screen=screen)  # type: ignore[arg-type]
    made.begin(boot)
    made.time = boot
    return made


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(display, "JobControl", Jobs)


class Jobs:
    """In the place of the signals of this very process: what is to be called by them."""

    def __init__(self, hide: Callable[[], None], show: Callable[[], None]) -> None:
        self.hide, self.show = hide, show
        self.told: list[str] = []

    def begin(self, _: object) -> None:
        self.told.append("begin")

    def end(self) -> None:
        self.told.append("end")


class TestPlainLines:
    def test_the_time_of_a_boot_stands_still_when_it_is_over(self) -> None:
        shown = progress(1)
        shown.launched(1)
        shown.changed("h0", up())
        shown.time.elapsed = 1.5
        shown.booted()
        shown.time.elapsed = 9.0
        shown.stopping("killed")
        last = shown.err.text.decode().splitlines()[-1]
        assert last == "mpboot: 1 of 1 up, 0 launching, 1.5 s, killed, ending"

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
        shown.err = shown._display._err = shown.out
        for number in range(5):
            shown.time.elapsed += 1
            shown.changed("h1", failed())
            shown.output("h1", 1, b"line %d \x1b[31mred" % number)
        shown.time.elapsed += 1
        shown.launched(1)
        stream.feed(shown.out.text.replace(b"\n", b"\r\n"))
        assert [line.rstrip() for line in screen.display[:5]] == [f"h1: line {number} red" for number in range(5)]
        assert "0/2 up" in screen.display[6]
        assert screen.buffer[6][0].fg != "red"
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
        shown.err.pending = display.MOST_PENDING + 1
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
        assert shown.err.text[drawn:] == ERASE + b"mpboot: hello\n"

    def test_it_moves_though_nothing_happens(self) -> None:
        shown = progress(terminal=True)
        (seconds, beat), *more = shown.time.timers
        assert (seconds, more) == (display.FRAME, [])
        beat()
        assert b"0/4 up" in shown.err.text
        assert shown.time.timers[1:] == [(display.BEAT, beat)]

    def test_it_goes_before_a_stop_and_comes_back(self) -> None:
        shown = progress(terminal=True)
        assert shown._display._jobs.told == ["begin"]
        shown._display._jobs.show()
        drawn = len(shown.err.text)
        shown._display._jobs.hide()
        assert shown.err.text[drawn:] == ERASE
        assert shown.err.unflushed == 0
        shown._display._jobs.show()
        assert b"0/4 up" in shown.err.text[drawn:]
        shown.end()
        assert shown._display._jobs.told == ["begin", "end"]

    def test_none_while_somebody_else_has_the_screen(self) -> None:
        shown = progress(terminal=True)
        shown._display._screen.free = False
        shown._display._jobs.show()
        assert shown.err.text == b""

    def test_a_long_line_is_wrapped_between_words(self) -> None:
        shown = progress(terminal=True)
        shown.log("node1   head   2        handshake  12.3     ?      node1 to finish keys or login, which takes long")
        assert shown.err.text.decode().splitlines() == [
            "mpboot: node1   head   2        handshake  12.3     ?      node1 to finish keys",
            "        or login, which takes long",
        ]


class TestSharedScreen:
    """Standard output is a pipe: whoever reads it may write to the terminal on which the display is."""

    def shown(self, command: tuple[str, ...] = ("date",)) -> Any:
        made = progress(2, terminal=True, command=command, piped=True)
        made.time.elapsed = 1.0
        made.launched(1)
        return made

    def test_a_line_takes_the_display_off_before_it_is_written(self) -> None:
        shown = self.shown()
        drawn = len(shown.err.text)
        assert b"0/2 up" in shown.err.text
        seen: list[bytes] = []
        shown.out.write = lambda data: seen.append(shown.err.text[drawn:] + data)
        shown.output("a", 1, b"hello")
        assert seen == [ERASE + b"a: hello\n"]

    def test_it_comes_back_in_a_lull(self) -> None:
        shown = self.shown()
        shown.output("a", 1, b"hello")
        drawn = len(shown.err.text)
        shown.time.elapsed += display.LULL - 0.01
        shown._display._jobs.show()
        assert shown.err.text[drawn:] == b""
        shown.time.elapsed += 0.02
        shown.out.pending = 1
        shown._display._jobs.show()
        assert shown.err.text[drawn:] == b"", "the reader is at it"
        shown.out.pending = 0
        shown._display._jobs.show()
        assert b"0/2 up" in shown.err.text[drawn:]

    def test_what_the_reader_writes_late_stays(self) -> None:
        screen: Any = pyte.Screen(80, 10)
        stream = pyte.ByteStream(screen)
        shown = self.shown()
        stream.feed(shown.err.text)
        drawn = len(shown.err.text)
        stream.feed(b"a: hello\r\n")  # slower than the lull
        shown._display._jobs.show()
        stream.feed(shown.err.text[drawn:])
        lines = [line.rstrip() for line in screen.display]
        assert (lines[0], lines[1], lines[3].split("  ")[0]) == ("a: hello", "", "0/2 up")
        assert not any(lines[4:])

    def test_without_a_command_nothing_comes_there(self) -> None:
        assert b"\n" not in self.shown(()).err.text.partition(b"0/2 up")[0].replace(b"\x1b[K\r\n", b"", 1)


class TestLooks:
    def test_what_takes_long_is_asked_for_and_shown(self) -> None:
        shown = progress(3, terminal=True)
        (_, beat), *_ = shown.time.timers
        shown.launched(3)
        shown.time.elapsed = module.FIRST_LOOK - 0.1
        beat()
        assert shown.time.calls == []
        shown.time.elapsed = module.FIRST_LOOK
        beat()
        beat()
        assert shown.time.calls == ["look"], "once, while the answer is to come"
        shown.under_way(look(launching("h1", attempt=2), more=100))
        assert b"attempt 2" in shown.err.text
        shown.time.elapsed += module.LOOKS + 100 * module.LOOK_COSTS
        beat()
        assert shown.time.calls == ["look"], "the more there are, the later the next question"
        shown.time.elapsed += 2 * module.LOOK_COSTS
        beat()
        assert shown.time.calls == ["look", "look"]

    @pytest.mark.parametrize("what", ["booted", "stopping", "nothing to launch"])
    def test_it_is_not_asked_for_in_vain(self, what: str) -> None:
        shown = progress(3, terminal=True)
        (_, beat), *_ = shown.time.timers
        shown.launched(0 if what == "nothing to launch" else 3)
        if what == "booted":
            shown.booted()
        if what == "stopping":
            shown.stopping("deadline")
        shown.time.elapsed = 10.0
        beat()
        assert shown.time.calls == []

    def test_plain_lines_name_what_takes_longest(self) -> None:
        shown = progress(3)
        shown.time.elapsed = 1.0
        shown.launched(3)
        shown.time.elapsed = 5.0
        shown.under_way(look(launching("h1", attempt=2, seconds=4.0, left=8.0)))
        shown.time.elapsed = 6.0
        (_, beat), *_ = shown.time.timers
        beat()
        assert shown.err.text.decode().splitlines() == [
            "mpboot: 0 of 3 up, 3 launching, 1.0 s",
            "mpboot: 0 of 3 up, 3 launching, 6.0 s; longest: h1, attempt 2, handshake, 5 s, gives up in 7 s",
        ]


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
