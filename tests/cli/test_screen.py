"""The terminal as the display must know it, and text that fits into its columns."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import tty
from collections.abc import Iterator

import pytest

from mpboot.cli.screen import Paint, Screen, cells, cut, padded, terminal_width, wrapped


@pytest.fixture
def terminal() -> Iterator[int]:
    """A terminal; not the one that controls this process."""
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    ("columns", "lines", "size", "has_room"),
    [
        (100, 30, (99, 30), True), (21, 3, (20, 3), True), (20, 10, (20, 10), False), (80, 2, (79, 3), False),
        (1, 1, (20, 3), False), (0, 0, (79, 24), True), (0, 50, (79, 50), True),
    ],
)  # fmt: skip
def test_its_size(terminal: int, columns: int, lines: int, size: tuple[int, int], has_room: bool) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    assert (Screen(terminal).size(), Screen(terminal).has_room()) == (size, has_room)


def test_the_width_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: int) -> None:
        raise OSError

    monkeypatch.setattr(os, "get_terminal_size", none)
    assert terminal_width() == 79


def test_who_reads_our_output_may_have_the_screen(terminal: int) -> None:
    screen = Screen(terminal)
    assert screen.is_free(shared=True)
    tty.setcbreak(terminal)
    assert not screen.is_free(shared=True)
    assert screen.is_free(shared=False)


def test_what_is_no_terminal_is_in_nobodys_hands() -> None:
    read, write = os.pipe()
    assert Screen(write).is_free(shared=True)
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(("front", "free"), [(0, True), (os.getpgrp(), True), (os.getpgrp() + 1, False)])
def test_not_in_the_background(monkeypatch: pytest.MonkeyPatch, front: int, free: bool) -> None:
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: front)
    assert Screen().is_free(shared=False) is free


@pytest.mark.parametrize(
    ("text", "width", "is_cut"),
    [
        ("abc", 3, "abc"), ("abcd", 3, "ab…"), ("abc", 1, "…"), ("abc", 0, ""), ("", 0, ""), ("漢字", 4, "漢字"),
        ("漢字漢", 4, "漢…"), ("e\u0301" * 3, 3, "e\u0301" * 3), ("x" * 1000, 5, "xxxx…"), ("漢" * 1000, 5, "漢漢…"),
    ],
)  # fmt: skip
def test_cut(text: str, width: int, is_cut: str) -> None:
    assert cut(text, width) == is_cut
    assert cells(padded(text, width)) == width


def test_a_line_of_many_styles() -> None:
    paint = Paint(False)
    parts = [("ab", "green"), ("  ", ""), ("cdef", "red"), ("g", "dim")]
    assert paint.line(parts, 9) == "\x1b[32mab\x1b[0m  \x1b[31mcdef\x1b[0m\x1b[2mg\x1b[0m"
    assert paint.line(parts, 6) == "\x1b[32mab\x1b[0m  \x1b[31mc…\x1b[0m"
    assert Paint(True).line(parts, 6) == "ab  c…"


@pytest.mark.parametrize(
    ("no_color", "term", "painted"),
    [("1", "xterm", "x"), ("", "xterm", "\x1b[31mx\x1b[0m"), ("", "dumb", "x"), ("", None, "x")],
)
def test_where_there_are_no_colours(
    monkeypatch: pytest.MonkeyPatch, no_color: str, term: str | None, painted: str
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term or "")
    if term is None:
        monkeypatch.delenv("TERM")
    assert Paint()("x", "red") == painted


ROW = "node1   head   2   handshake  12.3  ?  node1 to finish keys or login"


@pytest.mark.parametrize(
    ("line", "width", "lines"),
    [
        (ROW, 99, [ROW]),
        (ROW, 66, [ROW[:62], " " * 39 + "login"]),
        (ROW, 50, [ROW[:48].rstrip(), " " * 8 + "finish keys or login"]),
        ("mpboot: some words and more", 20, ["mpboot: some words", " " * 8 + "and more"]),
        ("x" * 30, 20, ["x" * 30]),
        ("", 20, [""]),
    ],
)
def test_wrapped(line: str, width: int, lines: list[str]) -> None:
    assert wrapped(line, width) == lines
