"""Streams that a client has passed: real pipes, sockets, files and terminals, which stay as they were."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpboot.net.loop import Loop
from mpboot.session.streams import PIECE, Sink, Stream, receive, taken_over


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def run_until(loop: Loop, done: Callable[[], bool]) -> None:
    """Turn the loop until that is so; pytest-timeout is behind it."""

    def look() -> None:
        if done():
            loop.stop()
        else:
            loop.later(0.001, look)

    loop._running = True
    look()
    loop.run()


class Ends:
    """Counts what a sink tells."""

    def __init__(self, loop: Loop, fd: int) -> None:
        self.broken = self.eased = 0
        self.sink = Sink(loop, Stream(fd, os.O_WRONLY), self._broken, self._eased)

    def _broken(self) -> None:
        self.broken += 1

    def _eased(self) -> None:
        self.eased += 1


def test_the_mode_of_a_pipe_is_the_owners() -> None:
    read, write = os.pipe()
    kept = os.dup(read), os.dup(write)
    ours = Stream(read, os.O_RDONLY), Stream(write, os.O_WRONLY)
    with pytest.raises(BlockingIOError):
        ours[0].read(1)
    written = ours[1].write(b"x" * (4 * PIECE))
    assert 0 < written < 4 * PIECE
    with pytest.raises(BlockingIOError):
        ours[1].write(b"x" * PIECE)
    assert [os.get_blocking(fd) for fd in kept] == [True, True]
    for one in ours:
        one.close()
    for fd in kept:
        os.close(fd)


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_what_cant_be_opened_anew_holds_nobody_up(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """As with another user's pipe or terminal, after su: it is full, or another has read what there was."""

    def refuse(*_: object) -> int:
        raise PermissionError

    read, write = os.pipe() if kind == "pipe" else os.openpty()
    kept = os.dup(read), os.dup(write)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        ours = Stream(read, os.O_RDONLY), Stream(write, os.O_WRONLY)
    with pytest.raises(BlockingIOError):
        ours[0].read(1)
    with pytest.raises(BlockingIOError):
        all(ours[1].write(b"line\n" * PIECE) for _ in range(1 << 14))
    assert ours[0].read(4) == b"line"
    assert [os.get_blocking(fd) for fd in kept] == [True, True]
    for one in ours:
        one.close()
    for fd in kept:
        os.close(fd)


def test_the_mode_of_a_socket_is_the_owners() -> None:
    one, other = socket.socketpair()
    with one, other:
        stream = Stream(os.dup(one.fileno()), os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            stream.read(1)
        other.sendall(b"x")
        assert stream.read(10) == b"x"
        stream.end_writing()
        assert other.recv(1) == b""
        assert one.getblocking()
        stream.close()


def test_a_file_is_written_where_its_owner_is(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb", buffering=0) as file:
        file.write(b"first ")
        stream = Stream(os.dup(file.fileno()), os.O_WRONLY)
        stream.write(b"then this ")
        stream.close()
        file.write(b"last")
    assert (tmp_path / "out").read_bytes() == b"first then this last"


def test_a_slow_reader_gets_all(loop: Loop) -> None:
    read, write = os.pipe()
    ends = Ends(loop, write)
    data = os.urandom(1 << 20)
    for at in range(0, len(data), 1 << 17):
        ends.sink.put(data[at : at + (1 << 17)])
    assert ends.sink.waiting > 0
    got = bytearray()
    os.set_blocking(read, False)

    def more() -> bool:
        try:
            got.extend(os.read(read, 1 << 15))
        except BlockingIOError:
            pass
        return len(got) == len(data)

    run_until(loop, more)
    assert bytes(got) == data
    assert (ends.sink.waiting, ends.broken) == (0, 0)
    ends.sink.close()
    os.close(read)


def test_files_and_the_null_device_need_no_waiting(loop: Loop, tmp_path: Path) -> None:
    data = os.urandom(3 * PIECE + 1)
    for path in (tmp_path / "out", Path(os.devnull)):
        ends = Ends(loop, os.open(path, os.O_WRONLY | os.O_CREAT))
        ends.sink.put(data)
        assert (ends.sink.waiting, ends.broken) == (0, 0)
        ends.sink.close()
    assert (tmp_path / "out").read_bytes() == data


@pytest.mark.parametrize("late", [False, True])
def test_who_reads_no_more_is_told_of_once(loop: Loop, late: bool) -> None:
    read, write = os.pipe()
    ends = Ends(loop, write)
    if late:
        ends.sink.put(b"x" * (1 << 20))
        os.close(read)
        run_until(loop, lambda: ends.broken > 0)
    else:
        os.close(read)
        ends.sink.put(b"x")
    ends.sink.put(b"more")
    assert (ends.broken, ends.sink.waiting, ends.sink.is_broken) == (1, 0, True)
    ends.sink.close()


def test_a_disk_that_is_full(loop: Loop) -> None:
    ends = Ends(loop, os.open("/dev/full", os.O_WRONLY))
    ends.sink.put(b"x")
    assert ends.broken == 1
    ends.sink.close()


def test_descriptors_come_with_bytes_and_are_taken_over() -> None:
    one, other = socket.socketpair()
    with one, other:
        read, write = os.pipe()
        socket.send_fds(one, [b"\0"], [read])
        socket.send_fds(one, [b"\0"], [write])
        os.close(read)
        os.close(write)
        (first, fds), (second, more) = receive(other), receive(other)
        assert (first, second) == (b"\0", b"\0")
        streams = taken_over((*fds, *more))
        assert len(streams) == 2
        for stream in streams:
            stream.close()
        assert taken_over((1 << 20,)) == []  # no such descriptor
