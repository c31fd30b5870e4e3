"""The display: its numbers, its plain lines, its frames on a terminal; and sinks, which never block a boot."""

from __future__ import annotations

import fcntl
import os
import pty
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pyte
import pytest

from mpboot.cli.counts import Counts
from mpboot.cli.live import Live
from mpboot.cli.progress import Progress
from mpboot.cli.sink import Sink
from mpboot.head.report import HostReport
from mpboot.net.loop import Loop


def up() -> HostReport:
    report = HostReport()
    report.come_up("head", 1, 0.1, 0.5, 4711, 1, "3.11.2")
    return report


def failed(cause: str = "auth", detail: str = "denied") -> HostReport:
    report = HostReport()
    report.fail(cause, "connect", 2, "head", detail, "")
    return report


class FakeSink:
    """Keeps what is written."""

    def __init__(self, is_terminal: bool = False) -> None:
        self.text = b""
        self.is_terminal = is_terminal
        self.pending = 0

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.text += data

    def attach(self, loop: object) -> None:
        """No loop is needed."""


class FakeBoot:
    """As much of a Boot as a display sees."""

    def __init__(self, total: int, command: tuple[str, ...] = ()) -> None:
        self.hosts = range(total)
        self.options = SimpleNamespace(command=command)
        self.loop = SimpleNamespace(later=lambda *_: None)
        self.elapsed = 0.0

    def stop(self) -> None:
        """Nothing to stop."""


def progress(total: int = 4, terminal: bool = False, quiet: bool = False, command: tuple[str, ...] = ()) -> Any:
    out, err = FakeSink(terminal), FakeSink(terminal)
    boot = FakeBoot(total, command)
    made: Any = Progress(out, err, quiet, clock=lambda: boot.elapsed, width=79)  # type: ignore[arg-type]
    made.begin(boot)
    made.time = boot
    return made


class TestCounts:
    def test_a_host_that_is_lost_after_it_was_up(self) -> None:
        counts = Counts()
        counts.total = counts.launches = 1
        counts.changed("a", up(), False)
        counts.changed("a", failed("lost"), True)
        assert (counts.up, counts.failed, counts.launching) == (0, 1, 0)

    def test_launching(self) -> None:
        counts = Counts()
        counts.total, counts.launches = 5, 4
        assert counts.launching == 4
        counts.changed("a", up(), False)
        counts.changed("b", failed(), False)
        assert counts.launching == 1


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
        shown.stopping("deadline")
        assert shown.err.text == b""

    def test_the_command_of_a_booted_tree(self) -> None:
        shown = progress(2, command=("sleep", "9"))
        shown.changed("a", up())
        shown.changed("b", up())
        shown.time.elapsed = 2.0
        shown.booted()
        assert shown.err.text == b"mpboot: 2 of 2 up, the command has ended on 0, 2.0 s\n"

    def test_output_is_bytes_with_the_host_in_front(self) -> None:
        shown = progress()
        shown.output("h1", 1, b"\xff\x00\x1b[31mraw")
        shown.output("h2", 2, b"oops")
        assert shown.out.text == b"h1: \xff\x00\x1b[31mraw\n"
        assert shown.err.text == b"h2: oops\n"


class TestLive:
    @pytest.fixture
    def screen(self) -> Any:
        made: Any = pyte.Screen(80, 10)
        made.stream = pyte.ByteStream(made)
        return made

    def feed(self, screen: Any, data: bytes) -> list[str]:
        screen.stream.feed(data.replace(b"\n", b"\r\n"))
        return [line.rstrip() for line in screen.display]

    def test_frame_is_replaced_and_erased(self, screen: Any) -> None:
        counts, live = Counts(), Live(79)
        counts.total, counts.launches, counts.seconds = 32, 20, 1.5
        shown = self.feed(screen, live.frame(counts))
        assert "0/32 up  20 launching" in shown[0]
        for number in range(12):
            counts.changed(f"h{number}", up(), False)
        counts.changed("h30", failed(detail="no entry"), False)
        shown = self.feed(screen, live.frame(counts))
        assert "12/32 up" in shown[0]
        assert "1 failed" in shown[0]
        assert "8.0 hosts/s  1.5 s" in shown[0]
        assert shown[1] == "h30 failed: auth: no entry"
        assert not any(shown[2:])
        assert not any(self.feed(screen, live.erase()))

    def test_output_does_not_garble_it(self, screen: Any) -> None:
        shown = progress(2, terminal=True)
        shown.err = shown.out
        for number in range(5):
            shown.time.elapsed += 1
            shown.changed("h1", failed())
            shown.output("h1", 1, b"line %d \x1b[31mred" % number)
        text = self.feed(screen, shown.out.text)
        assert text[:5] == [f"h1: line {number} red" for number in range(5)]
        assert screen.buffer[5][0].fg != "red"
        shown.end()

    def test_what_is_typed_while_it_is_hidden(self, screen: Any) -> None:
        counts, live = Counts(), Live(79)
        counts.ending = "x" * 80
        self.feed(screen, live.frame(counts) + live.erase() + b"^C" + live.frame(counts))
        assert not any(self.feed(screen, live.erase()))

    def test_narrow_terminal(self, screen: Any) -> None:
        counts, live = Counts(), Live(30)
        counts.total = 10
        counts.changed("a", failed(detail="x" * 200), False)
        for _ in range(3):
            text = self.feed(screen, live.frame(counts))
        assert max(map(len, text)) <= 30
        assert not any(text[2:])

    def test_draws_ten_times_a_second_at_most(self) -> None:
        shown = progress(1000, terminal=True)
        for number in range(1000):
            shown.time.elapsed = 1 + number / 1000
            shown.launched(number)
        assert 5 <= shown.err.text.count(b"launching") <= 11

    def test_remote_escapes_stay_out_of_the_failure(self, screen: Any) -> None:
        counts, live = Counts(), Live(79)
        counts.changed("a", failed(detail="\x1b[2J[bold]boo[/bold]"), False)
        assert "\\x1b[2J[bold]boo[/bold]" in self.feed(screen, live.frame(counts))[1]


class TestSink:
    @pytest.fixture
    def pipe(self) -> Iterator[tuple[int, int]]:
        read, write = os.pipe()
        yield read, write
        for fd in (read, write):
            try:
                os.close(fd)
            except OSError:
                continue

    @pytest.mark.parametrize("reopened", [True, False])
    def test_full_pipe_does_not_block(
        self, pipe: tuple[int, int], reopened: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read, write = pipe
        if not reopened:
            monkeypatch.setattr("mpboot.cli.sink.os.open", lambda *_: (_ for _ in ()).throw(PermissionError()))
        sink = Sink(write)
        data = bytes(range(256)) * 1000
        sink.write(data)
        assert sink.pending > 0
        assert not fcntl.fcntl(write, fcntl.F_GETFL) & os.O_NONBLOCK
        loop = Loop()
        sink.drained = loop.stop
        sink.attach(loop)
        sink.write(b"end")
        got = bytearray()
        loop.watch(read, 1, lambda _: got.extend(os.read(read, 9999)))
        loop.run()
        while len(got) < len(data) + 3:
            got += os.read(read, 65536)
        assert bytes(got) == data + b"end"

    def test_reader_that_goes_away(self, pipe: tuple[int, int]) -> None:
        read, write = pipe
        sink = Sink(write)
        broke: list[int] = []
        sink.broke = lambda: broke.append(1)
        os.close(read)
        sink.write(b"x")
        sink.write(b"y")
        sink.flush()
        assert sink.broken
        assert sink.pending == 0
        assert broke == [1]

    def test_closed_descriptor(self, pipe: tuple[int, int]) -> None:
        os.close(pipe[1])
        sink = Sink(pipe[1])
        sink.write(b"x")
        assert sink.broken

    def test_terminal(self) -> None:
        master, slave = pty.openpty()
        sink = Sink(slave)
        assert sink.is_terminal
        sink.write(b"hello\n")
        assert os.read(master, 99) == b"hello\r\n"
        assert not fcntl.fcntl(slave, fcntl.F_GETFL) & os.O_NONBLOCK
        for fd in (master, slave):
            os.close(fd)
