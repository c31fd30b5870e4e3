"""The pipes between parent, fork server and workers: values, numbers, and what is ready."""

from __future__ import annotations

import errno
import os
import posix
import threading
from collections.abc import Iterator
from select import POLLIN, POLLOUT

import pytest

from mpboot.workers import pipes
from mpboot.workers.pipes import Reader, Results, ResultsWriter, Writer, numbers, pack, packed, ready, unpack
from tests.workers.given import LONG, descriptors

VALUES = [None, 0, -1, 1 << 40, 1.5, "häst", b"\0\xff", [1, ["two", None]], ("a", {"b": 3})]


@pytest.fixture
def pipe() -> Iterator[tuple[Reader, Writer]]:
    read, write = os.pipe()
    yield Reader(read), Writer(write)
    for fd in (read, write):
        try:
            os.close(fd)
        except OSError:
            continue  # the test has closed it


@pytest.mark.parametrize("value", VALUES)
def test_a_value_arrives(pipe: tuple[Reader, Writer], value: object) -> None:
    reader, writer = pipe
    writer.put(value)
    writer.put("next")
    assert (reader.get(), reader.get()) == (value, "next")


def test_a_value_is_packed_as_multiprocessing_does() -> None:
    packed_value = pack("x")
    assert packed_value[:4] == (len(packed_value) - 4).to_bytes(4, "big")
    assert unpack(packed_value[4:]) == "x"


@pytest.mark.parametrize("junk", [b"", b"junk", b"i\0"])
def test_junk_is_a_value_error(pipe: tuple[Reader, Writer], junk: bytes) -> None:
    reader, writer = pipe
    os.write(writer.fd, len(junk).to_bytes(4, "big") + junk)
    with pytest.raises(ValueError, match=r"no value|bad marshal"):
        reader.get()


def test_what_claims_to_be_huge_is_not_waited_for(pipe: tuple[Reader, Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pipe
    monkeypatch.setattr(pipes, "LIMIT", len(pack("x" * 10)) - 4)
    writer.put("x" * 10)
    assert reader.get() == "x" * 10
    writer.put("x" * 11)
    with pytest.raises(ValueError, match="a value of 1"):
        reader.get()


@pytest.mark.parametrize("cut", [0, 3, 4, 6])
def test_the_end_comes_as_such_wherever_it_comes(pipe: tuple[Reader, Writer], cut: int) -> None:
    reader, writer = pipe
    os.write(writer.fd, pack("a value")[:cut])
    os.close(writer.fd)
    with pytest.raises(EOFError):
        reader.get()


def test_nobody_reads(pipe: tuple[Reader, Writer]) -> None:
    reader, writer = pipe
    os.close(reader.fd)
    with pytest.raises(BrokenPipeError):
        writer.put(1)


def test_what_is_larger_than_the_pipe_arrives_whole(pipe: tuple[Reader, Writer]) -> None:
    reader, writer = pipe
    value = os.urandom(1 << 20)
    thread = threading.Thread(target=writer.put, args=(value,))
    thread.start()
    assert reader.get() == value
    thread.join(LONG)


# -- results ---------------------------------------------------------------------------------------


@pytest.fixture
def said(pipe: tuple[Reader, Writer]) -> tuple[Results, ResultsWriter]:
    reader, writer = pipe
    return Results(reader.fd), ResultsWriter(writer.fd)


@pytest.mark.parametrize("value", [0, 1.5, "h\xe4st \udc80\0", [1, ["two", None]], {"b": [3]}])
@pytest.mark.parametrize("waits", [True, False])
def test_a_result_arrives(said: tuple[Results, ResultsWriter], value: object, waits: bool) -> None:
    results, writer = said
    writer.put(value)
    writer.put("next")
    take = results.get if waits else results.take
    assert (take(), take()) == (value, "next")
    assert results.take() is None


def test_a_result_that_has_not_come_whole_is_not_waited_for(said: tuple[Results, ResultsWriter]) -> None:
    results, writer = said
    for byte in b"\0\0\0\2[":
        os.write(writer.fd, bytes([byte]))
        assert results.take() is None
    os.write(writer.fd, b"]")
    writer.put("x" * (1 << 15))
    assert results.take() == []
    assert results.get() == "x" * (1 << 15)


@pytest.mark.parametrize(
    "junk", [b"\0\0\0\0", b"\0\0\0\4junk", b"\0\0\0\4null", b"\0\4\0\1", b"\xff\xff\xff\xff", b"\0\0\0\1\xff"]
)
@pytest.mark.parametrize("waits", [True, False])
def test_a_result_that_is_none_is_a_value_error(said: tuple[Results, ResultsWriter], junk: bytes, waits: bool) -> None:
    results, writer = said
    os.write(writer.fd, junk)
    with pytest.raises(ValueError, match=r"no value|not JSON|a value of|decode"):
        results.get() if waits else results.take()


@pytest.mark.parametrize("cut", [0, 3, 4, 6])
def test_the_end_of_results_comes_as_such(said: tuple[Results, ResultsWriter], cut: int) -> None:
    results, writer = said
    os.write(writer.fd, b"\0\0\0\4null"[:cut])
    os.close(writer.fd)
    with pytest.raises(EOFError):
        results.get()


def test_pipes_are_made_all_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    made = pipes.pipes(2)
    for read, write in made:
        os.write(write, b"x")
        assert os.read(read, 1) == b"x"
        assert not os.get_inheritable(read) | os.get_inheritable(write)
        os.close(read)
        os.close(write)
    two = iter([os.pipe(), os.pipe()])

    def pipe() -> tuple[int, int]:
        for ends in two:
            return ends
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(posix, "pipe", pipe)
    with pytest.raises(OSError, match="Too many open files"):
        pipes.pipes(3)
    assert descriptors() == before


def test_ready(pipe: tuple[Reader, Writer]) -> None:
    reader, writer = pipe
    assert not ready(reader.fd, POLLIN, 0.0)
    assert not ready(reader.fd, POLLIN, -5.0)
    assert ready(writer.fd, POLLOUT, 0.0)
    timer = threading.Timer(0.05, os.write, (writer.fd, b"x"))
    timer.start()
    assert ready(reader.fd, POLLIN, LONG)
    timer.join()
    assert not ready(reader.fd, 0, 0.0)
    os.close(writer.fd)
    assert ready(reader.fd, 0, 0.0)


def test_a_full_pipe_is_not_ready(pipe: tuple[Reader, Writer]) -> None:
    _, writer = pipe
    os.set_blocking(writer.fd, False)
    os.write(writer.fd, b"x" * (1 << 20))  # as much as there is room for
    assert not ready(writer.fd, POLLOUT, 0.0)


def test_numbers() -> None:
    assert numbers(packed(0, 1, 70000, (1 << 32) - 1)) == [0, 1, 70000, (1 << 32) - 1]
    assert len(packed(1, 2, 3)) == 3 * pipes.NUMBER
    with pytest.raises(OverflowError):
        packed(-1)
