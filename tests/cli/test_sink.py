"""Outputs that never block a boot: pipes that are full, readers that go away, terminals, files."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpboot.cli.sink import Sink, standard_sinks
from mpboot.net.loop import Loop


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        try:
            os.close(fd)
        except OSError:
            continue


@pytest.mark.parametrize("reopened", [True, False])
def test_full_pipe_does_not_block(pipe: tuple[int, int], reopened: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = pipe
    if not reopened:
        monkeypatch.setattr("mpboot.cli.sink.os.open", lambda *_: (_ for _ in ()).throw(PermissionError()))
    sink = Sink(write)
    data = bytes(range(256)) * 1000
    sink.write(data)
    assert sink.pending > 0
    assert not fcntl.fcntl(write, fcntl.F_GETFL) & os.O_NONBLOCK
    loop = Loop()
    sink.drained = loop.stop
    sink.attach(loop)
    sink.write(b"end")
    got = bytearray()
    loop.watch(read, 1, lambda _: got.extend(os.read(read, 9999)))
    loop.run()
    while len(got) < len(data) + 3:
        got += os.read(read, 65536)
    assert bytes(got) == data + b"end"


def test_reader_that_goes_away(pipe: tuple[int, int]) -> None:
    read, write = pipe
    sink = Sink(write)
    broke: list[int] = []
    sink.broke = lambda: broke.append(1)
    os.close(read)
    sink.write(b"x")
    sink.write(b"y")
    sink.flush()
    assert sink.broken
    assert sink.pending == 0
    assert broke == [1]
    assert sink.outcome(7) == 141


def test_closed_descriptor(pipe: tuple[int, int]) -> None:
    os.close(pipe[1])
    sink = Sink(pipe[1])
    sink.write(b"x")
    assert sink.broken


def test_terminal() -> None:
    master, slave = pty.openpty()
    sink = Sink(slave)
    assert sink.is_terminal
    sink.write(b"hello\n")
    assert os.read(master, 99) == b"hello\r\n"
    assert not fcntl.fcntl(slave, fcntl.F_GETFL) & os.O_NONBLOCK
    for fd in (master, slave):
        os.close(fd)


def test_file(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        sink = Sink(file.fileno())
        sink.write(b"x" * 200_000)
        assert (sink.pending, sink.is_terminal, sink.broken) == (0, False, False)
    assert (tmp_path / "file").read_bytes() == b"x" * 200_000


def test_full_disk_is_no_reader_that_went_away() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    sink = Sink(full)
    sink.write(b"x")
    assert (sink.pending, sink.broken, sink.lost, sink.outcome(7)) == (0, False, 1, 74)
    sink.write(b"yz")
    assert sink.complaint("here") == "here: No space left on device: 3 bytes of output are lost"
    os.close(full)


def test_flush_waits_for_the_reader_so_long(pipe: tuple[int, int]) -> None:
    sink = Sink(pipe[1])
    sink.write(bytes(1 << 20))
    assert sink.pending > 0
    sink.write(b"\nname: rest")
    assert sink.flush(0.01).endswith(b"\0\nname: rest")
    assert sink.pending == 0, "what is left then is forgotten"
    assert not sink.broken
    assert (sink.outcome(7), sink.complaint("here")) == (7, "")


def test_what_is_forgotten_begins_with_a_line(pipe: tuple[int, int]) -> None:
    sink = Sink(pipe[1])
    sink.write(b"first line\nname: " + bytes(1 << 20))
    assert sink.flush(0.01).startswith(b"name: \0")


def test_flush_writes_all(pipe: tuple[int, int]) -> None:
    with subprocess.Popen(["wc", "-c"], stdin=pipe[0], stdout=subprocess.PIPE) as reader:
        sink = Sink(pipe[1])
        sink.write(bytes(1 << 20))
        sink.flush()
        assert sink.pending == 0
        os.close(sink.fd)
        os.close(pipe[1])
        assert reader.communicate()[0].strip() == b"1048576"


def test_written_in_the_loop_only(pipe: tuple[int, int]) -> None:
    loop, sink = Loop(), Sink(pipe[1])
    told: list[int] = []
    sink.drained = lambda: (told.append(sink.pending), loop.stop())[1]  # type: ignore[func-returns-value]
    sink.attach(loop)
    sink.write(b"a")
    sink.write(b"b")
    assert sink.pending == 2
    loop.run()
    assert told == [0]
    assert os.read(pipe[0], 9) == b"ab"
    sink.attach(None)
    sink.write(b"c")
    assert os.read(pipe[0], 9) == b"c"


@pytest.mark.parametrize("same", [True, False])
def test_standard_outputs_keep_the_order_where_they_are_one(
    pipe: tuple[int, int], same: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
    places = {1: pipe[1], 2: pipe[1] if same else other}
    real = os.fstat

    def fstat(fd: int) -> os.stat_result:
        return real(places.get(fd, fd))

    monkeypatch.setattr(os, "fstat", fstat)
    out, err = standard_sinks()
    assert (out is err) is same
    os.close(other)
