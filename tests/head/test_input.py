"""What is read for commands: pipes, files, and what can't be read to its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mpboot.head.input import PIECE, Input
from mpboot.net.loop import Loop


class Taker:
    """Takes ``room`` bytes, and what else is told."""

    def __init__(self, fd: int, room: int = 1 << 30) -> None:
        self.loop = Loop()
        self.room = room
        self.got: list[bytes] = []
        self.broken: list[str] = []
        self.input = Input(self.loop, fd, lambda: self.room, self.feed, self.cut)

    def feed(self, data: bytes) -> None:
        self.got.append(data)
        self.room -= len(data)
        if not data or self.room <= 0:
            self.loop.stop()

    def cut(self, why: str) -> None:
        self.broken.append(why)
        self.loop.stop()

    def run(self) -> None:
        self.loop._running = True
        self.input.go_on()
        if self.room > 0 and not (self.broken or self.got[-1:] == [b""]):
            self.loop.run()


def test_a_pipe_is_read_as_far_as_there_is_room() -> None:
    read, write = os.pipe()
    os.write(write, b"1234567890")
    os.close(write)
    taker = Taker(read, room=4)
    taker.run()
    assert taker.got == [b"1234"]
    taker.room = 100
    taker.run()
    assert taker.got == [b"1234", b"567890", b""]
    assert os.get_blocking(read)
    os.close(read)


@pytest.mark.parametrize("size", [0, 1, 2 * PIECE + 3])
def test_a_file_is_read_to_its_end(tmp_path: Path, size: int) -> None:
    path = tmp_path / "given"
    path.write_bytes(os.urandom(size))
    with path.open("rb") as file:
        taker = Taker(file.fileno())
        taker.run()
    assert b"".join(taker.got) == path.read_bytes()
    assert taker.got[-1] == b""


def test_what_can_not_be_read_is_no_end() -> None:
    master, slave = os.openpty()
    os.write(slave, b"a line")
    taker = Taker(master, room=6)
    taker.run()
    os.close(slave)
    taker.room = 100
    taker.run()
    assert taker.got == [b"a line"]
    assert taker.broken == ["standard input: Input/output error: what was read is not all, so the commands are ended"]
    os.close(master)
