"""The root's process, really started: its line, its end; and what it is sent first."""

from __future__ import annotations

import fcntl
import json
import marshal
import os
import select
import signal
import socket
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mpboot.head.options import Options
from mpboot.head.root import CALL_BACK, NAMED, NO_KEY, Root, first_messages, psutil_left_out
from mpboot.hosts.host import Host
from mpboot.net import messages, wire
from mpboot.net.answer import Answer
from mpboot.net.jobs import Run
from mpboot.node import bundle
from mpboot.tree.ledger import HEAD
from mpboot.workers.sight import only

F_SETPIPE_SZ = 1031  # fcntl has no name for it before Python 3.10
LONG = 20.0  # seconds that are never waited for


class Started:
    """A root, and its line, read without a loop."""

    def __init__(self) -> None:
        self.root = Root(silence=LONG)
        self.session = Answer(lambda *_: self.root.key, bytes(16))
        self.line = socket.socket(fileno=self.root.fd)
        self.line.settimeout(LONG)

    def message(self) -> wire.Message:
        """The next that it says."""
        while True:
            got = self.session.feed(self.line.recv(1 << 16))
            self.flush()
            if got:
                return got[0]

    def flush(self) -> None:
        """Send what is to be sent."""
        self.line.sendall(self.session.out)
        self.session.out.clear()


@pytest.fixture
def started() -> Iterator[Started]:
    made = Started()
    yield made
    made.line.close()
    made.root.end(0.0)


@pytest.fixture
def pid(started: Started) -> int:
    """…of the root, which has said HELLO."""
    kind, body = started.message()
    assert kind == wire.HELLO
    said: dict[str, Any] = json.loads(body)
    assert (said["id"], said["rank"]) == (0, HEAD)
    return int(said["pid"])


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_knows_the_secret_and_has_a_session_of_its_own(pid: int) -> None:
    """…so that Ctrl-C on the terminal reaches the front door alone."""
    assert os.getsid(pid) == pid
    assert pid != os.getpid()


def test_secrets_differ(started: Started) -> None:
    other = Started()
    assert len(started.root.key) == wire.KEY_BYTES
    assert started.root.key != other.root.key
    other.line.close()
    other.root.end(LONG)


def test_it_holds_nothing_of_ours_but_its_line(pid: int) -> None:
    links = {path.name: str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    assert links["1"] == "/dev/null"
    assert sum(link.startswith("socket:") for link in links.values()) == 1


def test_stop_ends_it(started: Started, pid: int) -> None:
    started.session.send(wire.STOP, b"15")
    started.flush()
    begin = time.monotonic()
    started.root.end(LONG)
    assert time.monotonic() - begin < LONG / 2
    assert not is_there(pid)


def test_the_end_of_the_line_ends_it(started: Started, pid: int) -> None:
    started.line.close()
    begin = time.monotonic()
    started.root.end(LONG)
    assert time.monotonic() - begin < LONG / 2
    assert not is_there(pid)


def test_whether_it_uses_a_processor(started: Started, pid: int) -> None:
    assert started.root.works()  # it has, since it was not there yet
    os.kill(pid, signal.SIGSTOP)
    process = psutil.Process(pid)
    while process.status() != psutil.STATUS_STOPPED:
        pass
    started.root.works()
    assert started.root.works() is False
    started.root.end(0.0)
    assert started.root.works() is None


def test_one_that_does_not_end_is_killed(started: Started, pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    started.line.close()
    started.root.end(0.05)
    assert not is_there(pid)


def test_it_is_given_its_time(started: Started, pid: int) -> None:
    """It ends within its grace though it has much to do: it is not killed before."""
    os.kill(pid, signal.SIGSTOP)
    started.session.send(wire.STOP, b"15")
    started.flush()
    pidfd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    os.kill(pid, signal.SIGCONT)
    started.root.end(LONG)
    if pidfd is not None:
        assert select.select([pidfd], [], [], 0)[0]
        os.close(pidfd)


# -- what it is sent first -------------------------------------------------------------------------

HOSTS = [Host("a"), Host("b", user="joe", port=2222, alias="joe@b:2222"), Host("10.0.0.3", schedule=False)]


def first(options: Options, begun: float = 0.0) -> dict[int, list[bytes]]:
    """The bodies by kind, in the order in which the kinds come first."""
    found: dict[int, list[bytes]] = {}
    for kind, body in first_messages(HOSTS, options, time.monotonic() - begun):
        found.setdefault(kind, []).append(body)
    return found


def test_the_code_comes_before_what_needs_it() -> None:
    found = first(Options())
    assert list(found) == [wire.CODE, wire.SHARE]
    assert [marshal.loads(body)[0] for body in found[wire.CODE]] == ["agent", "parent"]
    assert list(first(Options(command=["true"]))) == [wire.CODE, wire.RUN, wire.SHARE]


def test_the_command_runs_on_hosts_but_not_at_the_root() -> None:
    (body,) = first(Options(command=("sh", "-c", "echo $0", "ä")))[wire.RUN]
    assert Run.unpack(body).pack() == Run(1, ["sh", "-c", "echo $0", "ä"], [("MPBOOT_SIZE", "3")], False).pack()


def test_the_share_has_all_hosts() -> None:
    (body,) = first(Options(user="ann", rsh="ssh -F none"), begun=5.0)[wire.SHARE]
    share = messages.Share.unpack(body)
    assert share.level == 0
    assert 5.0 <= share.clock < 5.0 + LONG
    assert share.hosts == [
        messages.HostOrder(0, "a", "a", "ann", None, 0, True, NO_KEY, None, None),
        messages.HostOrder(1, "joe@b:2222", "b", "joe", 2222, 0, True, NO_KEY, None, None),
        messages.HostOrder(2, "10.0.0.3", "10.0.0.3", "ann", None, 0, False, NO_KEY, None, None),
    ]


def test_the_share_has_the_settings() -> None:
    assert CALL_BACK == 2.0
    chosen = Options(
        children=3, topology="adaptive", timeout=7.5, retries=2, wait_for=60.0, rsh="ssh -o 'A b'", transport="tcp",
        shell_probe="none", python="py", attach=True, command=["true"], verbose=True,
    )  # fmt: skip
    (body,) = first(chosen)[wire.SHARE]
    boot = messages.Share.unpack(body).boot
    where = str(Path(psutil.__file__).parent.parent)
    assert boot == messages.BootSettings(
        "adaptive", 3, 7.5, 2, 60.0, "ssh -o 'A b'", ["ssh", "-o", "A b"],
        "tcp", "none", True, 2.0, True, True, [where],
        "py",
    )  # fmt: skip
    (body,) = first(Options())[wire.SHARE]
    boot = messages.Share.unpack(body).boot
    assert (boot.attach, boot.command, boot.verbose) == (False, False, False)


def test_without_psutil_there_is_no_place_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpboot.head.root.only", lambda *_: False)
    monkeypatch.setattr("mpboot.node.bundle.pack", lambda _: b"")
    (body,) = first(Options())[wire.SHARE]
    assert messages.Share.unpack(body).boot.psutil == []


def test_psutil_is_not_taken_from_the_working_directory_nor_from_where_variables_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for place in ("cwd", "named", "base"):
        (tmp_path / place / "psutil").mkdir(parents=True)
        (tmp_path / place / "psutil" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "base"))
    monkeypatch.syspath_prepend(str(tmp_path / "named"))
    monkeypatch.syspath_prepend("")
    monkeypatch.setattr("mpboot.node.bundle.pack", lambda _: b"")
    (body,) = first(Options())[wire.SHARE]
    found = messages.Share.unpack(body).boot.psutil
    assert found == [str(Path(psutil.__file__).parent.parent)]


def test_psutil_that_others_can_write_to_is_not_taken(tmp_path: Path) -> None:
    assert only({os.getuid()}, str(tmp_path))
    tmp_path.chmod(0o777)
    assert not only({os.getuid()}, str(tmp_path))
    assert not only({os.getuid()}, str(tmp_path / "nothing"))


@pytest.mark.parametrize("wide", [(".",), ("psutil",), (".", "psutil")], ids=str)
def test_psutil_that_others_can_write_to_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide: tuple[str, ...]
) -> None:
    """As in a virtual environment that was made with umask 002."""
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    (tmp_path / "psutil").mkdir(0o755)
    assert psutil_left_out() == ""
    places = [str(tmp_path) if one == "." else f"{tmp_path}/{one}" for one in wide]
    for place in places:
        Path(place).chmod(0o775)
    said = f"others can write to {places[0]}, so its psutil is not used: chmod go-w {' '.join(places)}"
    assert psutil_left_out() == said


def test_its_code_is_there_before_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that is killed while it starts the root leaves none that complains of half a code."""
    there: list[int] = []

    def popen(*_: object, stdin: Any, **__: object) -> None:
        there.append(struct.unpack("i", fcntl.ioctl(stdin, termios.FIONREAD, bytes(4)))[0])
        raise OSError("none is started")

    monkeypatch.setattr("mpboot.head.root.subprocess.Popen", popen)
    with pytest.raises(OSError, match="none is started"):
        Root(silence=LONG)
    assert there[0] > len(marshal.dumps(bundle.kit(), 2))


def test_code_that_does_not_fit_into_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    def small_pipe() -> tuple[int, int]:
        reads, writes = pipe()
        fcntl.fcntl(writes, F_SETPIPE_SZ, 4096)
        return reads, writes

    pipe = os.pipe
    monkeypatch.setattr("mpboot.head.root.os.pipe", small_pipe)
    started = Started()
    assert started.message()[0] == wire.HELLO
    started.line.close()
    started.root.end(LONG)


@pytest.mark.parametrize(
    ("rsh", "needs"),
    [("ssh {user}@{host}", True), ("ssh -l {user} {host}", True), ("r {host} {user}", True),
     ("ssh {user}root@{host}", False), ("ssh root@{host}", False)],
)  # fmt: skip
def test_where_a_users_name_must_stand(rsh: str, needs: bool) -> None:
    assert bool(NAMED.search(rsh)) is needs
