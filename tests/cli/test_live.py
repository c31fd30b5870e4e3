"""The live display, drawn on a terminal that is one in memory."""

from __future__ import annotations

from typing import Any

import pyte
import pytest

from mpboot.cli.counts import Counts
from mpboot.cli.live import ERASE, MOST, Live
from mpboot.cli.screen import Paint
from tests.cli.fakes import FakeScreen, failed, launching, look, up


@pytest.fixture
def screen() -> Any:
    made: Any = pyte.Screen(80, 24)
    made.stream = pyte.ByteStream(made)
    return made


def live(columns: int = 79, lines: int = 24, plain: bool = False, apart: bool = False) -> Live:
    return Live(FakeScreen(columns, lines), Paint(plain), 4711, apart)


def feed(screen: Any, data: bytes) -> list[str]:
    """The screen's lines after the terminal has got the bytes."""
    screen.stream.feed(data)
    return [line.rstrip() for line in screen.display]


def command(total: int) -> Counts:
    """A boot whose command runs on all hosts."""
    counts = Counts(total, command=True)
    for number in range(total):
        report = up()
        report.begun = True
        counts.changed(f"h{number}", report, False)
    counts.booted = True
    return counts


def test_frame_is_replaced_and_erased(screen: Any) -> None:
    counts, shown = Counts(32), live()
    counts.launches, counts.seconds = 20, 1.5
    assert feed(screen, shown.frame(counts))[1] == "0/32 up  20 launching  0.0 hosts/s  1.5 s"
    for number in range(12):
        counts.changed(f"h{number}", up(), False)
    counts.changed("h30", failed(detail="no entry"), False)
    lines = feed(screen, shown.frame(counts))
    assert lines[1] == "12/32 up  6 launching  1 failed  8.0 hosts/s  1.5 s"
    assert screen.buffer[1][lines[1].index("1 failed")].fg == "red"
    assert screen.buffer[1][0].fg == "green"
    assert lines[2] == "h30 failed: auth: no entry"
    assert not any(lines[3:])
    assert (screen.cursor.x, screen.cursor.y) == (0, 0), "below the cursor there is nothing but the display"
    assert not any(feed(screen, shown.erase()))
    assert shown.erase() == b""
    assert live().erase() == b"", "of what was never drawn"


class TestBar:
    def colours(self, screen: Any, counts: Counts, width: int = 79) -> list[str]:
        feed(screen, live(width).frame(counts))
        return [screen.buffer[0][column].fg for column in range(width)]

    def test_it_is_not_red_while_all_is_well(self, screen: Any) -> None:
        counts = Counts(79)
        for number in range(30):
            counts.changed(f"h{number}", up(), False)
        assert self.colours(screen, counts) == ["green"] * 30 + ["default"] * 49

    def test_it_has_a_part_for_each_kind_of_host(self, screen: Any) -> None:
        counts = Counts(79)
        counts.launches = 79
        for number in range(40):
            counts.changed(f"h{number}", up(), False)
        for number in range(10):
            counts.changed(f"f{number}", failed(), False)
        counts.looked(look(*(launching(f"r{number}", attempt=2) for number in range(5))))
        parts = {"green": 40, "brown": 5, "red": 10, "default": 24}
        assert self.colours(screen, counts) == [colour for colour, count in parts.items() for _ in range(count)]
        bar = live(plain=True).lines(counts, 79, 24)[0]
        assert [bar.count(one) for one in "━╍x─"] == list(parts.values()), "they differ without colours, too"

    def test_who_is_alone_is_seen(self, screen: Any) -> None:
        counts = Counts(1000)
        counts.changed("a", failed(), False)
        for number in range(999):
            counts.changed(f"h{number}", up(), False)
        assert self.colours(screen, counts).count("red") == 1

    @pytest.mark.parametrize("width", [20, 39, 79, 199])
    def test_it_is_as_wide_as_the_screen(self, width: int) -> None:
        for total in (0, 1, 7, 1000):
            counts = Counts(total)
            counts.changed("a", failed(), False)
            assert len(live(plain=True).lines(counts, width, 24)[0]) == width

    def test_of_a_command(self, screen: Any) -> None:
        counts = command(79)
        for number in range(20):
            counts.exited(f"h{number}", 1 if number < 5 else 0)
        assert self.colours(screen, counts) == ["green"] * 15 + ["red"] * 5 + ["default"] * 59


class TestCommand:
    def test_how_many_have_ended_and_who_is_outstanding(self, screen: Any) -> None:
        counts, shown = command(4), live()
        counts.seconds = 2.0
        counts.exited("h0", 0)
        counts.exited("h2", 3)
        lines = feed(screen, shown.frame(counts))
        assert lines[1:4] == [
            "4/4 up  2 ended  1 not with 0  2.0 s",
            "runs on h[1,3]",
            "kill -USR1 4711 shows all hosts on which it runs",
        ]

    def test_of_a_session(self) -> None:
        counts = command(4)
        counts.is_job = True
        counts.exited("h0", 0)
        assert live(plain=True).lines(counts, 79, 24)[1:3] == ["1/4 ended  0.0 s", "runs on h[1-3]"]

    def test_many(self) -> None:
        line = live(plain=True).lines(command(100), 79, 24)[2]
        assert line == "runs on h[0-31] and 68 more"

    def test_who_is_lost_is_not_outstanding(self) -> None:
        counts = command(2)
        counts.changed("h1", failed("lost"), True)
        assert live(plain=True).lines(counts, 79, 24)[3] == "runs on h0"

    def test_all_have_ended(self) -> None:
        counts = command(1)
        counts.exited("h0", 0)
        assert len(live(plain=True).lines(counts, 79, 24)) == 2


class TestLaunches:
    def counts(self, count: int, more: int = 0, **words: Any) -> Counts:
        made = Counts(500)
        made.launches = count + more
        made.seconds = 12.0
        made.looked(look(*(launching(f"node{number}", **words) for number in range(count)), more=more))
        return made

    def test_who_how_far_since_when_until_when_and_why(self) -> None:
        counts = self.counts(2)
        assert live(plain=True).lines(counts, 99, 24)[2:] == [
            "node0  handshake    3 s  gives up in 7 s   node0 to finish keys or login",
            "node1  handshake    3 s  gives up in 7 s   node1 to finish keys or login",
            "kill -USR1 4711 shows all 2 launches",
        ]
        counts.changed("node0", up(), False)
        assert live(plain=True).lines(counts, 99, 24)[-1].endswith("shows all that is known of it")

    def test_a_retry(self) -> None:
        counts = self.counts(1, attempt=2)
        lines = live(plain=True).lines(counts, 79, 24)
        assert lines[1] == "0/500 up  1 launching  1 retrying  0.0 hosts/s  12.0 s"
        assert lines[2].startswith("node0  attempt 2  handshake    3 s  gives up in 7 s ")

    def test_a_retry_is_shown_where_others_take_longer(self) -> None:
        counts = self.counts(9)
        assert counts.look is not None
        counts.look.longest.append(launching("again", attempt=3, seconds=0.5))
        shown = live(plain=True).lines(counts, 79, 24)[2:-1]
        assert [line.split()[:3] for line in shown] == [
            *(["node" + number, "attempt", "1"] for number in "012"), ["again", "attempt", "3"],
        ]  # fmt: skip

    def test_time_goes_on_between_two_looks(self) -> None:
        counts = self.counts(1, left=2.0)
        counts.seconds += 1.0
        assert "    4 s  gives up in 1 s " in live(plain=True).lines(counts, 79, 24)[2]
        counts.seconds += 1.5
        assert "  gives up now " in live(plain=True).lines(counts, 79, 24)[2]

    def test_who_is_up_by_now_is_gone(self) -> None:
        counts = self.counts(2)
        counts.changed("node0", up(), False)
        assert live(plain=True).lines(counts, 79, 24)[2].startswith("node1 ")

    def test_nobody_can_tell(self) -> None:
        counts = self.counts(1, left=None)
        assert live(plain=True).lines(counts, 79, 24)[2] == "node0  handshake    3 s  node0 to finish keys or login"

    @pytest.mark.parametrize(
        ("height", "rows"), [(10, 3), (24, 4), (30, 5), (50, 8), (99, MOST), (7, 2), (5, 0), (3, 0)]
    )
    def test_how_many_are_shown_depends_on_the_height(self, height: int, rows: int) -> None:
        lines = live(plain=True).lines(self.counts(20, 100), 79, height)
        assert sum("handshake" in line for line in lines) == rows
        assert len(lines) < height

    def test_the_number_of_lines_does_not_shrink(self, screen: Any) -> None:
        counts, shown = self.counts(6), live()
        tall = len(shown.lines(counts, 79, 24))
        for number in range(6):
            counts.changed(f"node{number}", up(), False)
            assert len(shown.lines(counts, 79, 24)) == tall
        assert not any(feed(screen, shown.frame(counts))[2:])
        counts.booted = True
        assert len(shown.lines(counts, 79, 24)) == 2

    def test_nothing_that_others_say_reaches_the_terminal(self, screen: Any) -> None:
        counts, shown = Counts(9), live()
        counts.changed("a\x1b[2J", failed(detail="\x1b[2J[bold]boo[/bold]\x9b31m"), False)
        counts.slow.add("\x1b]0;x\x07")
        lines = feed(screen, shown.frame(counts))
        assert "\\x1b]0;x\\x07" in lines[1]
        assert lines[2] == "a\\x1b[2J failed: auth: \\x1b[2J[bold]boo[/bold]\\x9b31m"


def test_an_end_is_shown(screen: Any) -> None:
    counts, shown = Counts(2), live()
    counts.ending = "killed, ending"
    assert feed(screen, shown.frame(counts))[1].endswith("  killed, ending")


def test_what_is_typed_while_it_is_there(screen: Any) -> None:
    counts, shown = Counts(), live()
    counts.ending = "x" * 80
    feed(screen, shown.frame(counts) + b"^C" + shown.frame(counts))
    assert not any(feed(screen, b"^C" + shown.erase()))


def test_what_somebody_else_writes_stays(screen: Any) -> None:
    counts, shown = Counts(3), live(apart=True)
    counts.changed("a", failed(), False)
    feed(screen, shown.frame(counts) + b"somebody\r\n")
    lines = feed(screen, shown.frame(counts))
    assert (lines[0], lines[1]) == ("somebody", "")
    assert lines[3].startswith("0/3 up")
    assert feed(screen, shown.erase())[:2] == ["somebody", ""]


@pytest.mark.parametrize(("columns", "lines"), [(19, 3), (39, 10), (79, 24), (199, 50)])
def test_it_fits(columns: int, lines: int) -> None:
    counts = Counts(10)
    counts.launches = 9
    counts.changed("a", failed(detail="x" * 300), False)
    counts.slow.update(f"slow{number}x" for number in range(50))
    counts.looked(look(*(launching("nodé" * 20 + str(number), attempt=2) for number in range(9))))
    screen: Any = pyte.Screen(columns + 1, lines)
    screen.stream = pyte.ByteStream(screen)
    made = live(columns, lines)
    for _ in range(3):
        feed(screen, made.frame(counts))
        assert (screen.cursor.x, screen.cursor.y) == (0, 0)
        assert "0/10 up" in screen.display[1]
    assert not any(feed(screen, made.erase()))


@pytest.mark.parametrize(("before", "after"), [(79, 39), (39, 99)])
def test_a_window_of_another_size(before: int, after: int) -> None:
    counts, size = Counts(10), FakeScreen(before)
    shown = Live(size, Paint(False))
    counts.changed("a", failed(detail="x" * 200), False)
    screen: Any = pyte.Screen(before + 1, 24)
    screen.stream = pyte.ByteStream(screen)
    feed(screen, shown.frame(counts))
    screen.resize(24, after + 1)
    size.columns = after
    lines = feed(screen, shown.frame(counts))
    assert [len(lines[0]), len(lines[2])] == [after, after]
    assert not any(lines[3:])
    assert not any(feed(screen, shown.erase()))


def test_lines_that_a_terminal_has_wrapped_are_erased_before_new_ones() -> None:
    """Else it would take them for one line when it becomes wider, and move what is above."""
    counts, size = Counts(10), FakeScreen(79)
    shown = Live(size, Paint(False))
    assert shown.frame(counts).count(ERASE) == 0
    assert shown.frame(counts).count(ERASE) == 0, "nothing flickers"
    size.columns = 39
    assert shown.frame(counts).startswith(ERASE)
    assert shown.frame(counts).count(ERASE) == 0
