"""The accept socket where descriptors run out, many come at once, and at its end."""

from __future__ import annotations

import os
import resource
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from mpboot.net.loop import READ
from mpboot.node import door as module
from mpboot.node.door import BACKLOG
from tests.node.house import GREETING, HELLO, House, has_said, is_closed
from tests.node.played import Rounds, child, open_files


@pytest.fixture
def house(loop: Rounds) -> Iterator[House]:
    made = House(loop)
    yield made
    made.close()


# -- limits ----------------------------------------------------------------------------------------


@pytest.fixture
def no_more_files() -> Iterator[Callable[[], None]]:
    """From the call on, no descriptor can be had beside those that are free again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def begin() -> None:
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))

    yield begin
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_where_no_descriptor_is_left_the_oldest_makes_room(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch, no_more_files: Callable[[], None]
) -> None:
    monkeypatch.setattr(module, "REST", 0.01)
    first, second = house.call(GREETING), house.call(bytes(child(rank=7, numbers=(4, 2)).out))
    loop.until(lambda: has_said(first) and has_said(second))
    agent = house.agent()
    agent.say(*HELLO)
    no_more_files()
    loop.until(lambda: house.guests)
    assert house.strangers == 1
    assert is_closed(first)
    second.setblocking(False)
    second.recv(1 << 10)
    with pytest.raises(BlockingIOError):
        second.recv(1)


def test_who_got_the_last_descriptor_may_keep_it(house: House, loop: Rounds, no_more_files: Callable[[], None]) -> None:
    agent = house.agent()
    agent.say(*HELLO)
    spare = os.dup(0)
    no_more_files()
    os.close(spare)
    loop.until(lambda: house.guests)
    assert house.strangers == 0
    assert not agent.lost


def test_where_nobody_can_make_room_it_rests(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch, no_more_files: Callable[[], None]
) -> None:
    monkeypatch.setattr(module, "REST", 0.2)
    agent = house.agent()
    agent.say(*HELLO)
    no_more_files()
    waited: list[bool] = []
    loop.later(0.15, lambda: waited.append(True))
    loop.until(lambda: waited)
    assert loop.rounds < 8  # it does not try again and again
    assert not house.guests
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    loop.until(lambda: house.guests)
    assert house.strangers == 0


def sockets(files: set[str]) -> list[int]:
    return [int(one.partition(" ")[0]) for one in files if "socket:" in one]


def test_the_loop_goes_round_between_many_who_come_at_once(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    for _ in range(3):
        house.call()
    before = open_files()
    loop.once()
    assert len(sockets(open_files() - before)) == 2
    loop.once()
    assert len(sockets(open_files() - before)) == 3


def test_frames_are_not_held_back_and_many_may_wait(loop: Rounds) -> None:
    before = open_files()
    house = House(loop)
    listeners = sockets(open_files() - before)
    for fd in listeners:
        with socket.socket(fileno=os.dup(fd)) as listener:
            info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
            assert struct.unpack_from("I", info, 28)[0] == BACKLOG  # see test_address
    house.call()
    before = open_files()
    loop.once()
    (fd,) = sockets(open_files() - before)
    with socket.socket(fileno=os.dup(fd)) as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    house.close()


# -- its end ---------------------------------------------------------------------------------------


def test_a_closed_door(loop: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VISIT", 0.05)
    before = open_files()
    house = House(loop)
    house.agent().say(*HELLO)
    waiting = house.call(GREETING)
    loop.until(lambda: house.guests and has_said(waiting))
    house.door.close()
    assert is_closed(waiting)
    assert house.guests[0][0].open
    with pytest.raises(ConnectionRefusedError):
        house.call()
    loop.later(0.1, house.close)
    loop.until(lambda: not house.guests[0][0].open)
    assert house.strangers == 0
    assert sockets(open_files() - before) == []
    for fd in os.pipe():  # whoever gets the listeners' numbers next can be watched
        loop.watch(fd, READ, lambda _: None)
        loop.forget(fd)
        os.close(fd)


def test_a_door_that_is_closed_while_it_rests_stays_closed(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch, no_more_files: Callable[[], None]
) -> None:
    monkeypatch.setattr(module, "REST", 0.0)
    house.call()
    no_more_files()
    loop.once()
    house.door.close()
    loop.once()
    assert house.strangers == 0
