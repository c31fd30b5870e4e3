"""One look at each client: real processes that are called ssh and have open what ssh has."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mpboot.inspect import look
from mpboot.inspect.look import NAMES, Client, Inspector, see
from mpboot.inspect.netlink import TcpConnection

Begin = Callable[..., "subprocess.Popen[bytes]"]
BEGINNING = "import os, signal, socket, sys\nfds = []\n"
END = "\nos.write(1, b'ready\\n')\nwhile True: signal.pause()\n"


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts a process of a name with something open, and waits until it has it; all are ended after the test."""
    with contextlib.ExitStack() as ends:

        def started(code: str = "", *, name: str = "ssh", **options: Any) -> subprocess.Popen[bytes]:
            program = tmp_path / name
            if not program.exists():
                program.symlink_to(os.path.realpath(sys.executable))
            argv = [str(program), "-I", "-S", "-c", BEGINNING + code + END]
            process = subprocess.Popen(argv, **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options})
            ends.enter_context(process)
            ends.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            return process

        yield started


@pytest.fixture
def server() -> Iterator[str]:
    """Where a process can connect to; Python's words for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname())


def looked(process: subprocess.Popen[bytes], **options: Any) -> Client:
    found = Inspector(pids=[process.pid], **options).look()
    assert list(found) == [process.pid]
    return found[process.pid]


# -- what is seen of one ---------------------------------------------------------------------------


def test_the_process_itself(begin: Begin) -> None:
    process = begin("sum(range(3_000_000))")
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    client = looked(process)
    assert (client.pid, client.name, client.user) == (process.pid, "ssh", psutil.Process().username())
    assert client.command == process.args
    assert client.status == psutil.STATUS_STOPPED
    assert 0 < client.age < 30
    assert 0 < client.cpu < 10
    assert client.reads > 0
    assert client.writes >= 1
    assert client.written >= 6  # «ready»
    assert client.stdin.startswith("pipe:[")
    assert (client.tcp, client.copies, client.prompt, client.echo, client.asks) == ([], False, "", True, "")
    assert (client.shares, client.via, client.below) == (False, None, [])
    assert client.terminal == (client.process.terminal() or "")
    assert client.waits_in == Path(f"/proc/{process.pid}/wchan").read_text()


def test_counters_change_with_whatever_it_does(begin: Begin) -> None:
    process = begin("import threading\ndef f():\n while True: os.write(1, os.read(0, 1))\n"
                    "threading.Thread(target=f, daemon=True).start()")  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    first = looked(process)
    assert looked(process).counters == first.counters
    process.stdin.write(b"x")
    process.stdin.flush()
    assert process.stdout.read(1) == b"x"
    second = looked(process)
    assert (second.reads, second.writes, second.written) == (first.reads + 1, first.writes + 1, first.written + 1)
    assert second.counters != first.counters


def test_its_connections_in_the_order_in_which_they_were_opened(begin: Begin, server: str) -> None:
    client = looked(begin(f"fds += [socket.create_connection({server}) for _ in range(2)]"))
    assert [tcp.exact for tcp in client.tcp] == [True, True]
    host, port = eval(server)
    assert {tcp.peer for tcp in client.tcp} == {f"{host}:{port}"}
    assert (client.shares, client.copies) == (False, False)


def test_without_netlink_psutil_tells_the_peer(begin: Begin, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "connections_by_inode", dict)
    client = looked(begin(f"fds += [socket.create_connection({server}) for _ in range(2)]"))
    host, port = eval(server)
    assert client.tcp == [TcpConnection("ESTABLISHED", f"{host}:{port}")] * 2


@pytest.mark.parametrize("fd", [0, 2])
def test_copies_of_its_input_or_errors_say_that_it_is_logged_in(begin: Begin, fd: int) -> None:
    assert looked(begin(f"os.dup({fd})", stderr=subprocess.PIPE)).copies


def test_a_copy_of_its_output_says_nothing(begin: Begin) -> None:
    assert not looked(begin("os.dup(1)", stderr=subprocess.DEVNULL)).copies


def test_a_forwarded_port_says_that_it_is_logged_in(begin: Begin, server: str) -> None:
    client = looked(begin(f"fds += [socket.create_connection({server}), socket.create_server(('127.0.0.1', 0))]"))
    assert client.copies
    assert [tcp.state for tcp in client.tcp] == ["ESTABLISHED"]


def test_a_master_listens_at_a_path(begin: Begin, tmp_path: Path) -> None:
    client = looked(begin(f"fds += [socket.socket(socket.AF_UNIX)]; fds[0].bind({str(tmp_path / 'm')!r})"))
    assert (client.copies, client.shares, client.tcp) == (True, True, [])


def test_who_uses_a_master_shares_its_connection(begin: Begin) -> None:
    client = looked(begin("fds += socket.socketpair()"))
    assert (client.copies, client.shares, client.tcp) == (False, True, [])


def test_the_name_server_that_is_asked(begin: Begin) -> None:
    asked = looked(begin("fds += [socket.socket(type=socket.SOCK_DGRAM)]; fds[0].connect(('127.0.0.53', 53))"))
    assert (asked.asks, asked.tcp, asked.shares) == ("127.0.0.53", [], False)
    assert looked(begin("fds += [socket.socket(type=socket.SOCK_DGRAM)]")).asks == ""


# -- a terminal ------------------------------------------------------------------------------------


@pytest.fixture
def terminal() -> Iterator[int]:
    """The lower end of a terminal that is new, so psutil must look which there are."""
    upper, lower = pty.openpty()
    psutil._psposix.get_terminal_map.cache_clear()  # type: ignore[attr-defined]
    yield lower
    os.close(upper)
    os.close(lower)


@pytest.mark.parametrize("echo", [True, False])
def test_a_question_at_a_terminal(begin: Begin, terminal: int, echo: bool) -> None:
    if not echo:
        settings = termios.tcgetattr(terminal)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, settings)
    name = os.ttyname(terminal)
    has_one = f"os.setsid(); fds += [os.open({name!r}, os.O_RDWR)]"
    client = looked(begin(f"{has_one}; fds += [os.open('/dev/tty', os.O_RDWR)]"))
    assert (client.terminal, client.prompt, client.echo) == (name, name, echo)
    client.process.kill()
    client.process.wait()
    silent = looked(begin(has_one))
    assert (silent.terminal, silent.prompt, silent.echo) == (name, "", True)
    assert looked(begin("", stdin=terminal)).stdin == name


def test_a_terminal_that_can_not_be_looked_at() -> None:
    assert look._echoes("/no/such/terminal")
    assert look._echoes("/dev/null")


# -- what others do for it -------------------------------------------------------------------------


def child(tmp_path: Path, name: str, code: str) -> str:
    """Python's words for starting a process below, and waiting until it is there."""
    program = tmp_path / name
    program.symlink_to(os.path.realpath(sys.executable))
    argv = [str(program), "-I", "-S", "-c", BEGINNING + code + END]
    return (
        "(r, w) = os.pipe()\nif not os.fork():\n os.dup2(w, 1); os.close(r); os.close(w)\n"
        f" os.execv({argv[0]!r}, {argv!r})\nos.close(w)\nos.read(r, 6)\nos.close(r)\n"
    )


def kill_below(client: Client) -> None:
    for process in client.below:
        process.kill()


def test_a_program_that_connects_for_it(begin: Begin, server: str, tmp_path: Path) -> None:
    below = child(tmp_path, "nc", f"fds += [socket.create_connection({server})]")
    client = looked(begin(below))
    try:
        assert [process.name() for process in client.below] == ["nc"]
        assert client.via == client.below[0]
        host, port = eval(server)
        assert [tcp.peer for tcp in client.tcp] == [f"{host}:{port}"]
        assert (client.prompt, client.copies) == ("", False)
    finally:
        kill_below(client)


def test_a_program_that_asks_for_a_password(begin: Begin, tmp_path: Path) -> None:
    client = looked(begin(child(tmp_path, "ssh-askpass", "")))
    try:
        assert (client.prompt, client.echo, client.via, client.tcp) == ("ssh-askpass", False, None, [])
    finally:
        kill_below(client)


def test_a_terminal_below(begin: Begin, terminal: int, tmp_path: Path) -> None:
    """The ssh that connects for it asks for the password of the host in between."""
    name = os.ttyname(terminal)
    asks = f"os.setsid(); fds += [os.open({name!r}, os.O_RDWR), os.open('/dev/tty', os.O_RDWR)]"
    client = looked(begin(child(tmp_path, "other", asks)))
    try:
        assert (client.prompt, client.echo, client.terminal != name) == (name, True, True)
    finally:
        kill_below(client)


def test_who_has_a_connection_does_it_himself(begin: Begin, server: str, tmp_path: Path) -> None:
    below = child(tmp_path, "ssh-askpass", "")
    client = looked(begin(f"{below}\nfds += [socket.create_connection({server})]"))
    try:
        assert (client.prompt, client.via, len(client.below), len(client.tcp)) == ("", None, 1, 1)
    finally:
        kill_below(client)


# -- who is looked at ------------------------------------------------------------------------------


@pytest.mark.long
def test_clients_by_name(begin: Begin) -> None:
    process, other = begin(), begin(name="mine")
    assert process.pid in Inspector().look()
    assert other.pid not in Inspector().look()
    assert {process.pid, other.pid} <= set(Inspector(["mine"]).look())
    assert {"ssh", "slogin", "rsh", "rlogin", "remsh", "plink", "dbclient"} <= set(NAMES)
    assert Inspector(["mine"]).names == {*NAMES, "mine"}


def test_only_those_that_are_named(begin: Begin) -> None:
    one, two = begin(), begin()
    assert list(Inspector(pids=[two.pid, one.pid]).look()) == [two.pid, one.pid]
    assert list(Inspector(pids=[one.pid, 999_999_999]).look()) == [one.pid]
    assert Inspector(pids=[one.pid, 999_999_999, two.pid]).missing() == [999_999_999]


def test_clients_of_others_only_for_everybody(monkeypatch: pytest.MonkeyPatch, begin: Begin) -> None:
    process = begin()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert process.pid not in Inspector().look()
    assert process.pid in Inspector(everybody=True).look()


def test_a_wrapper_is_looked_through(begin: Begin, tmp_path: Path) -> None:
    nothing = begin(name="wrapper")
    assert looked(nothing).name == "wrapper"
    wrapper = begin(child(tmp_path, "ssh", ""), name="script")
    (client,) = Inspector(pids=[wrapper.pid]).look().values()
    try:
        assert (client.name, client.process.ppid()) == ("ssh", wrapper.pid)
    finally:
        client.process.kill()


def test_a_client_is_not_looked_through(begin: Begin, tmp_path: Path) -> None:
    """ssh -J starts another ssh."""
    outer = begin(child(tmp_path, "rsh", ""))
    client = looked(outer)
    kill_below(client)
    assert [process.name() for process in client.below] == ["rsh"]


def test_all_below_the_nearest_first() -> None:
    assert look._below(1, {1: [2, 3], 2: [4], 4: [5], 3: [6], 9: [7]}) == [2, 3, 4, 6, 5]
    assert look._below(7, {1: [2]}) == []


# -- what can't be seen ----------------------------------------------------------------------------


def test_a_zombie(begin: Begin) -> None:
    process = begin()
    known = psutil.Process(process.pid)
    known.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    client = looked(process)
    assert (client.name, client.status, client.stdin, client.tcp) == ("ssh", psutil.STATUS_ZOMBIE, "", [])


def test_who_has_ended_is_left_out(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    process = begin()
    (known,) = (one for one in psutil.process_iter(["name", "ppid", "uids"]) if one.pid == process.pid)
    process.kill()
    process.wait()
    with pytest.raises(psutil.NoSuchProcess):
        see(known, {})
    monkeypatch.setattr(psutil, "process_iter", lambda _: iter([known]))
    assert Inspector(pids=[process.pid]).look() == {}


class Hidden:
    """A process of another user's, of which only the name and the like are seen."""

    pid = 999_999_999

    def __init__(self) -> None:
        self.info = {"name": None, "ppid": 1, "uids": None}

    def oneshot(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def status(self) -> str:
        return "sleeping"

    def create_time(self) -> float:
        return 1e12  # the clock was set back

    def cpu_times(self) -> tuple[float, ...]:
        return (1.0, 2.0, 4.0)

    def username(self) -> str:
        return "ann"

    def refuse(self) -> None:
        raise psutil.AccessDenied(self.pid)

    cmdline = terminal = io_counters = refuse


def test_what_is_not_ours_to_see_stays_empty() -> None:
    client = see(Hidden(), {})  # type: ignore[arg-type]
    assert (client.name, client.user, client.status, client.age, client.cpu) == ("?", "ann", "sleeping", 0.0, 3.0)
    assert (client.command, client.terminal, client.reads, client.writes, client.written) == ([], "", -1, -1, -1)
    assert (client.waits_in, client.stdin) == ("", "")
