"""The relay between rsh's stdio and the parent's socket: real pipes, a real connection."""

from __future__ import annotations

import itertools
import os
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net.wire import PIECE_DATA, piece
from mpboot.workers.relay import CHUNK, LIMIT, Pieces, Relay
from tests.workers.given import KEY, LONG


class Ends(NamedTuple):
    """A relay and the far ends of what it carries."""

    relay: Relay
    rsh_reads: int
    rsh_writes: int
    parent: socket.socket

    def until(self, size: int) -> bytes:
        """Have the relay move until the parent has so many bytes."""
        got = b""
        while len(got) < size:
            self.relay.move()
            got += self.parent.recv(1 << 20)
        return got

    def read_all(self) -> bytes:
        """What the parent gets until the connection is closed."""
        got = b""
        while True:
            data = self.parent.recv(1 << 20)
            got += data
            if not data:
                return got


@pytest.fixture
def ends() -> Iterator[Ends]:
    rsh_reads, to_rsh = os.pipe()
    from_rsh, rsh_writes = os.pipe()
    for fd in (to_rsh, from_rsh):
        os.set_blocking(fd, False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(to_rsh, from_rsh, listener.getsockname()[1], piece(KEY, b"begun "), KEY)
        parent, _ = listener.accept()
    parent.settimeout(LONG)
    yield Ends(relay, rsh_reads, rsh_writes, parent)
    relay.close()
    parent.close()
    for fd in (rsh_reads, to_rsh, from_rsh, rsh_writes):
        try:
            os.close(fd)
        except OSError:
            continue  # the test has closed it


def test_what_was_read_already_comes_first(ends: Ends) -> None:
    os.write(ends.rsh_writes, b"noise" + piece(KEY, b"up"))
    assert ends.until(8) == b"begun up"
    assert ends.relay.open


def test_bytes_come_down(ends: Ends) -> None:
    ends.parent.sendall(b"down")
    got = b""
    os.set_blocking(ends.rsh_reads, False)
    while got != b"down":
        ends.relay.move()
        try:
            got += os.read(ends.rsh_reads, 100)
        except BlockingIOError:
            continue


def test_what_a_poll_is_to_wait_for(ends: Ends) -> None:
    relay = ends.relay
    reads, writes, socket_ = relay.from_rsh, relay.to_rsh, relay.parent.fileno()
    assert relay.parent.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert relay.wants() == ((reads, True, False), (writes, False, False), (socket_, True, True))
    relay.move()
    assert relay.wants() == ((reads, True, False), (writes, False, False), (socket_, True, False))
    relay.down += b"x"
    assert relay.wants() == ((reads, True, False), (writes, False, True), (socket_, True, False))
    relay.down += bytes(LIMIT - 2)
    assert relay.wants()[2] == (socket_, True, False)
    relay.down += b"x"
    assert relay.wants()[2] == (socket_, False, False)
    relay.up += bytes(LIMIT)
    assert relay.wants()[0] == (reads, False, False)
    assert relay.wants()[2] == (socket_, False, True)


def test_a_slow_reader_makes_the_writer_wait(ends: Ends) -> None:
    """…and gets all of it in the end."""
    relay = ends.relay
    os.set_blocking(ends.rsh_writes, False)
    sent = 6  # what was begun
    while len(relay.up) < LIMIT:  # the socket is full, then the relay is
        try:
            os.write(ends.rsh_writes, piece(KEY, bytes(PIECE_DATA)))
            sent += PIECE_DATA
        except BlockingIOError:
            pass
        relay.move()
    held = len(relay.up)
    assert LIMIT <= held < LIMIT + CHUNK
    try:
        os.write(ends.rsh_writes, piece(KEY, bytes(10)))
        sent += 10
    except BlockingIOError:
        pass
    relay.move()
    assert len(relay.up) <= held
    assert len(ends.until(sent)) == sent


@pytest.mark.parametrize("side", ["rsh", "parent"])
def test_the_end_of_either_side_is_the_relays(ends: Ends, side: str) -> None:
    ends.relay.move()
    assert ends.relay.open
    if side == "rsh":
        os.write(ends.rsh_writes, piece(KEY, b"last"))
        os.close(ends.rsh_writes)
        assert ends.until(10) == b"begun last"
    else:
        ends.parent.close()
    while ends.relay.open:
        ends.relay.move()


@pytest.mark.parametrize("finishes", [True, False])
def test_all_that_rsh_said_before_its_end_arrives(ends: Ends, finishes: bool) -> None:
    """…which is more than the connection holds: rsh has ended, or only closed its output."""
    relay = ends.relay
    relay.up += bytes(1 << 25)
    os.write(ends.rsh_writes, piece(KEY, b"last"))
    os.close(ends.rsh_writes)
    relay.move()
    assert relay.open
    assert relay.wants()[0][1] is False
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(ends.read_all)
        if finishes:
            relay.finish(LONG)
        while not finishes and relay.open:
            relay.move()
        relay.close()
        assert read.result() == b"begun " + bytes(1 << 25) + b"last"


def test_a_pipe_that_somebody_else_holds_is_not_waited_for(ends: Ends) -> None:
    os.write(ends.rsh_writes, piece(KEY, b"last"))
    ends.relay.finish(LONG)
    ends.relay.close()
    assert ends.read_all() == b"begun last"


def test_a_parent_that_does_not_read_is_waited_for_so_long(ends: Ends) -> None:
    ends.relay.up += bytes(1 << 24)
    ends.relay.finish(0.05)
    assert ends.relay.up


def test_who_reads_no_more_has_still_its_last_words(ends: Ends) -> None:
    os.close(ends.rsh_reads)
    ends.parent.sendall(b"down")
    while ends.relay.left(None) is None:
        ends.relay.move()
    assert ends.relay.open
    assert ends.relay.to_rsh not in [fd for fd, _, _ in ends.relay.wants()]  # it would wake us again and again
    os.write(ends.rsh_writes, piece(KEY, b"last"))
    os.close(ends.rsh_writes)
    assert ends.until(10) == b"begun last"
    while ends.relay.open:
        ends.relay.move()


def test_who_reads_no_more_and_says_nothing_ends_it(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpboot.workers.relay.LAST_WORDS", 0.05)
    os.close(ends.rsh_reads)
    ends.parent.sendall(b"down")
    while ends.relay.left(60.0) == 60.0:
        ends.relay.move()
    while ends.relay.open:
        ends.relay.move()
        assert 0.0 <= (ends.relay.left(None) or 0.0) <= 0.05


def test_closing_it_closes_the_connection_and_leaves_rsh_its_pipes(ends: Ends) -> None:
    ends.relay.close()
    assert ends.parent.recv(1) == b""
    os.fstat(ends.relay.to_rsh)
    os.fstat(ends.relay.from_rsh)


def test_no_parent_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        Relay(0, 1, port, b"", KEY)


# -- what the agent said, out of all that was printed ----------------------------------------------

NOISE = (
    st.binary(max_size=40) | st.just(piece(KEY, b"x")[:10]) | st.just(b"\n") | st.just(piece(b"another key.....", b"x"))
)
SAID = st.binary(min_size=1, max_size=60) | st.just(bytes(PIECE_DATA))


@given(st.lists(st.tuples(NOISE, SAID), max_size=8), NOISE, st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_noise_between_pieces_is_skipped_however_it_is_cut(
    pairs: list[tuple[bytes, bytes]], last: bytes, sizes: list[int]
) -> None:
    printed = b"".join(noise + piece(KEY, data) for noise, data in pairs) + last
    pieces, said = Pieces(KEY), bytearray()
    for size in itertools.cycle(sizes):
        if not printed:
            break
        pieces.take(printed[:size], said)
        printed = printed[size:]
    assert bytes(said) == b"".join(data for _, data in pairs)


def test_of_noise_nothing_is_kept() -> None:
    pieces, said = Pieces(KEY), bytearray()
    for _ in range(100):
        pieces.take(bytes(1 << 16), said)
    assert len(pieces._rest) < 16
    assert not said


@pytest.mark.parametrize("size", [0, PIECE_DATA + 1, 0xFFFF])
def test_a_piece_of_no_size_is_noise(size: int) -> None:
    pieces, said = Pieces(KEY), bytearray()
    word = piece(KEY, b"")[:-2]
    pieces.take(word + size.to_bytes(2, "big") + b"x" * 70_000 + piece(KEY, b"said"), said)
    assert bytes(said) == b"said"


def test_a_pipe_takes_a_piece_whole() -> None:
    assert len(piece(KEY, bytes(PIECE_DATA))) <= select.PIPE_BUF
