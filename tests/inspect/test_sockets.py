"""Sockets as /proc tells them: real ones of this process, and of one in another network namespace."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mpboot.inspect import look, sockets
from mpboot.inspect.sockets import Socket, sockets_of
from tests.support.cluster import need

RIDES = """import socket, sys
one = socket.socket(socket.AF_UNIX)
one.connect(sys.argv[1])
other, listening = socket.socket(), socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen()
if sys.argv[2:]:
    other.connect(listening.getsockname())
print("connected", listening.getsockname()[1], flush=True)
sys.stdin.read()
"""


def inode(one: socket.socket) -> int:
    return os.fstat(one.fileno()).st_ino


def test_each_kind(tmp_path: Path) -> None:
    with ExitStack() as stack:

        def made(family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
            return stack.enter_context(socket.socket(family, kind))

        listening, v4, v6 = made(socket.AF_INET), made(socket.AF_INET), made(socket.AF_INET6)
        bound, rides = made(socket.AF_UNIX), made(socket.AF_UNIX)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        v4.connect(("127.0.0.1", port))
        v6.connect(("::ffff:127.0.0.1", port))
        bound.bind(str(tmp_path / "a name"))
        bound.listen()
        rides.connect(str(tmp_path / "a name"))
        asks = made(socket.AF_INET6, socket.SOCK_DGRAM)
        asks.connect(("::1", 53))
        every = [listening, v4, v6, bound, rides, asks]
        assert sockets_of(os.getpid(), map(inode, every)) == [
            Socket("tcp", "LISTEN"),
            Socket("tcp", "ESTABLISHED", f"127.0.0.1:{port}", "127.0.0.1"),
            Socket("tcp", "ESTABLISHED", f"127.0.0.1:{port}", "127.0.0.1"),
            Socket("unix", path=str(tmp_path / "a name")),
            Socket("unix"),
            Socket("udp", "ESTABLISHED", "[::1]:53", "::1"),
        ]
    assert sockets_of(os.getpid(), [1]) == []


def test_of_a_process_that_is_gone_there_are_none() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert sockets_of(process.pid, [1, 2]) == []


WORDS = st.lists(st.sampled_from(["0:", "0100007F:0016", "01", "9", "x", ""])).map(" ".join)


@given(st.lists(st.text(max_size=80) | WORDS))
def test_a_table_that_cannot_be_read_has_none(lines: list[str]) -> None:
    for kind, size in sockets.INTERNET.items():
        assert all(type(one) is int for one, _ in sockets._internet(kind, size, lines))
    assert all(type(one) is int for one, _ in sockets._unix(lines))


def seen(path: Path, *words: str) -> look.Client:
    """A client in a network namespace of its own, looked at from here."""
    need("namespaces")
    begin = 'ip link set lo up && exec "$@"'
    argv = ["unshare", "-rn", "sh", "-c", begin, "sh", sys.executable, "-c", RIDES, str(path), *words]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().split()[-1]
        client = look.Inspector(pids=[process.pid]).look()[process.pid]
        assert all(one.peer == f"127.0.0.1:{port}" for one in client.tcp)
        process.communicate("")
    return client


def test_who_shares_a_connection_in_another_network_is_seen_to_do_so(tmp_path: Path) -> None:
    """It was taken for one that waits for a connection, and so for hung."""
    with socket.socket(socket.AF_UNIX) as master:
        master.bind(str(tmp_path / "control"))
        master.listen()
        alone = seen(tmp_path / "control")
        assert (alone.shares, alone.tcp) == (True, [])
        client = seen(tmp_path / "control", "connect")
        assert [(one.state, one.exact) for one in client.tcp] == [("ESTABLISHED", False)]
