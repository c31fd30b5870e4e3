"""TCP connections of this network namespace, as the kernel tells them by netlink."""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass

STATES = ("?", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
          "LAST_ACK", "LISTEN", "CLOSING")  # fmt: skip


@dataclass(frozen=True)
class Tcp:
    """A TCP connection. Without sock_diag (another network namespace) only ``state`` and ``peer`` are known."""

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


def tcp_by_inode() -> dict[int, Tcp]:
    """Every TCP connection of this network namespace with its tcp_info, by netlink; empty where that can't be."""
    found: dict[int, Tcp] = {}
    with contextlib.suppress(OSError, AttributeError), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as link:
        link.settimeout(2.0)
        for family in (socket.AF_INET, socket.AF_INET6):
            # inet_diag_req_v2: all states but LISTEN and TIME_WAIT, with INET_DIAG_INFO
            wanted = struct.pack("=BBBBI48x", family, socket.IPPROTO_TCP, 1 << 1, 0, 0xFFF & ~(1 << 10 | 1 << 6))
            link.send(struct.pack("=IHHII", 16 + len(wanted), 20, 0x301, 0, 0) + wanted)
            more = True
            while more:
                data = link.recv(1 << 18)
                while data and more:
                    length, kind = struct.unpack_from("=IH", data)
                    more = kind not in (2, 3) and length >= 16  # NLMSG_ERROR, NLMSG_DONE
                    if kind == 20:
                        inode, one = _read_diag(data[16:length])
                        found[inode] = one
                    data = data[(length + 3) & ~3 :]
    return found


def _read_diag(message: bytes) -> tuple[int, Tcp]:
    """(inode, connection) of an inet_diag_msg with its attributes; offsets as in linux/inet_diag.h and tcp.h."""
    family, state = message[0], message[1]
    port = int.from_bytes(message[6:8], "big")
    raw = message[24:28] if family == socket.AF_INET else message[24:40]
    address = socket.inet_ntop(family, raw)
    peer = f"{address}:{port}" if family == socket.AF_INET else f"[{address}]:{port}"
    peer = f"{address[7:]}:{port}" if address.startswith("::ffff:") and "." in address else peer
    _, unread, unsent, _, inode = struct.unpack_from("=5I", message, 52)
    name, at, info = STATES[state] if state < len(STATES) else "?", 72, b""
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if kind == 2:
            info = message[at + 4 : at + length]
        at += max(4, (length + 3) & ~3)
    if len(info) < 136:  # a kernel before 4.1
        return inode, Tcp(name, peer, unread=unread, unsent=unsent)
    went, _, came, answered = struct.unpack_from("=4I", info, 44)
    acked, received = struct.unpack_from("=QQ", info, 120)
    sent = acked - 1
    if len(info) >= 216:
        every, again = struct.unpack_from("=QQ", info, 200)
        sent = every - again
    if name == "SYN_SENT":
        return inode, Tcp(name, peer, exact=False, resent=info[2])
    quiet = min(went, came) / 1000
    return inode, Tcp(name, peer, True, received, max(0, sent), quiet, answered / 1000, info[2], unread, unsent)
