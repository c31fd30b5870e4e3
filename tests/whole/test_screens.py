"""The real command's display on real terminals: of many sizes, resized, in the background, shared with a reader."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.cluster import need_programs
from tests.support.run_mpboot import LOCAL, LOGIN, MPBOOT, environment, mpboot, processes_with, script
from tests.support.terminal import Terminal
from tests.support.tmux import Tmux, own_tmux
from tests.support.waiting import until

BAR = "━"
HINT = "shows all"
PATIENT = ("--timeout", "60", "--retries", "1")


@pytest.fixture
def rsh(tmp_path: Path) -> str:
    """h1 to h9 hang, h10 is refused, the others are good."""
    text = f"case $host in h?) exec sleep 99;; h10) echo 'Connection refused' >&2; exit 255;; esac; {LOGIN}"
    return script(tmp_path / "rsh", text)


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    made = Terminal(*getattr(request, "param", (80, 24)))
    yield made
    made.close()


def hanging(count: int) -> str:
    return f"h[{10 - count}-15]"


def bar_of(terminal: Terminal) -> list[str]:
    """The colours of the columns of the bar: it is the first line of the screen."""
    line = terminal.screen.buffer[0]
    assert line[0].data == BAR, terminal.screen.display
    return [line[column].fg for column in range(terminal.screen.columns) if line[column].data == BAR]


SIZES = [((80, 24), 4), ((100, 30), 5), ((200, 50), 8), ((40, 10), 3), ((0, 0), 4)]


def seconds(lines: list[str]) -> float:
    """The time that the display shows."""
    found = [re.search(r" launching .* ([0-9.]+) s$", line) for line in lines]
    return max((float(one[1]) for one in found if one), default=0.0)


@pytest.mark.long
@pytest.mark.parametrize(("terminal", "rows"), SIZES, indirect=["terminal"])
def test_each_size_is_used_and_none_is_left(terminal: Terminal, rows: int, rsh: str) -> None:
    with terminal.start("--hosts", hanging(9), "--rsh", rsh, *PATIENT) as run:
        terminal.until("5/15 up  9 launching  1 failed")
        terminal.until(f"{HINT} 9 launches")
        while sum("gives up in" in line for line in terminal.lines()) < rows:  # as soon as all have been looked at
            assert terminal.look(10), terminal.screen.display
        shown = terminal.lines()
        columns = terminal.screen.columns
        assert len(shown) == rows + 4
        assert max(map(len, shown)) < columns, "a full line would go on in the next"
        assert shown[1].startswith("5/15 up  9 launching  1 failed")
        assert shown[2].startswith("h10 failed: refused")
        assert all(line.split("  ")[0].strip() in {f"h{number}" for number in range(1, 10)} for line in shown[3:-1])
        assert shown[-1] == f"kill -USR1 {run.process.pid} shows all 9 launches"[: columns - 1]
        bar = bar_of(terminal)
        assert len(bar) == columns - 1
        assert bar.count("green") == pytest.approx(len(bar) / 3, abs=2)
        assert bar.count("red") == pytest.approx(len(bar) / 15, abs=2)
        terminal.type("\x03")
        terminal.until_closed()
        assert run.end() == 130
    left = terminal.lines()
    assert not any(BAR in line or HINT in line for line in left), left


def test_all_is_well_is_not_red(terminal: Terminal, tmp_path: Path) -> None:
    slow = script(tmp_path / "rsh", f"case $host in h1) sleep 1;; esac; {LOGIN}")
    with terminal.start("--hosts", "h[1-9]", "--rsh", slow) as run:
        terminal.until("8/9 up")
        assert set(bar_of(terminal)) == {"green", "default"}
        terminal.until_closed()
        assert run.end() == 0


@pytest.mark.long
def test_a_window_that_is_resized(terminal: Terminal, rsh: str) -> None:
    with terminal.start("--hosts", hanging(9), "--rsh", rsh, *PATIENT) as run:
        terminal.until(HINT)
        for columns, lines in ((120, 40), (60, 24), (200, 50), (80, 24)):
            terminal.resize(columns, lines)
            terminal.until(BAR * (columns - 1))
            until_drawn = terminal.seen.count(b"launches")
            while terminal.seen.count(b"launches") == until_drawn:  # the whole of a frame
                assert terminal.look(10)
            shown = terminal.lines()
            assert [line for line in shown if BAR in line] == [BAR * (columns - 1)], "no other bar is left"
            assert sum("launching" in line for line in shown) == 1
        terminal.type("\x03")
        terminal.until_closed()
        assert run.end() == 130


@pytest.mark.long
def test_what_is_typed_for_the_command_is_not_drawn_over(terminal: Terminal, rsh: str) -> None:
    words = ("--hosts", "h[9-15]", "--rsh", rsh, "--timeout", "4", "--retries", "0", "--stdin", "-", "--", "cat")
    with terminal.start(*words) as run:
        terminal.until(" of 7 up")  # in plain lines, as where there is no terminal
        terminal.type("hello\n\x04")
        terminal.until_closed()
        assert BAR.encode() not in terminal.seen
        assert {f"h{number}: hello" for number in range(11, 16)} <= set(terminal.lines())
        assert run.end() == 1


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    need_programs("tmux")
    with own_tmux() as made:
        yield made


@pytest.mark.long
def test_a_window_that_is_tiny_for_a_while(tmux: Tmux, tmp_path: Path) -> None:
    """tmux wraps what is there, keeps what moves out of the window, and has it back when it is large again."""

    def history() -> list[str]:
        return [line for line in tmux("capture-pane", "-p", "-S", "-").splitlines() if line]

    def told() -> str:
        return "\n".join(history())

    def launched_anew() -> bool:
        try:
            go.write_text("\n")
        except BrokenPipeError:  # who read the last one was still there
            return False
        return True

    def resize(columns: int, lines: int) -> None:
        """The program knows at once: tmux draws on the new screen some time before it says that there is one."""
        shell, tty = tmux("display-message", "-p", "#{pane_pid} #{pane_tty}").split()
        (child,) = psutil.Process(int(shell)).children()
        child.suspend()
        tmux("resize-window", "-x", str(columns), "-y", str(lines))
        with Path(tty).open() as terminal:
            until(lambda: os.get_terminal_size(terminal.fileno()) == (columns, lines), 20.0, told)
        child.resume()

    def later_than(time: float) -> Callable[[], bool]:
        return lambda: seconds(history()) > time

    go, code = tmp_path / "go", tmp_path / "code"
    os.mkfifo(go)
    rsh = script(tmp_path / "rsh", f"case $host in a) exec sleep 99;; b) read x <{go}; exit 3;; esac; {LOGIN}")
    words = [*MPBOOT, "--hosts", "a,b,c", "--rsh", rsh, "--timeout", "60", "--retries", "9"]
    line = f"echo above; env -u TMUX {shlex.join(words)}; echo $? >{code}.new; mv {code}.new {code}; exec sleep 99"
    tmux("new-session", "-d", "-x", "80", "-y", "24", f"trap : INT; cd {Path.cwd()}; {line}")
    tmux("set", "-g", "window-size", "manual")
    until(lambda: any(HINT in one for one in history()), 20.0, told)
    for columns, lines in ((1, 1), (80, 2), (1, 1)):
        resize(columns, lines)
        for _ in range(3):  # who reads the next one has been launched anew: there was something to draw
            until(launched_anew, 20.0, told)
        resize(80, 24)
        until(later_than(seconds(history())), 20.0, told)
    shown_at_last = history()
    assert shown_at_last[0] == "above"
    assert [sum(text in one for one in shown_at_last) for text in (BAR, " launching ", HINT)] == [1, 1, 1]
    tmux("send-keys", "C-c")
    until(code.exists, 20.0, told)
    assert code.read_text() == "130\n"
    assert not any(BAR in one for one in history())


@pytest.mark.long
def test_a_session_that_begins_shows_what_takes_long_too(terminal: Terminal, rsh: str) -> None:
    with tempfile.TemporaryDirectory(prefix="mpr-") as runtime:
        words = ("--hosts", hanging(2), "--rsh", rsh, *PATIENT, "--keep")
        with terminal.start(*words, variables={"XDG_RUNTIME_DIR": runtime}) as run:
            terminal.until(HINT)
            assert [line.split()[0] for line in terminal.lines()[3:5]] == ["h8", "h9"]
            terminal.type("\x03")
            terminal.until_closed()
            assert run.end() == 130


def test_a_command_in_a_session_shows_where_it_still_runs(tmp_path: Path) -> None:
    """What it prints is whole, the display goes with its end, and SIGUSR1 tells all of it."""
    go = tmp_path / "go"
    os.mkfifo(go)
    with tempfile.TemporaryDirectory(prefix="mpr-") as runtime:
        variables = {"XDG_RUNTIME_DIR": runtime}
        try:
            assert mpboot("--hosts", "h[1-5]", *LOCAL, "--keep", **variables).returncode == 0
            terminal = Terminal()
            waits = f"echo $MPBOOT_HOST; case $MPBOOT_HOST in h[12]) read x <{go};; h3) exit 3;; esac"
            with terminal.start("exec", "--", "sh", "-c", waits, variables=variables) as run:
                terminal.until(HINT)
                lines = terminal.lines()
                assert sorted(lines[:5]) == [f"h{number}: h{number}" for number in range(1, 6)]
                assert lines[6].startswith("3/5 ended  1 not with 0  ")
                assert lines[7:] == ["runs on h[1-2]", f"kill -USR1 {run.process.pid} shows all hosts on which it runs"]
                bar = [terminal.screen.buffer[5][column].fg for column in range(79)]
                assert [bar.count(colour) for colour in ("green", "red", "default")] == [33, 15, 31]
                run.process.send_signal(signal.SIGUSR1)
                terminal.until("the command has ended on 3 of 5, and runs on 2 hosts: h[1-2]")
                go.write_text("\n\n")
                terminal.until_closed()
                assert run.process.wait(10) == 3
            assert not any(BAR in line for line in terminal.lines())
            terminal.close()
        finally:
            mpboot("halt", **variables)


class TestShell:
    """A shell with job control in a terminal, in which the command is typed."""

    @pytest.fixture
    def mark(self) -> str:
        return f"MARK_OF_A_TEST={os.getpid()}.{os.urandom(8).hex()}"

    @pytest.fixture
    def shell(self, terminal: Terminal, mark: str) -> Iterator[Terminal]:
        name, value = mark.split("=")
        program = terminal.run(["bash", "--norc", "--noprofile", "-i"], env=environment(**{name: value, "PS1": "$ "}))
        terminal.until("$ ")
        yield terminal
        for pid in processes_with(mark):
            with contextlib.suppress(ProcessLookupError):  # they end with each other
                os.kill(pid, signal.SIGKILL)
        program.wait()

    def typed(self, *words: str) -> str:
        return " ".join([sys.executable, "-m", "mpboot", *words])

    @pytest.mark.long
    def test_ctrl_z_and_fg(self, shell: Terminal, rsh: str, mark: str) -> None:
        shell.type(self.typed("--hosts", f"'{hanging(3)}'", "--rsh", rsh, *PATIENT) + "\n")
        shell.until(HINT)
        shell.type("\x1a")
        shell.until("Stopped")
        assert not any(BAR in line or "launching" in line for line in shell.lines()), shell.lines()
        shell.type("echo is-$((40 + 2))\n")
        shell.until("is-42")
        assert any("echo is-" in line for line in shell.lines()), "what is typed is seen"
        shell.type("fg\n")
        shell.until(BAR)
        shell.until(HINT)
        shown = shell.lines()
        assert "is-42" in shown, "nothing above is lost"
        shell.type("\x1a")
        while sum("Stopped" in line for line in shell.lines()) < 2:
            assert shell.look(10)
        shell.type("fg\n")
        shell.until(HINT)
        shell.type("\x03")
        shell.until("interrupted: ")
        shell.type("echo code $?\n")
        shell.until("code 130")
        assert not any(BAR in line for line in shell.lines())
        until(lambda: len(processes_with(mark)) <= 1, 5.0, lambda: f"left: {processes_with(mark)}")

    @pytest.mark.long
    def test_nothing_is_drawn_in_the_background(self, shell: Terminal, rsh: str) -> None:
        shell.type(self.typed("--hosts", f"'{hanging(3)}'", "--rsh", rsh, *PATIENT, "--deadline", "4") + " &\n")
        shell.until("deadline reached: 5 of 9 hosts up")
        assert BAR.encode() not in shell.seen
        assert b"gives up" not in shell.seen

    @pytest.mark.long
    @pytest.mark.parametrize("reader", ["cat", "tee {log}", 'while read -r l; do echo "$l"; done', "sort"])
    def test_a_reader_on_the_same_screen(self, shell: Terminal, rsh: str, tmp_path: Path, reader: str) -> None:
        command = "sh -c 'for i in 1 2 3; do echo line $i; sleep 0.7; done'"
        words = ("--hosts", f"'{hanging(2)}'", "--rsh", rsh, *PATIENT, "--", command)
        shell.type(f"{self.typed(*words)} | {reader.format(log=tmp_path / 'log')}\n")
        shell.until(HINT)
        told = [f"h{host}: line {number}" for host in range(11, 16) for number in (1, 2, 3)]
        shown = shell.lines()
        if reader != "sort":
            assert sorted(line for line in shown if ": line" in line) == sorted(told)
        assert sum(BAR in line for line in shown) == 1, "and below it the display"
        assert shown[-1].endswith("shows all 2 launches")
        shell.type("\x03")
        shell.until("$ ")


@pytest.mark.long
def test_the_table_of_sigusr1_is_not_cut_within_words(terminal: Terminal, tmp_path: Path) -> None:
    rsh = script(tmp_path / "rsh", "exec sleep 99")
    hosts = ",".join(f"compute-{number:03}.rack-7.example.org" for number in range(3))
    with terminal.start("--hosts", hosts, "--rsh", rsh, *PATIENT) as run:
        terminal.until(HINT)
        run.process.send_signal(signal.SIGUSR1)
        terminal.until("launches under way")
        terminal.until("compute-002")
        terminal.type("\x03")
        terminal.until_closed()
        assert run.end() == 130
    words = {word for line in terminal.lines() for word in line.split()}
    assert {"WAITS", "FOR", "SECONDS", "connect", "rsh", "to"} <= words
