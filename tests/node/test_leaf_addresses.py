"""The way back to the parent: the race of its addresses, and who answers there."""

from __future__ import annotations

import _socket
import errno
import os
import posix
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import Any

import pytest

from mpboot.node import leaf
from mpboot.node.leaf import STAGGER
from tests.node.played import Ancestor, config, open_files

REFUSED, NO_ANSWER = os.strerror(errno.ECONNREFUSED), "no answer"
Listen = Callable[..., "list[socket.socket]"]
FIRST, SECOND, THIRD = "127.0.0.1", "127.0.0.2", "127.0.0.3"


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as made:
        yield made


@pytest.fixture
def listen(threads: ThreadPoolExecutor) -> Iterator[Callable[..., list[socket.socket]]]:  # noqa: ARG001  # they end later
    """Listens on one port of several addresses."""
    made: list[socket.socket] = []

    def begin(*addresses: str, backlog: int = 9) -> list[socket.socket]:
        while True:
            sockets = [socket.create_server((addresses[0], 0), backlog=backlog)]
            made.extend(sockets)
            try:
                for address in addresses[1:]:
                    sockets.append(socket.create_server((address, sockets[0].getsockname()[1]), backlog=backlog))
            except OSError:
                continue  # somebody has that port there
            made.extend(sockets[1:])
            return sockets

    yield begin
    for one in made:
        if one.fileno() >= 0:
            one.shutdown(socket.SHUT_RDWR)  # nobody waits for anybody any more
            one.close()


@pytest.fixture
def unanswered(listen: Listen) -> Iterator[tuple[str, int]]:
    """An address that never answers: its queue is full, so the kernel drops what comes."""
    (full,) = listen(SECOND, backlog=0)
    waiting = [socket.socket() for _ in range(3)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(full.getsockname())
    yield full.getsockname()
    for one in waiting:
        one.close()


@pytest.fixture
def refused() -> tuple[str, int]:
    """An address where nobody listens."""
    with socket.create_server((THIRD, 0)) as listener:
        return listener.getsockname()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("host", "family", "target"),
    [
        ("10.0.0.7", socket.AF_INET, ("10.0.0.7", 22)),
        ("fd00::7", socket.AF_INET6, ("fd00::7", 22, 0, 0)),
        ("fe80::7%lo", socket.AF_INET6, ("fe80::7", 22, 0, socket.if_nametoindex("lo"))),
    ],
)
def test_an_address_is_connected_to_as_it_is(host: str, family: int, target: tuple[Any, ...]) -> None:
    made, where = leaf.numeric(host, 22)
    assert (made.family, made.type, where) == (family, socket.SOCK_STREAM, target)
    made.close()


def came_to(
    addresses: list[tuple[str, int]], threads: ThreadPoolExecutor, good: socket.socket | None = None, **boot: Any
) -> tuple[str | None, list[str]]:
    """Which address a leaf came to, and what was wrong with the others; at ``good`` the parent answers."""
    answered = Ancestor(threads, good).take_in() if good is not None else None
    errors: list[str] = []
    before = open_files()
    found = leaf.reach(config(**boot), 0, addresses, errors)
    if found is None:
        assert open_files() == before
        return None, errors
    assert answered is not None
    end, _ = answered.result()
    with end, socket.socket(fileno=os.dup(found[0].read_fd)) as peer:
        assert os.get_blocking(found[0].read_fd)
        assert peer.getsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY)
        host: str = peer.getpeername()[0]
    found[0].close()
    return host, errors


def test_whichever_answers_is_taken(
    listen: Listen, threads: ThreadPoolExecutor, unanswered: tuple[str, int], refused: tuple[str, int]
) -> None:
    (good,) = listen(FIRST)
    here = good.getsockname()
    assert came_to([here, refused], threads, good) == (FIRST, [])
    assert came_to([refused, here], threads, good) == (FIRST, [f"{THIRD}: {REFUSED}"])
    assert came_to([unanswered, here], threads, good) == (FIRST, [])
    assert came_to([unanswered, refused, here], threads, good) == (FIRST, [f"{THIRD}: {REFUSED}"])


def test_the_next_is_tried_a_little_later(
    listen: Listen, threads: ThreadPoolExecutor, unanswered: tuple[str, int], refused: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (good,) = listen(FIRST)
    begin = monotonic()
    assert came_to([unanswered, good.getsockname()], threads, good) == (FIRST, [])
    assert monotonic() - begin >= STAGGER
    monkeypatch.setattr(leaf, "STAGGER", 1000.0)
    assert came_to([refused, good.getsockname()], threads, good)[0] == FIRST  # at once: there is nothing to wait for
    assert came_to([unanswered, good.getsockname()], threads, budget=0.1) == (None, [f"{SECOND}: {NO_ANSWER}"])


def test_where_none_answers(threads: ThreadPoolExecutor, unanswered: tuple[str, int], refused: tuple[str, int]) -> None:
    assert came_to([refused], threads) == (None, [f"{THIRD}: {REFUSED}"])
    assert came_to([], threads) == (None, [])
    begin = monotonic()
    wanted = (None, [f"{THIRD}: {REFUSED}", f"{SECOND}: {NO_ANSWER}"])
    assert came_to([unanswered, refused], threads, budget=0.4) == wanted
    assert 0.4 <= monotonic() - begin < 10.0


def test_what_is_no_address(listen: Listen, threads: ThreadPoolExecutor) -> None:
    """…is looked up nowhere: sshd says UNKNOWN where it speaks through a pipe."""
    (good,) = listen(FIRST)
    for host in ("UNKNOWN", "localhost", "\ufffd", "1.2.3", "fe80::1%nowhere", "255.255.255.255"):
        where, (error,) = came_to([(host, good.getsockname()[1]), good.getsockname()], threads, good)
        assert where == FIRST
        assert error.startswith(f"{host}: ")
        assert not error.endswith("None")


# -- who answers -----------------------------------------------------------------------------------


def test_who_else_answers_there_is_struck_off(listen: Listen, threads: ThreadPoolExecutor) -> None:
    stranger, good = listen(SECOND, FIRST)
    ancestor = Ancestor(threads, good)

    def answer() -> None:
        with stranger.accept()[0] as peer:
            peer.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
            peer.recv(100)

    told = threads.submit(answer)
    answered = ancestor.take_in()
    port = ancestor.route[0]
    errors: list[str] = []
    found = leaf.reach(config(), 0, [(SECOND, port), (FIRST, port)], errors)
    assert found is not None
    assert found[0].session.ready
    assert errors == [f"{SECOND}: the parent does not know the key"]
    found[0].close()
    answered.result()[0].close()
    told.result()
    ancestor.gone()


def test_who_accepts_and_says_nothing_leaves_time_for_the_others(
    listen: Listen, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are tried beside it, a little later than beside an address that does not answer at all."""
    monkeypatch.setattr(leaf, "UNPROVED", 0.3)
    silent, good = listen(SECOND, FIRST)
    begin = monotonic()
    assert came_to([silent.getsockname(), good.getsockname()], threads, good) == (FIRST, [])
    assert 0.3 <= monotonic() - begin < 10.0


def test_who_accepts_and_says_nothing_is_waited_for_within_the_launchs_time(
    listen: Listen, threads: ThreadPoolExecutor
) -> None:
    (silent,) = listen(SECOND)
    begin = monotonic()
    assert came_to([silent.getsockname()], threads, timeout=1.5, budget=0.1) == (None, [f"{SECOND}: {NO_ANSWER}"])
    assert 0.5 <= monotonic() - begin < 10.0


def test_where_only_strangers_answer(listen: Listen, threads: ThreadPoolExecutor) -> None:
    ancestor = Ancestor(threads, listen(FIRST)[0])
    answered = ancestor.take_in(secret=bytes(16))
    errors: list[str] = []
    assert leaf.reach(config(), 0, [(FIRST, ancestor.route[0])], errors) is None
    assert errors == [f"{FIRST}: the parent does not know the key"]
    assert leaf.reach(config(), 0, [], errors) is None
    answered.result()[0].close()
    ancestor.gone()


@pytest.mark.parametrize(
    ("seen", "trusted", "taken"),
    [("", True, FIRST), (f"{SECOND} 50000 {THIRD} 22", True, SECOND), (f"{SECOND} 50000 {THIRD} 22", False, FIRST),
     (f"{FIRST} 50000 {THIRD} 22", True, FIRST)],
)  # fmt: skip
def test_the_address_that_ssh_shows_is_tried_first(
    listen: Listen, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch,
    seen: str, trusted: bool, taken: str,
) -> None:  # fmt: skip
    monkeypatch.setitem(posix.environ, b"SSH_CONNECTION", seen.encode())
    sockets = listen(FIRST, SECOND)
    ancestors = [Ancestor(threads, one) for one in sockets]
    answers = [one.take_in() for one in ancestors]
    port = ancestors[0].route[0]
    rsh = "ssh" if trusted else "local"
    errors: list[str] = []
    found = leaf.reach_parent(config(routes=[(port, (FIRST,))], rsh=rsh), errors)
    assert found is not None
    assert errors == []
    with socket.socket(fileno=os.dup(found[0].read_fd)) as peer:
        assert peer.getpeername()[0] == taken
    found[0].close()
    for one in ancestors:
        one.gone()
    done: list[Future[Any]] = [answer for answer in answers if not answer.exception()]
    for answer in done:
        answer.result()[0].close()
    assert len(done) == 1


def test_of_several_addresses_each_is_tried(
    listen: Listen, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(posix.environ, b"SSH_CONNECTION", b"\xff")
    ancestor = Ancestor(threads, listen(FIRST)[0])
    answered = ancestor.take_in()
    errors: list[str] = []
    found = leaf.reach_parent(config(routes=[(ancestor.route[0], (THIRD, FIRST))], rsh="ssh"), errors)
    assert found is not None
    assert [error.partition(":")[0] for error in errors] == ["\ufffd", THIRD]
    found[0].close()
    answered.result()[0].close()
    ancestor.gone()
