"""How far files are: the line that says it, on a terminal and elsewhere."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mpboot.cli import moving
from mpboot.cli.files import _about_patterns, tell
from mpboot.cli.moving import Shown, told
from mpboot.session.transfer import Going, Outcome
from tests.cli.fakes import FakeSink

MB = 10**6


@pytest.mark.parametrize(
    ("going", "passed", "line"),
    [
        (Going(4, 0, 0, 40 * MB, [(f"h{at}", 0, 10 * MB) for at in range(4)]), 1.0,
         "0 of 4 hosts, 0 B of 40.0 MB, 0 B/s"),
        (Going(4, 1, 20 * MB, 40 * MB, [("h1", 5 * MB, 10 * MB), ("h2", 5 * MB, 10 * MB), ("h3", 0, 10 * MB)]), 2.0,
         "1 of 4 hosts, 20.0 MB of 40.0 MB, 10.0 MB/s, 2.0 s to go"),
        (Going(4, 2, 20 * MB, 40 * MB, [("h3", 0, 10 * MB)]), 2.0,
         "2 of 4 hosts, 1 failed, 20.0 MB of 40.0 MB, 10.0 MB/s, 1.0 s to go"),
        (Going(40, 36, 370 * MB, 400 * MB, [("h9", 9 * MB, 10 * MB), ("h2", 0, 10 * MB), ("h3", 1 * MB, 10 * MB),
                                            ("h4", 0, 10 * MB)]), 10.0,
         "36 of 40 hosts, 370 MB of 400 MB, 37.0 MB/s, 0.8 s to go; slowest: h2 0%, h4 0%, h3 10%"),
        (Going(20, 19, 190 * MB, 0, [("h3", 3 * MB, 0)]), 10.0,
         "19 of 20 hosts, 190 MB, 19.0 MB/s; slowest: h3 3.0 MB"),
        (Going(1, 1, 0, 0, []), 1.0, "1 of 1 hosts, 0 B, 0 B/s"),
    ],
)  # fmt: skip
def test_the_line(going: Going, passed: float, line: str) -> None:
    assert told(going, passed) == line


class Screen:
    """Standard error, and a clock."""

    def __init__(self, terminal: bool) -> None:
        self.now = 0.0
        self.text = ""
        self.isatty = lambda: terminal
        self.full = False

    def write(self, text: str) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.text += text

    def flush(self) -> None:
        """All is there."""


class Half:
    """A push that is half done."""

    def going(self) -> Going:
        return Going(2, 1, 5, 10, [("h2", 0, 5)])


def shown(monkeypatch: pytest.MonkeyPatch, screen: Screen, until: int) -> Shown:
    monkeypatch.setattr(moving, "monotonic", lambda: screen.now)
    monkeypatch.setattr("sys.stderr", screen)
    one: Any = Half()
    made = Shown("push")
    for _ in range(until):
        screen.now += 0.25
        made(one)
    return made


def test_a_line_that_is_written_again_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(terminal=True)
    made = shown(monkeypatch, screen, 8)
    assert screen.text.count("\r\x1b[Kmpboot: push: 1 of 2 hosts") == 4
    assert "\n" not in screen.text
    made.clear()
    assert screen.text.endswith("\r\x1b[K")


def test_a_few_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(terminal=False)
    shown(monkeypatch, screen, 4 * 100).clear()
    assert screen.text.splitlines() == [
        f"mpboot: push: 1 of 2 hosts, 5 B of 10 B, 0 B/s, {left} s to go" for left in (10.2, 30.5, 70.8)
    ]  # fmt: skip


@pytest.mark.parametrize("terminal", [False, True])
def test_a_screen_that_takes_nothing(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    screen = Screen(terminal)
    screen.full = True
    shown(monkeypatch, screen, 400).clear()
    assert screen.text == ""


@pytest.mark.parametrize(
    ("done", "line"), [(True, "1 of 1 host done, 5.0 MB in 0.20 s"), (False, "0 of 1 host done, after 0.20 s")]
)
def test_no_bytes_are_said_to_have_come_where_none_has_all(done: bool, line: str) -> None:
    err: Any = FakeSink()
    tell(err, SimpleNamespace(hosts={"h1": Outcome(done, "", "")}, bytes=5 * MB, seconds=0.2))
    assert err.text.decode().splitlines()[-1] == f"mpboot: {line}"


@pytest.mark.parametrize(("source", "cause", "directory"), [
    ("/var/log/*.gz", "not-found", "/var/log"), ("*.txt", "not-found", "DIRECTORY"), ("/a/x[1-3]", "not-found", "/a"),
    ("/a/b?", "not-found", "/a"), ("/a/b", "not-found", ""), ("/a/*", "permission", ""), ("/a/*", "", ""),
])  # fmt: skip
def test_who_gives_a_pattern_is_told_what_to_give(source: str, cause: str, directory: str) -> None:
    found = SimpleNamespace(hosts={"h1": Outcome(True), "h2": Outcome(not cause, cause=cause)})
    lines = _about_patterns(["/etc/hosts", source], found)
    expected = f"pull: {source}: patterns are not expanded on hosts: name the files, or pull all of {directory}"
    assert lines == ([expected] if directory else [])
