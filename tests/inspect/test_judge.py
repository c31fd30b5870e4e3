"""The parts of `mpboot inspect`, without a session: what the kernel says, command lines, verdicts, tables."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

import psutil
import pytest

from mpboot.clientline import read_words
from mpboot.inspect.judge import Finding, examine, judge_client
from mpboot.inspect.look import Client, Inspector
from mpboot.inspect.netlink import TcpConnection, connections_by_inode
from mpboot.text import aligned, seconds


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_what_netlink_says_of_a_connection(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"no {address} here")
    with listener, socket.create_connection(listener.getsockname()[:2]) as near, listener.accept()[0] as far:
        far.sendall(b"12345")
        near.recv(5)
        near.sendall(b"123")
        found = connections_by_inode()[os.fstat(near.fileno()).st_ino]
        port = listener.getsockname()[1]
        assert found.peer == (f"[::1]:{port}" if ":" in address else f"127.0.0.1:{port}")
        assert (found.state, found.exact, found.received, found.sent) == ("ESTABLISHED", True, 5, 3)
        assert 0 <= found.quiet < 5
        assert connections_by_inode()[os.fstat(far.fileno()).st_ino].unread == 3


@pytest.mark.parametrize(
    ("line", "host", "command", "flag"),
    [
        ("ssh h001", "h001", "", ""),
        ("ssh -p 22 -l joe h001 uptime -p", "h001", "uptime -p", "p"),
        ("ssh -oBatchMode=yes -tt joe@h001", "h001", "", "t"),
        ("ssh -p22 -NT -L 1:h2:3 joe@h001", "h001", "", "N"),
        ("ssh h001 -l joe -- ls -l", "h001", "ls -l", "l"),
        ("ssh ssh://joe@h001:2222", "h001:2222", "", ""),
        ("plink -ssh -batch -pw secret joe@h001 ls", "h001", "ls", ""),
        ("rsh -l joe h001 date", "h001", "date", "l"),
        ("ssh:", "", "", ""),
        ("ssh -p", "", "", "p"),
    ],
)
def test_command_lines(line: str, host: str, command: str, flag: str) -> None:
    words = read_words(line.split())
    assert (words.host, " ".join(words.command)) == (host, command)
    assert flag in words.flags


class TestJudge:
    """What is hard to bring about with real connections."""

    @pytest.fixture
    def client(self) -> Client:
        tcp = TcpConnection("ESTABLISHED", "10.0.0.5:22", True, received=4000, sent=4000, quiet=60.0, unanswered=60.0)
        return Client(
            psutil.Process(), "ssh", "joe", ["ssh", "h5"], age=100.0, status="sleeping", reads=9, writes=9,
            written=5000, stdin="/dev/pts/1", copies=True, tcp=[tcp],
        )  # fmt: skip

    @staticmethod
    def judged(client: Client, patience: float = 5.0) -> Finding:
        return judge_client(replace(client), client, patience)

    def test_a_peer_that_is_gone(self, client: Client) -> None:
        assert self.judged(client).verdict == "idle"
        client.tcp[0] = replace(client.tcp[0], unsent=48, resent=5, quiet=0.5)
        assert self.judged(client).verdict == "lost"
        assert self.judged(client).still == 60.0

    def test_a_reader_that_does_not_read(self, client: Client) -> None:
        client.tcp[0] = replace(client.tcp[0], unread=100_000)
        found = self.judged(client)
        assert found.verdict == "idle"
        assert "100000 bytes wait" in found.waits

    def test_stopped_and_zombie_are_not_hung(self, client: Client) -> None:
        client.status = psutil.STATUS_STOPPED
        assert (self.judged(client).verdict, self.judged(client).hung) == ("stopped", False)
        client.status = psutil.STATUS_ZOMBIE
        assert (self.judged(client).verdict, self.judged(client).hung) == ("ended", False)

    def test_a_name_server_that_does_not_answer(self, client: Client) -> None:
        client.tcp, client.copies, client.asks = [], False, "10.0.0.53"
        found = self.judged(client)
        assert found.verdict == "resolve"
        assert "10.0.0.53" in found.detail

    def test_movement_is_no_hang(self, client: Client) -> None:
        client.copies, client.tcp = False, []
        assert judge_client(replace(client, reads=8), client, 5.0).verdict == "starting"

    def test_rsh_is_logged_in_with_its_first_byte(self, client: Client) -> None:
        client.name, client.copies = "rsh", False
        client.tcp[0] = replace(client.tcp[0], received=0)
        assert self.judged(client).verdict == "handshake-timeout"
        client.tcp[0] = replace(client.tcp[0], received=1)
        assert self.judged(client).verdict == "idle"

    def test_what_is_not_ours_to_see(self, client: Client) -> None:
        client.reads, client.tcp, client.copies = -1, [], False
        assert self.judged(client).verdict == "unknown"

    def test_it_looks_on_only_while_a_client_is_young(self, client: Client) -> None:
        inspector, now, looks = Inspector(), [0.0], []

        def see() -> dict[int, Client]:
            looks.append(now[0])
            quiet = client.tcp[0].quiet + now[0]
            return {1: replace(client, copies=False, tcp=[replace(client.tcp[0], quiet=quiet)])}

        def pause(length: float) -> None:
            now[0] += length

        inspector.look = see  # type: ignore[method-assign]
        client.tcp[0] = replace(client.tcp[0], quiet=3.0)
        (found,) = examine(inspector, 1.0, 5.0, lambda: now[0], pause)
        assert found.verdict == "handshake-timeout"
        assert looks == [0.0, 1.0, 2.0]


def test_columns() -> None:
    assert aligned([["A", "B"], ["long", "x y"]]) == ["A     B", "long  x y"]
    assert aligned([]) == []
    assert [seconds(1.25), seconds(600.0), seconds(7200.0)] == ["1.2 s", "10 min", "2.0 h"]
    assert seconds(2.0, exact=False) == "<2.0 s"
