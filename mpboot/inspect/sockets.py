"""The sockets of a process, as /proc tells them: also those of another network namespace, such as a container's."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mpboot.inspect.netlink import STATES

INTERNET = {"tcp": 4, "tcp6": 16, "udp": 4, "udp6": 16}  # tables in /proc/PID/net, and bytes of an address in them
INODE, PEER, STATE = 9, 2, 3  # columns


class Socket(NamedTuple):
    """``kind``: tcp, udp or unix; ``peer``: address and port, if it has one; ``path``: where one of unix is bound."""

    kind: str
    state: str = ""
    peer: str = ""
    address: str = ""
    path: str = ""


def sockets_of(pid: int, inodes: Iterable[int]) -> list[Socket]:
    """Those of a process that are known, in the order of ``inodes``; what is not ours to see is not among them."""
    base = Path(f"/proc/{pid}/net")
    known: dict[int, Socket] = {}
    for name, size in INTERNET.items():
        known.update(_internet(name.rstrip("6"), size, _lines(base / name)))
    known.update(_unix(_lines(base / "unix")))
    return [known[inode] for inode in inodes if inode in known]


def _lines(table: Path) -> list[str]:
    with suppress(OSError):
        return table.read_text(errors="replace").splitlines()[1:]
    return []


def _internet(kind: str, size: int, lines: Iterable[str]) -> Iterator[tuple[int, Socket]]:
    for line in lines:
        words = line.split()
        with suppress(ValueError, IndexError, OSError):
            digits, _, port = words[PEER].partition(":")
            state = STATES[int(words[STATE], 16)]
            inode, address = int(words[INODE]), _address(bytes.fromhex(digits), size)
            if int(port, 16):
                shown = f"[{address}]" if ":" in address else address
                yield inode, Socket(kind, state, f"{shown}:{int(port, 16)}", address)
            else:
                yield inode, Socket(kind, state)


def _address(raw: bytes, size: int) -> str:
    """An address out of words of four bytes, each in the machine's own order; IPv4 by a socket of IPv6 is IPv4."""
    words = [raw[at : at + 4] for at in range(0, size, 4)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    if len(packed) != size:
        raise ValueError("no address")
    if size == 16 and packed[:12] == bytes(10) + b"\xff\xff":
        packed = packed[12:]
    return socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed)


def _unix(lines: Iterable[str]) -> Iterator[tuple[int, Socket]]:
    for line in lines:
        words = line.split(maxsplit=7)
        with suppress(ValueError, IndexError):
            yield int(words[6]), Socket("unix", path=words[7] if len(words) > 7 else "")
