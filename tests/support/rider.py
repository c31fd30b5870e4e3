"""Somebody whose ssh rides his session of agents on this machine."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.kept import Kept, kept

BATCH = ("-o", "BatchMode=yes")


class Rider(Kept):
    """A user whose ssh rides his session."""

    def ssh(self, host: str, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Run the scripts' ssh to its end."""
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 30, **options}
        if "input" in options:
            del options["stdin"]
        command = [str(self.bin / "ssh"), *BATCH, host, *words]
        done: subprocess.CompletedProcess[bytes]
        done = subprocess.run(command, env=self.environment, check=False, **options)
        return done

    def begin_ssh(self, host: str, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start it."""
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen([self.bin / "ssh", *BATCH, host, *words], env=self.environment, **options)

    @property
    def place(self) -> Path:
        return self.runtime / "mpboot" / "default" / "ssh"

    @property
    def bin(self) -> Path:
        return self.place / "bin"

    def sockets(self) -> set[str]:
        return {one.name.partition("@")[2].partition(":")[0] for one in self.place.iterdir() if "@" in one.name}

    def runs(self, command: str) -> bool:
        """Does a process of his run this?"""
        return any(words.split() == command.split() for words in self.family().values())

    @property
    def descriptors(self) -> list[str]:
        """Those that the daemon has open: of what they are."""
        found = []
        for one in Path(f"/proc/{self.daemon}/fd").iterdir():
            with suppress(OSError):
                found.append(str(one.readlink()))
        return sorted(found)


@contextmanager
def rides(hosts: str, *options: str) -> Iterator[Rider]:
    """A session, and ``mpboot env`` was asked; skipped where there is no ssh."""
    if shutil.which("ssh") is None:
        pytest.skip("no OpenSSH client")
    with kept(hosts, *options) as user:
        user.__class__ = Rider
        assert isinstance(user, Rider)
        assert user.mpboot("env").returncode == 0
        yield user


def packet(*fields: int | str) -> bytes:
    """A packet of OpenSSH's multiplexing protocol: numbers and strings."""
    body = b""
    for one in fields:
        body += one.to_bytes(4, "big") if isinstance(one, int) else len(one).to_bytes(4, "big") + one.encode()
    return len(body).to_bytes(4, "big") + body


ANSWERS = sum(4 + 4 * numbers for numbers in (2, 3, 3))  # bytes of what it hears: hello, is alive, session opened


def talk(command: str) -> bytes:
    """All that a client says to run a command, up to the bytes that its descriptors come with."""
    return (
        packet(1, 4) + packet(0x10000004, 0)
        + packet(0x10000002, 1, "", 0, 0, 0, 0, 0x7E, "vt100", command, "LANG=C") + b"\0\0\0"
    )  # fmt: skip


def mutated(rng: random.Random, data: bytes) -> bytes:
    """The same with some bytes changed, cut, put in, or said again; or nothing but random ones."""
    if rng.random() < 0.2:
        return rng.randbytes(rng.randrange(200))
    new = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(new) + 1)
        kind = rng.randrange(4)
        if kind == 0 and at < len(new):
            new[at] = rng.randrange(256)
        elif kind == 1:
            del new[at : at + rng.randrange(1, 9)]
        elif kind == 2:
            new[at:at] = rng.randbytes(rng.randrange(1, 9))
        else:
            new[at:at] = data[rng.randrange(len(data)) :]
    return bytes(new)


def visit(path: Path, said: bytes, fds: int = 3, least: int = 1) -> bytes:
    """Say this at a socket, with so many descriptors at the last bytes, hear what comes at once, and go away.

    ``least``: bytes to wait for.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, Path(os.devnull).open("r+b") as null:
        sock.settimeout(5.0)
        sock.connect(str(path))
        heard = b""
        with suppress(OSError):
            tail = said[len(said) - fds :] if fds and len(said) >= fds else b""
            sock.sendall(said[: len(said) - len(tail)])
            for at in range(len(tail)):
                socket.send_fds(sock, [tail[at : at + 1]], [null.fileno()])
            while len(heard) < least:
                more = sock.recv(1 << 16)
                if not more:
                    break
                heard += more
        return heard
