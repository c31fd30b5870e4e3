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
Route = tuple[str, int]
Listen = Callable[..., list[socket.socket]]
Parents = Callable[..., list[Route]]
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
def unanswered(listen: Callable[..., list[socket.socket]]) -> Iterator[tuple[str, int]]:
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


def to_any_of(addresses: list[Route]) -> list[int]:
    """Our sockets that are connected to one of these, or have begun to be."""
    found = []
    for one in open_files():
        fd, _, what = one.partition(" ")
        if what.startswith("socket:"):
            with socket.socket(fileno=os.dup(int(fd))) as there:
                try:
                    found += [int(fd)] if there.getpeername()[:2] in [tuple(one[:2]) for one in addresses] else []
                except OSError:
                    continue  # it listens, or is closed at the other end
    return found


def connected(addresses: list[Route], budget: float = 20.0, patience: float = 20.0) -> tuple[str | None, list[str]]:
    """At which address the parent proved itself, and what was wrong with the others."""
    errors: list[str] = []
    before = to_any_of(addresses)
    told = config(budget=budget)
    told.patience = patience
    found = leaf.reach(told, 0, addresses, errors)
    if found is None:
        assert to_any_of(addresses) == before
        return None, errors
    line, _ = found
    assert line.session.ready
    assert [fd for fd in to_any_of(addresses) if fd not in before] == [line.read_fd] == [line.write_fd]
    with socket.socket(fileno=line.read_fd) as peer:
        assert os.get_blocking(line.read_fd)
        assert peer.getsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY)
        host: str = peer.getpeername()[0]
    return host, errors


@pytest.fixture
def parents(threads: ThreadPoolExecutor, listen: Listen) -> Iterator[Parents]:
    """Parents at addresses of one port, each of which takes one agent in."""
    made: list[tuple[Ancestor, Future[Any]]] = []

    def begin(*addresses: str) -> list[Route]:
        sockets = listen(*addresses)
        routes = [one.getsockname() for one in sockets]
        for one in sockets:
            ancestor = Ancestor(threads, one)
            made.append((ancestor, ancestor.take_in()))
        return routes

    yield begin
    for ancestor, answer in made:
        ancestor.gone()
        if not answer.exception():
            answer.result()[0].close()


def test_whichever_answers_is_taken(parents: Parents, unanswered: Route, refused: Route) -> None:
    for others, errors in (
        ([], []), ([refused], [f"{THIRD}: {REFUSED}"]), ([unanswered], []),
        ([unanswered, refused], [f"{THIRD}: {REFUSED}"]),
    ):  # fmt: skip
        (here,) = parents(FIRST)
        assert connected([*others, here]) == (FIRST, errors)
    (here,) = parents(FIRST)
    assert connected([here, refused]) == (FIRST, [])


def test_the_next_is_tried_a_little_later(
    parents: Parents, unanswered: Route, refused: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = monotonic()
    assert connected([unanswered, *parents(FIRST)]) == (FIRST, [])
    assert monotonic() - begin >= STAGGER
    monkeypatch.setattr(leaf, "STAGGER", 1000.0)
    assert connected([refused, *parents(FIRST)])[0] == FIRST  # at once where there is nothing to wait for
    assert connected([unanswered, *parents(FIRST)], 0.1) == (None, [f"{SECOND}: {NO_ANSWER}"])


def test_where_none_answers(unanswered: Route, refused: Route) -> None:
    assert connected([refused]) == (None, [f"{THIRD}: {REFUSED}"])
    assert connected([]) == (None, [])
    begin = monotonic()
    assert connected([unanswered, refused], 0.4) == (None, [f"{THIRD}: {REFUSED}", f"{SECOND}: {NO_ANSWER}"])
    assert 0.4 <= monotonic() - begin < 10.0
    assert connected([refused], -1.0) == (None, [])


def test_what_is_no_address(parents: Parents) -> None:
    """…is looked up nowhere: sshd says UNKNOWN where it speaks through a pipe."""
    for host in ("UNKNOWN", "localhost", "\ufffd", "1.2.3", "fe80::1%nowhere", "255.255.255.255"):
        (here,) = parents(FIRST)
        where, (error,) = connected([(host, here[1]), here])
        assert where == FIRST
        assert error.startswith(f"{host}: ")
        assert not error.endswith("None")


# -- who answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", bytes(64), b""])
def test_who_else_answers_there_is_struck_off(listen: Listen, threads: ThreadPoolExecutor, said: bytes) -> None:
    """…and so is who closes the connection."""
    stranger, good = listen(SECOND, FIRST)
    ancestor = Ancestor(threads, good)

    def answer() -> bytes:
        with stranger.accept()[0] as peer:
            greeting = peer.recv(100)
            peer.sendall(said)
            if said:
                assert peer.recv(100) == b"", "it gets no proof that somebody knows the key"
            return greeting

    told = threads.submit(answer)
    answered = ancestor.take_in()
    port = ancestor.route[0]
    where, errors = connected([(SECOND, port), (FIRST, port)])
    assert where == FIRST
    assert errors == [f"{SECOND}: {'the parent does not know the key' if said else 'closed'}"]
    answered.result()[0].close()
    assert told.result().startswith(b"MPB2")
    ancestor.gone()


def test_who_accepts_and_says_nothing_leaves_time_for_the_others(
    listen: Listen, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next is tried a little later, and the first may still prove itself."""
    monkeypatch.setattr(leaf, "UNPROVED", 0.1)
    _, good = listen(SECOND, FIRST)
    ancestor = Ancestor(threads, good)
    answered = ancestor.take_in()
    port = ancestor.route[0]
    begin = monotonic()
    assert connected([(SECOND, port), (FIRST, port)], budget=0.05) == (FIRST, [])
    assert 0.1 <= monotonic() - begin < 10.0
    answered.result()[0].close()
    ancestor.gone()


def test_a_parent_that_takes_its_time_is_waited_for(
    listen: Listen, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the connection: it has more than who does not answer, and others that do nothing do not matter."""
    monkeypatch.setattr(leaf, "UNPROVED", 0.05)
    listeners = listen(FIRST, SECOND)
    ancestor = Ancestor(threads, listeners[0])
    port = ancestor.route[0]
    with socket.create_connection((SECOND, port)):
        found = threads.submit(connected, [(FIRST, port), (SECOND, port)], 0.01)
        listeners[1].settimeout(20)
        listeners[1].accept()[0].close()  # ours
        with listeners[1].accept()[0] as peer:  # the agent's, which has turned to the second
            peer.recv(100)
        end, _ = ancestor.take_in().result()
    assert found.result() == (FIRST, [f"{SECOND}: closed"])
    end.close()
    ancestor.gone()


def test_whoever_says_nothing_has_only_so_long(listen: Listen) -> None:
    (silent,) = listen(FIRST)
    begin = monotonic()
    assert connected([silent.getsockname()], budget=0.05, patience=0.3) == (None, [f"{FIRST}: {NO_ANSWER}"])
    assert 0.3 <= monotonic() - begin < 10.0


def test_where_only_strangers_answer(listen: Listen, threads: ThreadPoolExecutor) -> None:
    ancestor = Ancestor(threads, listen(FIRST)[0])
    answered = ancestor.take_in(key=bytes(16))
    assert connected([(FIRST, ancestor.route[0])]) == (None, [f"{FIRST}: the parent does not know the key"])
    answered.result()[0].close()
    ancestor.gone()


@pytest.mark.parametrize(
    ("seen", "trusted", "taken"),
    [("", True, FIRST), (f"{SECOND} 50000 {THIRD} 22", True, SECOND), (f"{SECOND} 50000 {THIRD} 22", False, FIRST),
     (f"{FIRST} 50000 {THIRD} 22", True, FIRST)],
)  # fmt: skip
def test_the_address_that_ssh_shows_is_tried_first(
    listen: Callable[..., list[socket.socket]], threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch,
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
    listen: Callable[..., list[socket.socket]], threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
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
