"""TCP connections as the kernel tells them: answers made by hand, then real connections."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

import pytest

from mpboot.inspect.netlink import TcpConnection, connections_by_inode

ESTABLISHED, SYN_SENT = 1, 2
V4, V6 = socket.AF_INET, socket.AF_INET6


def tcp_info(size: int = 232, *, resent: int = 0, waits: tuple[int, int, int, int] = (0, 0, 0, 0),
             acknowledged: int = 1, received: int = 0, sent: int = 0, again: int = 0) -> bytes:  # fmt: skip
    """A struct tcp_info; ``waits``: milliseconds since data was sent, an ACK sent, data received, an ACK received."""
    info = bytearray(struct.pack("=BBB", 9, 9, resent).ljust(size, b"\x09"))
    struct.pack_into("=4I", info, 44, *waits)
    if size >= 136:
        struct.pack_into("=QQ", info, 120, acknowledged, received)
    if size >= 216:
        struct.pack_into("=QQ", info, 200, sent, again)
    return bytes(info)


def attribute(kind: int, content: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(content), kind) + content + b"\0" * (-len(content) % 4)


def told(inode: int = 7, address: str = "10.0.0.5", port: int = 22, state: int = ESTABLISHED, *attributes: bytes,
         unread: int = 0, unsent: int = 0) -> bytes:  # fmt: skip
    """A message of one connection: a struct inet_diag_msg behind a header."""
    family = V6 if ":" in address else V4
    raw = socket.inet_pton(family, address).ljust(16, b"\0")
    body = struct.pack("=BBBB", family, state, 1, 1) + struct.pack(">HH", 40000, port) + b"\x01" * 16 + raw
    body += struct.pack("=III", 1, 1, 1) + struct.pack("=5I", 5, unread, unsent, 1000, inode) + b"".join(attributes)
    return message(20, body)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 0, 0) + body + b"\0" * (-len(body) % 4)


DONE, ERROR = message(3, struct.pack("=I", 0)), message(2, struct.pack("=i", -1) + b"\0" * 16)


class Kernel:
    """Answers in its place: for each family the datagrams that it sends."""

    def __init__(self, *answers: list[bytes]) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []
        self.waits: list[float] = []
        self.closed = False
        self.left: list[bytes] = []

    def __call__(self, *what: int) -> Kernel:
        assert what == (socket.AF_NETLINK, socket.SOCK_RAW, 4)
        return self

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def settimeout(self, seconds: float) -> None:
        self.waits.append(seconds)

    def send(self, data: bytes) -> None:
        self.asked.append(data)
        self.left = self.answers.pop(0)

    def recv(self, size: int) -> bytes:
        assert size >= 1 << 15
        if not self.left:
            raise TimeoutError
        return self.left.pop(0)


def found(monkeypatch: pytest.MonkeyPatch, *answers: list[bytes]) -> dict[int, TcpConnection]:
    kernel = Kernel(*answers)
    monkeypatch.setattr("socket.socket", kernel)
    told = connections_by_inode()
    assert kernel.closed
    assert kernel.waits == [2.0]
    return told


def one(monkeypatch: pytest.MonkeyPatch, *what: Any, unread: int = 0, unsent: int = 0) -> TcpConnection:
    (connection,) = found(monkeypatch, [told(*what, unread=unread, unsent=unsent), DONE], [DONE]).values()
    return connection


# -- questions and answers -------------------------------------------------------------------------


def test_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel([DONE], [DONE])
    monkeypatch.setattr("socket.socket", kernel)
    assert connections_by_inode() == {}
    for data, family in zip(kernel.asked, (V4, V6)):
        length, kind, flags, number, port = struct.unpack_from("=IHHII", data)
        assert (length, kind, flags, number, port) == (len(data), 20, 0x1 | 0x100 | 0x200, 0, 0)
        assert len(data) == 16 + 56  # a struct inet_diag_req_v2
        states = 0xFFF & ~(1 << 10) & ~(1 << 6)  # all but LISTEN and TIME_WAIT
        assert struct.unpack_from("=BBBBI", data, 16) == (family, socket.IPPROTO_TCP, 1 << (2 - 1), 0, states)
        assert not any(data[24:])
    assert len(kernel.asked) == 2


def test_answers_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several connections a datagram, several datagrams, both families; what is of no known kind is skipped."""
    odd = message(99, b"") + message(99, b"a") + message(99, b"abc")
    first = [told(1, port=1) + odd + told(2, port=2), told(3, port=3), told(4, port=4) + DONE + told(5)]
    second = [told(6, "::2", 6), DONE]
    assert {inode: tcp.peer for inode, tcp in found(monkeypatch, first, second).items()} == {
        1: "10.0.0.5:1", 2: "10.0.0.5:2", 3: "10.0.0.5:3", 4: "10.0.0.5:4", 6: "[::2]:6",
    }  # fmt: skip


def test_an_error_ends_one_familys_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(found(monkeypatch, [told(1), ERROR], [told(2, "::2"), DONE])) == {1, 2}


def test_what_is_no_message_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    short = struct.pack("=IH", 15, 20) + b"\0" * 10
    assert set(found(monkeypatch, [told(1) + short + told(9)], [told(2, "::2"), DONE])) == {1, 2}


def test_a_kernel_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(found(monkeypatch, [told(1)], [])) == {1}  # what has come is right all the same


@pytest.mark.parametrize("error", [PermissionError, AttributeError])
def test_no_netlink_at_all(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("socket.socket", refuse)
    assert connections_by_inode() == {}


# -- one connection --------------------------------------------------------------------------------


def test_all_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    info = tcp_info(resent=3, waits=(5000, 1, 2500, 4250), acknowledged=9, received=77, sent=1000, again=100)
    assert one(monkeypatch, 7, "10.0.0.5", 2222, ESTABLISHED, attribute(2, info), unread=6, unsent=8) == TcpConnection(
        "ESTABLISHED", "10.0.0.5:2222", True, 77, 900, 2.5, 4.25, 3, 6, 8
    )


def test_sent_or_received_whichever_was_later(monkeypatch: pytest.MonkeyPatch) -> None:
    info = tcp_info(waits=(250, 1, 2500, 0))
    assert one(monkeypatch, 7, "10.0.0.5", 22, ESTABLISHED, attribute(2, info)).quiet == 0.25


@pytest.mark.parametrize(("size", "sent"), [(136, 500), (215, 500), (216, 70)])
def test_older_kernels_count_what_was_acknowledged(monkeypatch: pytest.MonkeyPatch, size: int, sent: int) -> None:
    info = tcp_info(size, acknowledged=501, received=3, sent=80, again=10)
    found = one(monkeypatch, 7, "10.0.0.5", 22, ESTABLISHED, attribute(2, info))
    assert (found.sent, found.received, found.exact) == (sent, 3, True)


def test_nothing_sent_is_no_less_than_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for info in (tcp_info(136, acknowledged=0), tcp_info(sent=1, again=2)):
        assert one(monkeypatch, 7, "10.0.0.5", 22, ESTABLISHED, attribute(2, info)).sent == 0


def test_a_kernel_that_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    known = TcpConnection("ESTABLISHED", "10.0.0.5:22", unread=6, unsent=8)
    for attributes in ([], [attribute(2, tcp_info(135))], [attribute(3, tcp_info())]):
        assert one(monkeypatch, 7, "10.0.0.5", 22, ESTABLISHED, *attributes, unread=6, unsent=8) == known


def test_a_connection_that_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    info = tcp_info(resent=4, waits=(1, 2, 3, 4), received=9, sent=9)
    assert one(monkeypatch, 7, "10.0.0.5", 22, SYN_SENT, attribute(2, info), unsent=1) == TcpConnection(
        "SYN_SENT", "10.0.0.5:22", resent=4
    )


def test_the_attribute_stands_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """…whatever their lengths are, and even if what is in them looks like it."""
    decoy = attribute(2, b"")
    info = attribute(2, tcp_info(received=5))
    for before in (b"x", b"xy", b"xyz", b"wxyz"):
        others = [attribute(8, before), info, attribute(5, decoy), attribute(9, b"x" * 4 + decoy), attribute(7, b"")]
        assert one(monkeypatch, 7, "10.0.0.5", 22, ESTABLISHED, *others).received == 5
    nothing = struct.pack("=HH", 0, 0)  # a length that can't be
    assert one(monkeypatch, 7, "10.0.0.5", 22, ESTABLISHED, nothing, info).received == 5


@pytest.mark.parametrize(
    ("address", "peer"),
    [("10.0.0.5", "10.0.0.5:513"), ("fe80::1", "[fe80::1]:513"), ("::ffff:10.0.0.5", "10.0.0.5:513"),
     ("::fffe:10.0.0.5", "[::fffe:a00:5]:513"), ("1::ffff:10.0.0.5", "[1::ffff:a00:5]:513")],
)  # fmt: skip
def test_peers(monkeypatch: pytest.MonkeyPatch, address: str, peer: str) -> None:
    assert one(monkeypatch, 7, address, 513).peer == peer


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "?"), (3, "SYN_RECV"), (4, "FIN_WAIT1"), (5, "FIN_WAIT2"), (6, "TIME_WAIT"), (7, "CLOSE"), (8, "CLOSE_WAIT"),
     (9, "LAST_ACK"), (10, "LISTEN"), (11, "CLOSING"), (12, "?"), (255, "?")],
)  # fmt: skip
def test_states(monkeypatch: pytest.MonkeyPatch, number: int, name: str) -> None:
    assert one(monkeypatch, 7, "10.0.0.5", 22, number).state == name


def test_a_connection_of_which_only_the_peer_is_known() -> None:
    assert TcpConnection("SYN_SENT", "a:1") == TcpConnection("SYN_SENT", "a:1", False, 0, 0, 0.0, 0.0, 0, 0, 0)


# -- real ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_what_netlink_says_of_a_connection(address: str) -> None:
    family = V6 if ":" in address else V4
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
