"""Programs that use the whole screen, on a terminal of a riding ssh: vi, top and less, seen in tmux."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cluster import need_programs
from tests.support.rider import Rider, rides
from tests.support.tmux import Tmux, own_tmux
from tests.support.waiting import until


@pytest.fixture(scope="module")
def user() -> Iterator[Rider]:
    need_programs("tmux", "vim.tiny", "less", "top")
    with rides("h[1-2]") as made:
        yield made


class Screen:
    """A terminal in tmux, in which a riding ssh runs a command on h1."""

    def __init__(self, tmux: Tmux, user: Rider, command: str) -> None:
        self.tmux = tmux
        line = f"PATH={user.bin}:$PATH ssh -t h1 '{command}'; echo code $?; exec sleep 1000"
        self.tmux("new-session", "-d", "-x", "80", "-y", "24", "sh", "-c", line)

    @property
    def lines(self) -> list[str]:
        """What is on it."""
        return [line.rstrip() for line in self.tmux("capture-pane", "-p").split("\n")[:-1]]

    def type(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def shows(self, text: str, row: int | None = None) -> None:
        """Wait until it does, in this row if one is given."""

        def there() -> bool:
            lines = self.lines
            return text in (lines[row] if row is not None else "\n".join(lines))

        until(there, 20.0, lambda: "\n".join(self.lines))


@contextmanager
def screen(user: Rider, command: str) -> Iterator[Screen]:
    with own_tmux(user.environment) as tmux:
        yield Screen(tmux, user, command)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A file of numbered lines."""
    path = tmp_path / "numbers"
    path.write_text("".join(f"line {number}\n" for number in range(1, 201)))
    return path


def test_vi(user: Rider, text: Path) -> None:
    with screen(user, f"vim.tiny -N -u NONE {text}") as seen:
        seen.shows("line 23", row=22)
        seen.resize(100, 40)
        seen.shows("line 39", row=38)
        seen.type("dd", ":wq", "Enter")
        seen.shows("code 0")
    assert text.read_text().startswith("line 2\n")


def test_less(user: Rider, text: Path) -> None:
    with screen(user, f"less {text}") as seen:
        seen.shows("line 23", row=22)
        seen.resize(70, 12)
        seen.shows(":", row=11)
        seen.type("G")
        seen.shows("line 200", row=10)
        seen.type("q")
        seen.shows("code 0")


def test_top_and_the_keys_of_the_terminal(user: Rider) -> None:
    with screen(user, "top -d 60") as seen:
        seen.shows("PID", row=6)
        seen.type("C-c")
        seen.shows("code ")


def test_suspending_goes_to_the_far_side(user: Rider) -> None:
    """Ctrl-Z stops what runs there, under the shell there; the ssh here goes on."""
    shell = shutil.which("bash") or "sh"
    with screen(user, f"{shell} --norc -i") as seen:
        seen.type("echo $((6*7)); sleep 982", "Enter")
        seen.shows("42")
        until(lambda: user.runs("sleep 982"))
        seen.type("C-z")
        seen.shows("Stopped")
        seen.type("fg", "Enter")
        seen.shows("fg")
        seen.type("C-c")
        until(lambda: not user.runs("sleep 982"))
        seen.type("exit 5", "Enter")
        seen.shows("code 5")


def test_a_window_whose_program_has_left_its_terminal_changes_no_other_s(user: Rider) -> None:
    """Its end of that terminal is closed, and the next terminal has its number."""
    with screen(user, "exec sleep 983 </dev/null >/dev/null 2>&1") as left:
        until(lambda: user.runs("sleep 983"))
        with screen(user, "while read x; do stty size; done") as other:
            other.type("Enter")
            other.shows("24 80")
            left.resize(100, 30)
            until(lambda: "100" in left.tmux("list-windows", "-F", "#{window_width}"))
            user.ssh("h1", "true")  # what was said before this has come
            other.type("Enter")
            until(lambda: other.lines.count("24 80") == 2, 10.0, lambda: str(other.lines))
