"""What psutil can see of running processes: real ones, real connections, a real terminal."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mpboot.workers import sight as module
from mpboot.workers.sight import Scan, Sight, terminal, unread
from tests.workers.given import LONG, end_session

Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Have lines of shell run in a session of their own, with pipes."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(lines: str) -> subprocess.Popen[bytes]:
        started.append(
            subprocess.Popen(["sh", "-c", lines], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        )
        return started[-1]

    yield begin
    for shell in started:
        end_session(shell)


def line_of(shell: subprocess.Popen[bytes]) -> str:
    assert shell.stdout
    return shell.stdout.readline().decode().strip()


def python(code: str) -> str:
    """A command line that runs this."""
    return f"exec {sys.executable} -S -c '{code}'"


def test_a_family_is_a_session_and_what_descends_from_it(start: Start) -> None:
    shell = start("sleep 60 & echo $!; setsid sh -c 'echo $$; sleep 60 & echo $!; wait'; wait")
    pids = {shell.pid, *(int(line_of(shell)) for _ in range(3))}
    seen = [process.pid for process in Scan().family(shell.pid)]
    assert pids <= set(seen)
    assert seen == sorted(seen)
    assert os.getpid() not in seen


def test_of_one_that_is_gone_nothing_is_seen(start: Start) -> None:
    shell = start("exit 0")
    shell.wait(LONG)
    assert Scan().family(shell.pid) == []
    assert Scan().look(shell.pid).pids == []
    assert (unread(shell.pid), Sight().unread) == (-1, -1)


def test_connections_are_seen_with_their_peers(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code = f'import _socket; s = _socket.socket(); s.connect(("127.0.0.1", {port})); print(flush=True); s.recv(1)'
        shell = start(python(code))
        line_of(shell)
        sight = Scan().look(shell.pid)
    assert sight.tcp == [("ESTABLISHED", f"127.0.0.1:{port}")]


def test_reads_writes_and_time_are_counted(start: Start) -> None:
    shell = start("echo ready; while read line; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; done")
    assert shell.stdin
    line_of(shell)
    before = Scan().look(shell.pid)
    shell.stdin.write(b"go\n")
    shell.stdin.flush()
    line_of(shell)
    after = Scan().look(shell.pid)
    assert (after.pids, after.tty, after.tcp) == (before.pids, "", [])
    assert after.reads > before.reads
    assert after.writes > before.writes
    assert after.cpu >= before.cpu
    assert after.moved_since(before)


def test_a_stopped_process_is_seen_as_such(start: Start) -> None:
    shell = start("kill -STOP $$")
    os.waitid(os.P_PID, shell.pid, os.WSTOPPED)
    assert Scan().look(shell.pid).statuses == ["stopped"]


def test_what_waits_in_its_stdin(start: Start) -> None:
    shell = start("read line; echo $line; exec sleep 60")
    assert shell.stdin
    shell.stdin.write(b"first\nsecond")
    shell.stdin.flush()
    assert line_of(shell) == "first"
    assert unread(shell.pid) == len("second")
    assert Scan().look(shell.pid).unread == len("second")


def test_a_stdin_that_can_not_be_asked(start: Start) -> None:
    shell = start("exec < /dev/null; echo; exec sleep 60")
    line_of(shell)
    assert unread(shell.pid) == -1


def test_a_terminal_that_it_opened(start: Start) -> None:
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    shell = start(f"exec 7<>{name}; echo; exec sleep 60")
    line_of(shell)
    assert terminal(shell.pid) == name
    assert Scan().look(shell.pid).tty == name
    as_stdio = start(f"exec 2<>{name}; echo; exec sleep 60")
    line_of(as_stdio)
    assert terminal(as_stdio.pid) == ""
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("field", "value", "moved"),
    [
        ("pids", [1, 2], True), ("reads", 1, True), ("writes", 1, True), ("tcp", [("a", "b")], True),
        ("unread", 0, True), ("cpu", 0.021, True), ("cpu", 0.019, False), ("cpu", -1.0, False),
        ("statuses", ["x"], False), ("tty", "x", False),
    ],
)  # fmt: skip
def test_what_counts_as_movement(field: str, value: object, moved: bool) -> None:
    before, after = Sight(), Sight()
    assert not after.moved_since(before)
    setattr(after, field, value)
    assert after.moved_since(before) is moved


# -- psutil itself ---------------------------------------------------------------------------------

FIND = (
    "import sys; before = list(sys.path); from mpboot.workers import sight\n"
    "found = sight.psutil(sys.argv[1:]); again = sight.psutil()\n"
    "print(found and found.__file__, found is again, sys.path == before)"
)


def found(*arguments: str, options: str = "-S", **environment: str) -> list[str]:
    """What a Python without site directories finds."""
    root = str(Path(module.__file__).parents[2])
    run = subprocess.run(
        [sys.executable, options, "-c", FIND, *arguments], capture_output=True, text=True, check=True, timeout=LONG,
        cwd=root, env={"PATH": os.environ["PATH"], **environment},
    )  # fmt: skip
    return run.stdout.split()


def test_psutil_is_looked_for_where_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "psutil.py").write_text("")
    assert found(str(tmp_path)) == [str(tmp_path / "psutil.py"), "True", "True"]


def test_then_in_the_site_directories() -> None:
    where, same, path_is_kept = found()
    assert where == "None" or Path(where).is_absolute()
    assert (same, path_is_kept) == ("True", "True")


def test_where_there_is_none_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setattr(module, "_loaded", [])
    assert module.psutil() is None
    with pytest.raises(RuntimeError, match="not installed"):
        Scan()
    monkeypatch.setitem(sys.modules, "psutil", psutil)
    assert module.psutil() is None  # the first call decides
