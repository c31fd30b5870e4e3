"""The live display, drawn on a terminal that is one in memory."""

from __future__ import annotations

import os
from typing import Any

import pyte
import pytest

from mpboot.cli import live as module
from mpboot.cli.counts import Counts
from mpboot.cli.live import Live, terminal_width
from tests.cli.fakes import failed, up


@pytest.fixture
def screen() -> Any:
    made: Any = pyte.Screen(80, 10)
    made.stream = pyte.ByteStream(made)
    return made


def feed(screen: Any, data: bytes) -> list[str]:
    """The screen's lines after the terminal has got the bytes."""
    screen.stream.feed(data.replace(b"\n", b"\r\n"))
    return [line.rstrip() for line in screen.display]


def test_frame_is_replaced_and_erased(screen: Any) -> None:
    counts, live = Counts(32), Live(79)
    counts.launches, counts.seconds = 20, 1.5
    shown = feed(screen, live.frame(counts))
    assert "0/32 up  20 launching" in shown[0]
    for number in range(12):
        counts.changed(f"h{number}", up(), False)
    counts.changed("h30", failed(detail="no entry"), False)
    shown = feed(screen, live.frame(counts))
    assert shown[0].index("12/32 up") - module.BAR in (1, 2)  # as rich has it
    assert shown[0].endswith("12/32 up  6 launching  1 failed  8.0 hosts/s  1.5 s")
    assert screen.buffer[0][shown[0].index("1 failed")].fg == "red"
    assert screen.buffer[0][shown[0].index("12/32")].fg == "green"
    assert shown[1] == "h30 failed: auth: no entry"
    assert not any(shown[2:])
    assert not any(feed(screen, live.erase()))
    assert live.erase() == b""
    assert Live(79).erase() == b"", "of what was never drawn"


def test_the_bar_is_as_long_as_what_is_done(screen: Any) -> None:
    counts, live = Counts(4), Live(79)
    colours = []
    for number in range(4):
        counts.changed(f"h{number}", up() if number % 2 else failed(), False)
        feed(screen, live.frame(counts))
        bar = [screen.buffer[0][column].fg for column in range(module.BAR)]
        colours.append(bar.count(bar[0]))
    assert colours == [5, 10, 15, 20]


def test_a_booted_tree_shows_its_command(screen: Any) -> None:
    counts, live = Counts(2, command=True), Live(79)
    for host in "ab":
        counts.changed(host, up(), False)
    counts.booted, counts.ended, counts.seconds = True, 1, 2.0
    shown = feed(screen, live.frame(counts))[0]
    assert "2/2 up  1 ended  2.0 s" in shown
    assert "launching" not in shown
    assert "hosts/s" not in shown


def test_an_end_is_shown(screen: Any) -> None:
    counts, live = Counts(2), Live(79)
    counts.ending = "killed, ending"
    assert feed(screen, live.frame(counts))[0].endswith("  killed, ending")


def test_what_is_typed_while_it_is_hidden(screen: Any) -> None:
    counts, live = Counts(), Live(79)
    counts.ending = "x" * 80
    feed(screen, live.frame(counts) + live.erase() + b"^C" + live.frame(counts))
    assert not any(feed(screen, live.erase()))


def test_narrow_terminal(screen: Any) -> None:
    counts, live = Counts(10), Live(30)
    counts.changed("a", failed(detail="x" * 200), False)
    for _ in range(3):
        text = feed(screen, live.frame(counts))
    assert max(map(len, text)) <= 30
    assert not any(text[2:])


def test_remote_escapes_stay_out_of_the_failure(screen: Any) -> None:
    counts, live = Counts(), Live(79)
    counts.changed("a", failed(detail="\x1b[2J[bold]boo[/bold]"), False)
    assert "\\x1b[2J[bold]boo[/bold]" in feed(screen, live.frame(counts))[1]


@pytest.mark.parametrize(("columns", "width"), [(100, 99), (21, 20), (5, 20), (0, 79)])
def test_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int, width: int) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((columns, 24)) if fd == 2 else None)
    assert terminal_width() == width


def test_width_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: int) -> None:
        raise OSError

    monkeypatch.setattr(os, "get_terminal_size", none)
    assert terminal_width() == 79


def test_a_window_that_is_made_narrower(monkeypatch: pytest.MonkeyPatch, screen: Any) -> None:
    counts, live = Counts(10), Live()
    counts.changed("a", failed(detail="x" * 200), False)
    for width in (70, 40):
        monkeypatch.setattr(module, "terminal_width", lambda width=width: width)
        assert max(map(len, feed(screen, live.frame(counts)))) == width
