"""The accept socket: who proves a key is welcome, and nobody else keeps that one out."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mpboot.net import wire
from mpboot.net.answer import Answer
from mpboot.net.hello import Hello
from mpboot.net.link import Link
from mpboot.node import door as module
from mpboot.node.door import ALIKE, AT_ONCE, BACKLOG, LATE, REST, VISIT, VISITORS
from tests.node.house import GREETING, HELLO, House, has_said, hello_of, is_closed
from tests.node.played import SECRET, Rounds, child


@pytest.fixture
def house(loop: Rounds) -> Iterator[House]:
    made = House(loop)
    yield made
    made.close()


def test_the_numbers() -> None:
    assert (BACKLOG, VISITORS, VISIT, REST, AT_ONCE) == (1024, 256, 5.0, 0.1, 64)
    assert (LATE, ALIKE) == (60.0, 4)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_proves_its_key_is_welcome(house: House, loop: Rounds, address: str) -> None:
    if address == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("there is no IPv6 here")
    agent = house.agent(address=address)
    for message in (HELLO, (wire.PONG, b""), (wire.DONE, b"1")):
        agent.say(*message)
    loop.until(lambda: len(house.heard) == 2)
    ((link, hello),) = house.guests
    assert (hello.rank, hello.pid) == (7, 77)
    assert [(one.rank, one.numbers, one.key) for one in house.sessions] == [(7, (1,), SECRET)]
    assert house.heard == [(wire.PONG, b""), (wire.DONE, b"1")]  # to whom the guest is from now on
    link.send(wire.STOP)
    loop.until(lambda: agent.heard)
    assert agent.heard == [(wire.STOP, b"")]
    agent.close()
    loop.until(lambda: house.lost)
    assert house.strangers == 0


def test_the_port_is_told(house: House) -> None:
    assert 0 < house.door.port < 1 << 16


# -- strangers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\n\r\n", b"M", b"MPB1" + bytes(16), b"MPB2" + bytes(4 + 1 + 16), b"MPB2" + bytes(4) + b"A",
     GREETING + bytes(16), b"\0" * 100_000],
    ids=["http", "piece", "old", "nobody", "far below", "no proof", "long"],  # a greeting is new each time: no name
)  # fmt: skip
def test_who_says_something_else_is_sent_away(house: House, loop: Rounds, said: bytes) -> None:
    caller = house.call(said)
    if said == b"M":
        caller.shutdown(socket.SHUT_WR)
    loop.until(lambda: house.strangers)
    assert is_closed(caller)
    assert (house.strangers, house.guests) == (1, [])


def test_who_does_not_know_the_key_is_sent_away(house: House, loop: Rounds) -> None:
    agent = house.agent(secret=bytes(wire.KEY_BYTES))
    agent.say(*HELLO)
    loop.until(lambda: house.strangers)
    loop.until(lambda: agent.lost)
    assert agent.lost == "the parent does not know the key"
    assert (house.strangers, house.guests) == (1, [])


@pytest.mark.parametrize(
    "first",
    [(wire.PONG, b""), (wire.DONE, HELLO[1]), (wire.HELLO, b"{}"), (wire.HELLO, b"\xff"), (wire.HELLO, b""),
     hello_of(8), hello_of(7, orphan=True), hello_of(7, below="0-9")],
)  # fmt: skip
def test_who_does_not_begin_with_a_hello_that_makes_sense_is_sent_away(
    house: House, loop: Rounds, first: tuple[int, bytes]
) -> None:
    agent = house.agent()
    agent.say(*first)
    agent.say(*HELLO)
    loop.until(lambda: agent.lost and house.strangers)
    assert (house.strangers, house.guests) == (1, [])


@pytest.mark.parametrize(("rank", "numbers"), [(8, (1,)), (7, (2,)), (7, (1, 1)), (7, ())])
def test_who_comes_of_no_launch_is_sent_away(house: House, loop: Rounds, rank: int, numbers: tuple[int, ...]) -> None:
    agent = house.agent(rank=rank, numbers=numbers)
    agent.say(*hello_of(rank))
    loop.until(lambda: agent.lost and house.strangers)
    assert (house.strangers, house.guests) == (1, [])


def test_an_orphan_comes_by_the_numbers_on_its_way(house: House, loop: Rounds) -> None:
    agent = house.agent(numbers=(4, 2))
    agent.say(*HELLO)  # it is none of this node's own children
    loop.until(lambda: agent.lost and house.strangers)
    house.agent(numbers=(4, 2)).say(*hello_of(7, orphan=True, below="0-8"))
    loop.until(lambda: house.guests)
    ((_, hello),) = house.guests
    assert (hello.orphan, hello.below) == (True, list(range(9)))
    assert house.sessions[0].numbers == (4, 2)
    assert house.strangers == 1


def test_who_hangs_up_is_a_stranger(house: House, loop: Rounds) -> None:
    house.call().close()
    loop.until(lambda: house.strangers)
    assert house.guests == []


def test_who_says_nothing_is_sent_away_in_the_end(house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VISIT", 0.05)
    caller = house.call()
    half = house.call(GREETING[:4])
    loop.until(lambda: house.strangers == 2)
    assert is_closed(caller)
    assert is_closed(half)


def test_who_is_welcome_may_stay(house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VISIT", 0.1)
    house.agent().say(*HELLO)
    loop.until(lambda: house.guests)
    house.call()
    loop.until(lambda: house.strangers)  # who came later had to go: the time of the guest is over too
    link, _ = house.guests[0]
    assert link.open
    assert (house.strangers, house.lost) == (1, [])


def test_when_there_are_too_many_the_oldest_makes_room(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VISITORS", 3)
    first, *others = [house.call() for _ in range(4)]
    loop.until(lambda: house.strangers)
    assert house.strangers == 1
    assert is_closed(first)
    agent = house.agent()
    agent.say(*HELLO)
    loop.until(lambda: house.guests)
    assert house.strangers == 2
    assert is_closed(others[0])
    house.call()  # the agent is no visitor any more
    house.agent().say(*HELLO)
    loop.until(lambda: len(house.guests) == 2)
    assert house.strangers == 3


def test_who_is_sent_away_stays_a_visitor_of_whom_nothing_is_read(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come, and whatever they go on to say."""
    monkeypatch.setattr(module, "VISITORS", 3)

    def send_away(link: Link, hello: Hello, session: Answer) -> None:
        house._welcome(link, hello, session)
        house.door.send_away(link, session)

    monkeypatch.setattr(house.door, "_welcome", send_away)
    for count in range(1, 6):
        agent = house.agent()
        agent.say(*HELLO)
        agent.say(wire.DONE, bytes(40_000))
        loop.until(lambda count=count: len(house.guests) == count)  # type: ignore[misc]
        link, session = house.guests[-1][0], house.sessions[-1]
        agent.say(wire.DONE, bytes(40_000))
        loop.until(lambda agent=agent: agent.heard)  # type: ignore[misc]
        assert agent.heard == [(wire.STOP, b"")]
        assert (link._held, bytes(session._in)) == ([], b"")
    assert [link.open for link, _ in house.guests] == [False, False, True, True, True]
    assert house.heard == []
    assert house.strangers == 0


@pytest.mark.parametrize("fault", [OSError(24, "Too many open files"), ImportError("x.so: Too many open files")])
def test_what_an_agent_can_not_be_served_with_costs_that_agent(house: House, loop: Rounds, fault: Exception) -> None:
    """Where no descriptor is left."""

    def got(*_: object) -> None:
        raise fault

    agent = house.agent()
    agent.say(*HELLO)
    loop.until(lambda: house.guests)
    house.guests[0][0].got = got
    agent.say(wire.WANT, b"[[]]")
    loop.until(lambda: house.lost)
    assert house.lost == [f"can't be served (WANT: {type(fault).__name__}: {fault})"]


def test_who_is_sent_away_has_a_visits_time(house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VISIT", 0.05)
    house.agent().say(*HELLO)
    loop.until(lambda: house.guests)
    link = house.guests[0][0]
    house.door.send_away(link, house.sessions[0])
    loop.until(lambda: not link.open)
    assert house.door._visitors == {}
    assert house.strangers == 0


@pytest.mark.long
def test_a_good_one_among_300_bad(house: House, loop: Rounds) -> None:
    before, after = 150, 150
    for _ in range(before):
        house.call()
    agent = house.agent()
    agent.say(*HELLO)
    for _ in range(after):
        house.call(GREETING)
    loop.until(lambda: house.guests)
    loop.until(lambda: house.strangers >= before + after - VISITORS)
    assert [hello.rank for _, hello in house.guests] == [7]
    assert not agent.lost


# -- agents of ours that are late ------------------------------------------------------------------


def test_who_greets_like_an_agent_of_ours_may_be_late(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VISIT", 0.05)
    late = house.call(GREETING)
    loop.until(lambda: house.door.calls(7))
    stranger = house.call()
    loop.until(lambda: house.strangers)
    assert is_closed(stranger)
    assert has_said(late)  # which is what it may now answer
    assert [house.door.calls(rank) for rank in (6, 7)] == [False, True]
    assert not house.door.orphans
    house.agent().say(*HELLO)
    loop.until(lambda: house.guests)
    late.close()
    loop.until(lambda: not house.door.calls(7))
    assert house.strangers == 1  # the agent came by another address: this one is no stranger


def test_not_even_such_a_one_may_be_late_for_ever(house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE", 0.05)
    late = house.call(GREETING)
    loop.until(lambda: house.strangers)
    assert is_closed(late)


def test_strangers_make_no_room_out_of_agents_of_ours(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do those who greet alike, however many, take it from strangers."""
    monkeypatch.setattr(module, "VISITORS", 3)
    ours = house.call(GREETING)
    loop.until(lambda: house.door.calls(7))
    others = [house.call() for _ in range(4)]
    loop.until(lambda: house.strangers)
    assert is_closed(others[0])
    assert has_said(ours)
    assert house.strangers == 1


def test_of_those_who_greet_alike_a_few_may_be_late(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VISIT", 0.1)
    callers = [house.call(GREETING) for _ in range(ALIKE + 2)]
    loop.until(lambda: len(house.door._visitors) == len(callers) and len(house.door._callers) == ALIKE)
    loop.until(lambda: len(house.door._visitors) == ALIKE)
    assert is_closed(callers[-1])
    assert has_said(callers[0])


def test_while_agents_are_awaited_there_is_room_for_all_of_them(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VISITORS", 3)
    monkeypatch.setattr(module, "VISIT", 0.01)
    house.awaits = True
    callers = [house.call() for _ in range(3 + 9)]  # so many may be its own
    loop.until(lambda: len(house.door._visitors) == len(callers))
    callers.append(house.call())
    loop.until(lambda: house.strangers)
    assert is_closed(callers[0])
    assert house.strangers == 1


def test_an_orphan_at_the_door_is_known_before_it_has_said_who_it_brings(house: House, loop: Rounds) -> None:
    house.call(bytes(child(rank=7, numbers=(4, 2)).out))
    loop.until(lambda: house.door.orphans)
    assert house.door.calls(7)


def test_orphans_at_the_door_are_waited_for_and_not_for_ever(
    house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KNOCKING", 0.05)
    called: list[str] = []
    house.door.after_orphans(0.0, lambda: called.append("nobody"))
    loop.until(lambda: called)
    orphan = house.call(bytes(child(rank=7, numbers=(4, 2)).out))
    loop.until(lambda: house.door.orphans)
    house.door.after_orphans(0.0, lambda: called.append("gone"))
    house.door.after_orphans(0.0, lambda: called.append("too long"), 0.1)
    loop.until(lambda: len(called) == 2)
    orphan.close()
    loop.until(lambda: len(called) == 3)
    assert called == ["nobody", "too long", "gone"]


def test_who_calls_is_waited_for(house: House, loop: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOCKING", 0.01)
    called: list[bool] = []
    assert not house.door.after_calling(7, lambda: called.append(False))
    house.call(GREETING)
    loop.until(lambda: house.door.calls(7))
    assert house.door.after_calling(7, lambda: called.append(True))
    loop.until(lambda: called)
    assert called == [True]
