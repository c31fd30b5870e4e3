"""The TCP connections of this network namespace, as the kernel tells them by netlink to every user."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

STATES = ("?", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
          "LAST_ACK", "LISTEN", "CLOSING")  # fmt: skip
WANTED_STATES = 0xFFF & ~(1 << STATES.index("LISTEN") | 1 << STATES.index("TIME_WAIT"))
PATIENCE = 2.0  # seconds for an answer of the kernel
# Of linux/netlink.h, sock_diag.h and inet_diag.h:
SOCK_DIAG = 4  # the protocol
BY_FAMILY = 20  # a message's kind: SOCK_DIAG_BY_FAMILY
ERROR, DONE = 2, 3  # kinds that end an answer
REQUEST, DUMP = 0x1, 0x300  # flags
HEADER = 16  # bytes before each message
INFO = 2  # an attribute's kind: INET_DIAG_INFO, a struct tcp_info


@dataclass(frozen=True)
class TcpConnection:
    """A TCP connection. Where netlink can't tell (another network namespace) only ``state`` and ``peer`` are known."""

    state: str
    peer: str
    exact: bool = False  # the rest is known: bytes, and seconds
    received: int = 0
    sent: int = 0
    quiet: float = 0.0  # since data came or went
    unanswered: float = 0.0  # since anything came, acknowledgements included
    resent: int = 0  # how often what is on its way was sent again
    unread: int = 0  # bytes that the client has not taken
    unsent: int = 0  # bytes that the peer has not acknowledged


def connections_by_inode() -> dict[int, TcpConnection]:
    """Every TCP connection of this network namespace, by its socket's inode; none where the kernel can't be asked."""
    found: dict[int, TcpConnection] = {}
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as link:
            link.settimeout(PATIENCE)
            for family in (socket.AF_INET, socket.AF_INET6):
                link.send(_request(family))
                while _read_answer(link.recv(1 << 18), found):
                    pass
    except (OSError, AttributeError):  # not Linux, or not allowed: what has come so far is right all the same
        pass
    return found


def _request(family: int) -> bytes:
    """The question for all connections of a family with their tcp_info: a struct inet_diag_req_v2 and its header."""
    wanted = struct.pack("=BBBBI48x", family, socket.IPPROTO_TCP, 1 << (INFO - 1), 0, WANTED_STATES)
    return struct.pack("=IHHII", HEADER + len(wanted), BY_FAMILY, REQUEST | DUMP, 0, 0) + wanted


def _read_answer(data: bytes, found: dict[int, TcpConnection]) -> bool:
    """Note down the connections of one datagram; is there another to come?"""
    while data:
        length, kind = struct.unpack_from("=IH", data)
        if kind in (ERROR, DONE) or length < HEADER:
            return False
        if kind == BY_FAMILY:
            inode, one = _read_connection(data[HEADER:length])
            found[inode] = one
        data = data[(length + 3) & ~3 :]
    return True


def _read_connection(message: bytes) -> tuple[int, TcpConnection]:
    """The inode and the connection of a struct inet_diag_msg; offsets as in linux/inet_diag.h and linux/tcp.h."""
    state = STATES[message[1]] if message[1] < len(STATES) else "?"
    peer = _peer(message)
    _, unread, unsent, _, inode = struct.unpack_from("=5I", message, 52)
    info = _attribute(message, 72, INFO)
    if len(info) < 136:  # a kernel before 4.1
        return inode, TcpConnection(state, peer, unread=unread, unsent=unsent)
    resent = info[2]
    if state == "SYN_SENT":
        return inode, TcpConnection(state, peer, resent=resent)
    went, _, came, answered = struct.unpack_from("=4I", info, 44)  # milliseconds ago
    acknowledged, received = struct.unpack_from("=QQ", info, 120)
    sent = max(0, acknowledged - 1)  # the SYN is counted as one
    if len(info) >= 216:
        every, again = struct.unpack_from("=QQ", info, 200)
        sent = max(0, every - again)
    quiet = min(went, came) / 1000
    return inode, TcpConnection(state, peer, True, received, sent, quiet, answered / 1000, resent, unread, unsent)


def _peer(message: bytes) -> str:
    family, port = message[0], int.from_bytes(message[6:8], "big")
    if family == socket.AF_INET:
        return f"{socket.inet_ntop(family, message[24:28])}:{port}"
    address = socket.inet_ntop(family, message[24:40])
    if address.startswith("::ffff:") and "." in address:  # IPv4 by a socket of IPv6
        return f"{address[7:]}:{port}"
    return f"[{address}]:{port}"


def _attribute(message: bytes, at: int, wanted: int) -> bytes:
    """The content of the last attribute of a kind, of those that begin at ``at``; empty if there is none."""
    found = b""
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if kind == wanted:
            found = message[at + 4 : at + length]
        at += max(4, (length + 3) & ~3)
    return found
