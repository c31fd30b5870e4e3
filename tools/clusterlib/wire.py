"""Talks to a host's first process on its Unix socket (the protocol is in common.h)."""

import contextlib
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from .state import ClusterError, UsageError

MAGIC = 0x6D70636C
KIND_CTL, KIND_PROC = 3, 4


@dataclass
class Process:
    """A process of a host, its numbers as the host itself sees them."""

    pid: int
    parent: int
    session: int
    state: str
    command: list[str]


def connect(state: Path, host: str) -> socket.socket:
    """Through the directory's descriptor, since a Unix socket's path may not be longer than 107 bytes."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        directory = os.open(state / "sock", os.O_PATH)
    except FileNotFoundError:
        raise ClusterError(f"no cluster is up in {state}: start one with tools/cluster up N") from None
    try:
        link.connect(f"/proc/self/fd/{directory}/{host}")
    except FileNotFoundError:
        raise UsageError(f"{host}: there is no such host") from None
    except OSError as error:
        raise ClusterError(f"{host}: {error.strerror}") from None
    finally:
        os.close(directory)
    return link


def control(state: Path, host: str, *words: str) -> None:
    """Asks the host for a change of itself. Raises ClusterError with its answer."""
    payload = b"".join(os.fsencode(word) + b"\0" for word in words)
    with connect(state, host) as link:
        link.sendall(struct.pack("=IIII", MAGIC, KIND_CTL, 0, len(payload)) + payload)
        reply = link.recv(4096)
    if len(reply) < 8:
        raise ClusterError(f"{host}: no answer to {' '.join(words)}")
    error, length = struct.unpack("=iI", reply[:8])
    if error:
        raise ClusterError(f"{host}: {' '.join(words)}: {reply[8 : 8 + length].decode()}")


def processes(state: Path, host: str) -> list[Process]:
    """All processes of the host but its first."""
    with connect(state, host) as link:
        link.sendall(struct.pack("=IIII", MAGIC, KIND_PROC, 0, 0))
        _, fds, _, _ = socket.recv_fds(link, 8, 1)
    if not fds:
        raise ClusterError(f"{host}: gave no /proc")
    found = []
    try:
        for entry in os.listdir(fds[0]):  # noqa: PTH208
            if entry.isdigit() and entry != "1":
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    found.append(read_process(fds[0], entry))
    finally:
        os.close(fds[0])
    return sorted(found, key=lambda process: process.pid)


def read_process(proc: int, pid: str) -> Process:
    stat, command = read_at(proc, f"{pid}/stat"), read_at(proc, f"{pid}/cmdline")
    name, _, rest = stat.decode(errors="replace").partition("(")[2].rpartition(")")
    fields = rest.split()
    words = command.decode(errors="replace").rstrip("\0").split("\0") if command else [f"[{name}]"]
    return Process(int(pid), int(fields[1]), int(fields[3]), fields[0], words)


def read_at(directory: int, path: str) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY, dir_fd=directory), "rb") as file:
        return file.read()
