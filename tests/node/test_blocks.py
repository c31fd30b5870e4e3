"""Blocks between processes, over real sockets: served as they become ready, asked for until all are there."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpboot.net import files
from mpboot.net.files import BLOCK, DIGEST, digest
from mpboot.net.loop import Loop
from mpboot.node import blocks, pull
from mpboot.node.address import listen
from mpboot.node.blocks import Blocks, Server

KEY = b"k" * 16
COUNT = 5


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


class Holder:
    """One who has a file of five blocks, and serves those that are ready."""

    def __init__(self, loop: Loop, path: Path, ready: bytes = b"\1" * COUNT, key: bytes = KEY) -> None:
        size = path.stat().st_size
        place = os.fsencode(path)
        self.blocks = Blocks(COUNT, lambda number: (place, number * BLOCK, min(BLOCK, size - number * BLOCK)))
        self.blocks.ready[:] = ready
        self.server = Server(loop, listen(16), key, self.blocks)
        self.where: files.Where = (["127.0.0.1"], self.server.port)


class Asker:
    """One who asks, and what he gets."""

    def __init__(self, loop: Loop, wheres: list[files.Where], data: bytes, wanted: list[int] | None = None) -> None:
        self.got: dict[int, bytes] = {}
        self.why: str | None = None
        self._loop = loop
        size = len(data)
        digests = b"".join(digest(data[at : at + BLOCK]) for at in range(0, size, BLOCK))
        blocks = Blocks(COUNT, lambda number: (b"", number * BLOCK, min(BLOCK, size - number * BLOCK)))
        self.pull = pull.Pull(
            loop,
            [(str(at), where) for at, where in enumerate(wheres)],
            KEY,
            list(range(COUNT)) if wanted is None else wanted,
            blocks,
            self._take,
            self._end,
            digest,
            lambda number: digests[number * DIGEST : (number + 1) * DIGEST],
        )

    def _take(self, number: int, data: memoryview) -> None:
        self.got[number] = bytes(data)

    def _end(self, why: str) -> None:
        self.why = why
        self._loop.stop()


@pytest.fixture
def data() -> bytes:
    return os.urandom((COUNT - 1) * BLOCK + 7)


@pytest.fixture
def path(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "data").write_bytes(data)
    return tmp_path / "data"


def whole(asker: Asker) -> bytes:
    return b"".join(asker.got[number] for number in sorted(asker.got))


def test_all_of_it(loop: Loop, path: Path, data: bytes) -> None:
    holder = Holder(loop, path)
    asker = Asker(loop, [holder.where], data)
    loop.run()
    assert (asker.why, whole(asker), holder.server.sent) == ("", data, len(data))


def test_some_of_it(loop: Loop, path: Path, data: bytes) -> None:
    asker = Asker(loop, [Holder(loop, path).where], data, [0, 3, 4])
    loop.run()
    assert (asker.why, sorted(asker.got)) == ("", [0, 3, 4])


def test_nothing_of_it(loop: Loop, path: Path, data: bytes) -> None:
    asker = Asker(loop, [Holder(loop, path).where], data, [])
    loop.run()
    assert (asker.why, asker.got) == ("", {})


def test_what_is_not_there_yet_is_sent_when_it_is(loop: Loop, path: Path, data: bytes) -> None:
    holder = Holder(loop, path, ready=b"\1\1\0\0\0")

    def more() -> None:
        if len(asker.got) < 2:
            loop.later(0.001, more)
            return
        holder.blocks.ready[:] = b"\1" * COUNT
        holder.server.wake()

    asker = Asker(loop, [holder.where], data)
    more()
    loop.run()
    assert (asker.why, whole(asker)) == ("", data)


def refusing(_: Path, _loop: Loop) -> files.Where:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return ["127.0.0.1"], server.getsockname()[1]


def lying(path: Path, loop: Loop) -> files.Where:
    """Its bytes are others."""
    other = path.with_name("other")
    other.write_bytes(bytes(path.stat().st_size))
    return Holder(loop, other).where


def stranger(path: Path, loop: Loop) -> files.Where:
    """It knows another key."""
    return Holder(loop, path, key=b"x" * 16).where


def short(path: Path, loop: Loop) -> files.Where:
    """Its file ends too early."""
    holder = Holder(loop, path.with_name("data"))
    cut = path.with_name("cut")
    cut.write_bytes(path.read_bytes()[: BLOCK + 10])
    holder.blocks.place = lambda number: (os.fsencode(cut), number * BLOCK, BLOCK)
    return holder.where


def silent(_: Path, _loop: Loop) -> files.Where:
    """It takes the connection, and says nothing."""
    server = socket.create_server(("127.0.0.1", 0))
    keep.append(server)
    return ["127.0.0.1"], server.getsockname()[1]


keep: list[socket.socket] = []


@pytest.mark.parametrize("bad", [refusing, lying, stranger, short, silent])
def test_another_is_asked(
    loop: Loop, path: Path, data: bytes, bad: Callable[[Path, Loop], files.Where], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "CONNECTS", 0.2)
    asker = Asker(loop, [bad(path, loop), Holder(loop, path).where], data)
    loop.run()
    assert (asker.why, whole(asker)) == ("", data)


@pytest.mark.parametrize("bad", [refusing, lying, stranger, short])
def test_nobody_has_it(loop: Loop, path: Path, data: bytes, bad: Callable[[Path, Loop], files.Where]) -> None:
    asker = Asker(loop, [bad(path, loop)], data)
    loop.run()
    assert asker.why
    assert whole(asker) in (b"", data[:BLOCK])


@pytest.mark.parametrize(
    "said", [b"", b"x" * 15, b"x" * 20, b"x" * 16 + b"\0\0\0\0", b"x" * 16 + b"\xff\xff\xff\xff", bytes(range(200))]
)
def test_who_talks_nonsense_gets_nothing(loop: Loop, path: Path, data: bytes, said: bytes) -> None:
    holder = Holder(loop, path)
    with socket.create_connection(("127.0.0.1", holder.server.port)) as sock:
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        asker = Asker(loop, [holder.where], data)
        loop.run()
        assert sock.recv(1 << 16)[16:] == b""
    assert (whole(asker), holder.server.sent) == (data, len(data))
    assert DIGEST == 16


def test_who_takes_no_more_is_told_nothing_more(loop: Loop, path: Path, data: bytes) -> None:
    """As where the disk is full: it was gone on with, without a connection."""
    asker = Asker(loop, [Holder(loop, path).where], data)

    def full(number: int, _: memoryview) -> None:
        asker.got[number] = b""
        asker.pull.close()
        loop.later(0.05, loop.stop)

    asker.pull._got = full
    loop.run()
    assert (sorted(asker.got), asker.why) == ([0], None)


def test_who_sends_next_to_nothing_is_left(
    loop: Loop, path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then is no silence, and would hold up all behind it for ever."""
    monkeypatch.setattr(pull, "WHILE", 0.3)
    monkeypatch.setattr(pull, "CONNECTS", 0.1)
    server = socket.create_server(("127.0.0.1", 0))
    guest: list[socket.socket] = []

    def drip() -> None:
        if not guest:
            guest.append(server.accept()[0])
            guest[0].sendall(bytes(16))
        try:
            guest[0].sendall(data[:1])
        except OSError:
            return
        loop.later(0.02, drip)

    asker = Asker(loop, [(["127.0.0.1"], server.getsockname()[1]), Holder(loop, path).where], data)
    loop.soon(drip)
    loop.run()
    server.close()
    assert (asker.why, whole(asker)) == ("", data)


def test_where_nobody_can_be_reached_the_last_is_asked_soon(
    loop: Loop, path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall between the hosts drops what they say: with hundreds before it, each host would try all."""
    monkeypatch.setattr(pull, "CONNECTS", 0.05)
    tried: list[object] = []
    real = pull._connected

    def seen(sock: socket.socket | None) -> bool:
        tried.append(sock)
        return real(sock)

    monkeypatch.setattr(pull, "_connected", seen)
    # One whose queue of connections is full answers nobody, as if a firewall stood before it.
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        dead.listen(0)
        fillers = []
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(dead.getsockname())
            fillers.append(one)
        nowhere: files.Where = (["127.0.0.1"], dead.getsockname()[1])
        asker = Asker(loop, [*([nowhere] * 100), Holder(loop, path).where], data)
        loop.run()
        for one in fillers:
            one.close()
    assert (asker.why, whole(asker), len(tried)) == ("", data, pull.UNREACHED)


def test_strangers_make_room_for_each_other(
    loop: Loop, path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "MOST_STRANGERS", 3)
    holder = Holder(loop, path)
    strangers = [socket.create_connection(("127.0.0.1", holder.server.port)) for _ in range(8)]
    asker = Asker(loop, [holder.where], data)
    loop.run()
    assert whole(asker) == data
    assert len(holder.server.guests) <= 4
    for one in strangers:
        one.close()
