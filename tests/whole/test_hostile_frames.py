"""Whatever a hostile peer says, in whatever kind of frame, costs it alone its connection.

What is besieged is real, but for what it would launch: see support/besieged.py. Hostile hosts in whole boots are in
test_hostile.py; tools/fuzz says more of it, for longer.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any, NoReturn
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpboot.net import messages, wire
from mpboot.net.answer import Answer
from mpboot.net.link import KINDS
from mpboot.net.outlet import HEAD
from mpboot.node import leaf
from mpboot.tree.policy import TOPOLOGIES
from tests.support.besieged import BOOT, Door, House
from tests.support.frames import NASTY, Speaker, changed, packed, places, right
from tests.support.led import Led, Upper, leaf_config
from tests.support.stand_ins import NoStore, Player

thorough = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
LARGEST = Answer.LIMIT - 17  # bytes of a body that fits into a frame from below
LONG = 20.0  # seconds: longer than any pause, grace or visit
COSTS = 2 << 20  # bytes that a hostile child may cost the head
FLOOD = 6 << 20  # bytes that it says, if it is let, in so many frames at most
FRAMES = 4000

ENDS = (b"", b"]")
numbers = st.sampled_from(NASTY) | st.integers(-(10**400), 10**400) | st.floats()
texts = st.text(st.characters(), max_size=20) | st.sampled_from([3000, 20_000]).map("x".__mul__)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
deep = st.builds(lambda depth, end: b"[" * depth + end * depth, st.integers(1, LARGEST // 2), st.sampled_from(ENDS))
large = st.builds(lambda one, more: bytes([one]) * (LARGEST + more), st.sampled_from(b'\0["9x'), st.integers(-2, 1))
kinds = st.sampled_from(sorted(KINDS)) | st.integers(0, 255)


@st.composite
def near(draw: st.DrawFn, kind: int, by: Speaker) -> bytes:
    """A body that fits but for some places in it, or fits."""
    value: Any = right(kind, by)
    if isinstance(value, bytes):
        at = draw(st.integers(0, len(value)))
        return value[:at] + draw(st.binary(max_size=9)) + value[draw(st.integers(at, len(value))) :]
    ranks = st.sampled_from([by.me, *by.care, *by.others])
    for _ in range(draw(st.integers(0, 3))):
        value = changed(value, draw(st.sampled_from(list(places(value)))), draw(values | ranks))
    return packed(value)


def bodies(kind: int, by: Speaker) -> st.SearchStrategy[bytes]:
    """All that may be in a body."""
    return near(kind, by) | values.map(packed) | st.binary(max_size=200) | deep | large


def talk(data: st.DataObject, player: Player) -> Iterator[None]:
    """Say a few things, one after another or all at once."""
    for _ in range(data.draw(st.integers(1, 6))):
        kind = data.draw(kinds)
        player.say(kind, data.draw(bodies(kind, player.speaker)))
        yield


def goes_on(house: House, data: st.DataObject) -> None:
    """The boot goes on as if nothing had been: launches fail, or bring an agent that is welcome."""
    for _ in range(3):
        house.loop.skip(LONG)
        for node in (house.root, house.inner):
            for launch in house.launches(node)[:6]:
                cause = data.draw(st.sampled_from(["", "", "", "auth", "refused", "no-python"]))
                if cause:
                    house.fails(node, launch.launch, cause)
                else:
                    player = house.child(node, launch.launch)
                    assert house.over or (player.link.open and wire.STOP not in player.kinds), player.lost
        house.check()
    house.told()


# -- from below ------------------------------------------------------------------------------------


@thorough
@given(
    data=st.data(), topology=st.sampled_from(TOPOLOGIES), command=st.sampled_from([(), ("true",)]), inner=st.booleans(),
    retries=st.sampled_from([0, 1, 10]), at_once=st.booleans(),
)  # fmt: skip
def test_a_child_that_has_proved_its_key(
    data: st.DataObject, topology: str, command: tuple[str, ...], *, inner: bool, retries: int, at_once: bool
) -> None:
    house = House(topology, command, retries)
    try:
        node = house.inner if inner else house.root
        for _ in range(data.draw(st.integers(0, len(house.launches(node)) and 2))):
            player = house.child(node)
            for _said in talk(data, player):
                if not at_once:
                    house.loop.quiet()
            house.loop.quiet()
            house.check()
        goes_on(house, data)
    finally:
        house.close()


@thorough
@given(data=st.data(), inner=st.booleans(), orphan=st.booleans())
def test_who_greets(data: st.DataObject, *, inner: bool, orphan: bool) -> None:
    """What comes first is whatever it is; of an orphan too, whose key its parent knows."""
    house = House()
    try:
        node = house.inner if inner else house.root
        by = house.child(node)
        rank = data.draw(st.sampled_from(sorted(by.care))) if orphan and by.care else by.rank
        hello: dict[str, Any] = {"id": 1, "rank": rank, "pid": 4712, "python": "3.11.2"}
        ranks = st.sampled_from(["", f"{by.rank}", f"{rank}", "0-23", ",".join(map(str, by.care)), "1-0", "0,0"])
        if orphan and by.care:
            numbers_ = [by.care[rank][1][-1][1]]
            family = {
                "orphan": True, "lost": [[by.rank, 4711]], "below": data.draw(ranks), "left": data.draw(ranks),
                "failed": data.draw(ranks), "ways": [[numbers_, data.draw(ranks)]], "proof": "0" * 32,
            }  # fmt: skip
            hello.update((name, family[name]) for name in data.draw(st.sets(st.sampled_from(sorted(family)))))
        for _ in range(data.draw(st.integers(0, 2))):
            hello = changed(hello, data.draw(st.sampled_from(list(places(hello)))), data.draw(values))
        body = data.draw(st.just(packed(hello)) | bodies(wire.HELLO, by.speaker))
        player = house.orphan(node, by, rank, body) if orphan and by.care else house.child(node, hello=body)
        for _said in talk(data, player):
            house.loop.quiet()
        house.check()
        goes_on(house, data)
    finally:
        house.close()


@pytest.mark.parametrize("length", [0, 16, Answer.LIMIT + 1, (1 << 32) - 1])
def test_a_frame_of_a_length_that_none_has(length: int) -> None:
    house = House()
    try:
        player = house.child(house.root)
        player.raw(length.to_bytes(4, "big") + bytes(100))
        house.loop.quiet()
        assert player.lost
        house.check()
    finally:
        house.close()


@pytest.mark.parametrize("kind", sorted(KINDS), ids=KINDS.get)
@pytest.mark.parametrize("command", [(), ("true",)], ids=["boot", "run"])
@pytest.mark.parametrize("body", ["fits", "large"])
def test_a_flood_costs_the_head_little(kind: int, command: tuple[str, ...], body: str) -> None:
    house = House(command=command)
    try:
        player = house.child(house.root)
        said = packed(right(kind, player.speaker))
        if body == "large":
            text = b"0" * (LARGEST - 1000)
            said = {wire.OUT: said[:HEAD], wire.LOG: b""}.get(kind, b'["') + text + b'"]'
        if kind == wire.WANT:
            player.say(kind, said)  # psutil is loaded and packed once, whoever asks for it
            house.loop.quiet()
        tracemalloc.start()
        for at in range(min(FRAMES, FLOOD // (len(said) + 21))):
            player.say(kind, said)
            if at % 50 == 0 or len(said) > 1000:
                house.loop.quiet()
            if not player.link.open or tracemalloc.get_traced_memory()[1] > COSTS:
                break
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        house.check()
        assert peak < COSTS
    finally:
        tracemalloc.stop()
        house.close()


def test_a_leaf_whose_parent_is_gone_is_taken_in() -> None:
    house = House()
    try:
        by = house.child(house.root)
        rank = min(by.care)
        by.link.close()
        house.loop.quiet()
        orphan = house.orphan(house.root, by, rank)
        assert wire.SHARE in orphan.kinds
        assert house.report.hosts[f"h{rank}"].state == "up"
        house.check()
    finally:
        house.close()


def test_nobody_comes_twice_by_the_key_of_one_launch() -> None:
    """…or it could come and go for ever, and the boot would never end."""
    house = House()
    try:
        launch = house.launches(house.root)[0]
        first = house.child(house.root, launch.launch)
        first.link.close()
        house.loop.quiet()
        again = house.again(house.root, launch)
        house.loop.quiet()
        assert again.lost
        assert again.kinds == []
        assert house.root._parent is not None
        assert launch.rank not in house.root._parent.children
        house.check()
    finally:
        house.close()


def test_an_orphan_may_come_as_often_as_a_host_may_be_launched() -> None:
    house = House(retries=2)
    try:
        by = house.child(house.root)
        rank = min(by.care)
        by.link.close()
        house.loop.quiet()
        for _ in range(3):
            orphan = house.orphan(house.root, by, rank)
            assert wire.SHARE in orphan.kinds
            orphan.link.close()
            house.loop.quiet()
        assert house.report.hosts[f"h{rank}"].state == "failed"
        orphan = house.orphan(house.root, by, rank)
        assert wire.SHARE not in orphan.kinds
        house.check()
    finally:
        house.close()


def test_of_what_it_has_given_back_a_child_knows_no_key_any_more() -> None:
    house = House()
    try:
        by = house.child(house.root)
        rank, other = sorted(by.care)[:2]
        by.say(wire.RETURN, packed([[[rank, 1, None]], True, False]))
        house.loop.quiet()
        orphan = house.orphan(house.root, by, rank)
        assert orphan.lost
        assert orphan.kinds == []
        by.link.close()
        house.loop.quiet()
        assert wire.SHARE in house.orphan(house.root, by, other).kinds
    finally:
        house.close()


@thorough
@given(data=st.data())
def test_a_leaf_under_a_parent_that_has_proved_its_key(data: st.DataObject) -> None:
    """It goes on, becomes more, loses its parent or ends; and does so at once."""
    upper, config = Upper(), leaf_config()
    ended: list[int] = []

    def end(code: int) -> NoReturn:
        ended.append(code)
        raise SystemExit(code)

    with mock.patch("posix._exit", end), upper:
        line = upper.line(config)
        for _ in range(data.draw(st.integers(0, 6))):
            kind = data.draw(kinds.filter(lambda one: one != wire.CODE))  # it would run it
            upper.say(kind, data.draw(bodies(kind, Speaker(5, [6, 7, 8], [9]))))
        upper.raw(data.draw(st.binary(max_size=60)))
        upper.close()
        try:
            left = leaf.serve(line, [], config, NoStore())
            assert left, "it becomes more for something"
        except (leaf.Lost, SystemExit):
            pass
        finally:
            line.close()
    assert ended in ([], [0])


def test_hosts_that_came_on_two_ways_are_handed_on_with_both() -> None:
    """…so that whoever has them can prove to any ancestor that they were given to it."""
    led = Led()
    try:
        key = "ab" * wire.KEY_BYTES
        for number, ranks in ((1, range(6, 14)), (2, range(14, 30))):
            orders = [messages.HostOrder(rank, "h", "h", None, None, 0, True, key, None, None) for rank in ranks]
            ways = [([(-1, number)], len(orders))]
            led.parent.say(wire.SHARE, messages.Share(BOOT, 0, 0.0, 0.0, ways, orders).pack())
        led.loop.quiet()
        steps = {rank: way[0] for rank, (_, way) in led.child(led.node).care.items()}
        assert {(rank < 14, step) for rank, step in steps.items()} == {(True, (-1, 1)), (False, (-1, 2))}
        uneven = messages.Share(BOOT, 0, 0.0, 0.0, [([(-1, 3)], 2)], orders[:1])
        led.parent.say(wire.SHARE, uneven.pack())
        led.loop.quiet()
        assert not led.parent.link.open
    finally:
        led.close()


# -- from the root ---------------------------------------------------------------------------------


@thorough
@given(data=st.data(), command=st.sampled_from([(), ("true",)]))
def test_a_root_that_has_proved_its_key(data: st.DataObject, command: tuple[str, ...]) -> None:
    """The front door believes it whatever fits, and ends the boot at what doesn't."""
    door = Door(command=command, size=4)
    try:
        root = door.played_root()
        root.say(data.draw(st.sampled_from([wire.HELLO, wire.UP])))
        by = Speaker(-1, [0, 1, 2, 3], [4])
        for _ in range(data.draw(st.integers(1, 6))):
            kind = data.draw(kinds)
            root.say(kind, data.draw(bodies(kind, by)))
            door.loop.quiet()
        door.ended()
        door.told()
    finally:
        root.link.close()
        door.close()


# -- from above ------------------------------------------------------------------------------------


@thorough
@given(data=st.data())
def test_an_agent_under_a_parent_that_has_proved_its_key(data: st.DataObject) -> None:
    """It believes its parent, and may end for what it says; but it neither hangs nor loses count."""
    led = Led()
    try:
        by = Speaker(5, [6, 7, 8], [9])
        for _ in range(data.draw(st.integers(1, 6))):
            kind = data.draw(kinds.filter(lambda one: one not in (wire.CODE, wire.PSUTIL)))  # it would run them
            led.parent.say(kind, data.draw(bodies(kind, by)))
            led.loop.quiet()
            led.check()
        led.loop.skip(LONG)
        led.check()
    finally:
        led.close()
