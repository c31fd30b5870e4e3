"""The wire: what two who know a key say arrives, in order, however it is cut; nothing of a stranger's does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpboot.net import wire
from mpboot.net.answer import Answer
from mpboot.net.link import KINDS
from mpboot.net.wire import Session, WireError

KEY = bytes(range(16))
RANK, NUMBERS = 7, (3, 70_000)
CHILD_NONCE, PARENT_NONCE = b"c" * 16, b"p" * 16
GREETING = 33  # bytes that a child sends first, two numbers among them
ANSWER = 32  # bytes that a parent answers
PROOF = 16  # bytes that a child sends then
quick = settings(max_examples=60, deadline=None)

messages = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.binary(max_size=200)), max_size=8)
cuts = st.lists(st.integers(1, 50), min_size=1, max_size=20)


def a_child(nonce: bytes = CHILD_NONCE, key: bytes = KEY) -> Session:
    return Session(key, RANK, NUMBERS, nonce)


def a_parent(nonce: bytes = PARENT_NONCE, key: bytes = KEY) -> Answer:
    return Answer(lambda _, __: key, nonce)


def pair(key: bytes = KEY, other: bytes = KEY) -> tuple[Session, Answer]:
    return a_child(key=key), a_parent(key=other)


def taken(session: Session) -> bytes:
    out = bytes(session.out)
    session.out.clear()
    return out


def shaken() -> tuple[Session, Answer]:
    child, parent = pair()
    parent.feed(taken(child))
    child.feed(taken(parent))
    parent.feed(taken(child))
    assert child.ready
    assert parent.ready
    return child, parent


def frames(count: int = 3, up: bool = True) -> tuple[Session, list[bytes]]:
    """A ready receiver, and frames for it: each is (its number, body of that number)."""
    child, parent = shaken()
    sender, receiver = (child, parent) if up else (parent, child)  # type: tuple[Session, Session]
    sent = []
    for number in range(count):
        sender.send(number + 1, b"body %d" % number)
        sent.append(taken(sender))
    return receiver, sent


@quick
@given(messages, messages, cuts)
def test_all_arrives_however_it_is_cut(up: list[wire.Message], down: list[wire.Message], sizes: list[int]) -> None:
    child, parent = pair()
    for kind, body in up:
        child.send(kind, body)  # before the handshake: it follows
    got: dict[Session, list[wire.Message]] = {child: [], parent: []}
    said = False
    turn = 0
    while child.out or parent.out or not said:
        if parent.ready and not said:
            said = True
            for kind, body in down:
                parent.send(kind, body)
        for sender, receiver in ((child, parent), (parent, child)):
            size = sizes[turn % len(sizes)]
            turn += 1
            piece = bytes(sender.out[:size])
            del sender.out[:size]
            got[receiver] += receiver.feed(piece)
    assert got == {parent: up, child: down}


@pytest.mark.parametrize("up", [True, False])
def test_each_side_refuses_who_does_not_know_the_key(up: bool) -> None:
    child, parent = pair(KEY, b"x" * 16)
    greeting = taken(child)
    parent.feed(greeting)
    if up:
        genuine = a_parent()
        genuine.feed(greeting)
        child.feed(taken(genuine))
        with pytest.raises(WireError, match=r"^does not know the key$"):
            parent.feed(taken(child))
        assert not parent.ready
    else:
        with pytest.raises(WireError, match=r"^the parent does not know the key$"):
            child.feed(taken(parent))
        assert not child.ready
        assert not child.out, "proof must not be given to a stranger"


def test_a_parent_says_nothing_before_the_greeting() -> None:
    _, parent = pair()
    assert not parent.out
    parent.feed(b"MPB")
    assert not parent.out


@pytest.mark.parametrize(
    "text", [b"GET / HTTP/1.0\r\n\r\n", b"\0" * 64, b"SSH-2.0-x\r\n", b"M", b"MPB1" + b"x" * 40, b"MPBx"]
)
def test_garbage_is_refused_at_its_first_wrong_byte(text: bytes) -> None:
    _, parent = pair()
    if wire.GREETING.startswith(text):
        assert parent.feed(text) == []
        return
    with pytest.raises(WireError, match="not an mpboot agent"):
        parent.feed(text)


@quick
@given(st.binary(max_size=300), cuts)
def test_no_stranger_is_ever_heard(text: bytes, sizes: list[int]) -> None:
    for session in pair():
        taken(session)
        rest, at = text, 0
        try:
            while rest:
                size = sizes[at % len(sizes)]
                at += 1
                assert session.feed(rest[:size]) == []
                rest = rest[size:]
        except WireError:
            pass
        assert not session.ready


def test_half_a_greeting_is_waited_for() -> None:
    child, parent = pair()
    greeting = taken(child)
    assert len(greeting) == GREETING
    assert parent.feed(greeting[:-1]) == []
    assert not parent.out
    parent.feed(greeting[-1:])
    assert len(parent.out) == ANSWER


@quick
@given(st.binary(min_size=1, max_size=1 << 16))
def test_a_stranger_costs_no_memory(flood: bytes) -> None:
    _, parent = pair()
    parent.feed(taken(a_child()))
    held = 0
    try:
        for _ in range(50):
            parent.feed(flood)
            held = max(held, len(parent._in))
    except WireError:
        pass
    assert not parent.ready
    assert held < PROOF


def test_a_recorded_child_is_refused() -> None:
    child, parent = pair()
    recorded = taken(child)
    parent.feed(recorded)
    child.feed(taken(parent))
    child.send(wire.HELLO, b"{}")
    recorded += taken(child)
    assert parent.feed(recorded[GREETING:]) == [(wire.HELLO, b"{}")]
    again = a_parent(b"q" * 16)
    with pytest.raises(WireError, match="key"):
        again.feed(recorded)


def test_a_recorded_parent_is_refused() -> None:
    child, parent = pair()
    parent.feed(taken(child))
    recorded = taken(parent)
    child.feed(recorded)
    parent.feed(taken(child))
    parent.send(wire.STOP)
    recorded += taken(parent)
    assert child.feed(recorded[ANSWER:]) == [(wire.STOP, b"")]
    again = a_child(b"q" * 16)
    with pytest.raises(WireError, match="key"):
        again.feed(recorded)


def test_what_one_side_says_can_not_be_sent_back_to_it() -> None:
    child, parent = shaken()
    child.send(wire.PONG)
    with pytest.raises(WireError):
        child.feed(taken(child))
    # Nor is a parent's own proof good as a child's: a relay that only echoes is refused.
    again = a_parent()
    again.feed(taken(a_child(PARENT_NONCE)))
    answer = taken(again)
    with pytest.raises(WireError):
        again.feed(answer[16:])
    assert parent.ready


def reordered(sent: list[bytes]) -> list[bytes]:
    return [sent[1], sent[0], sent[2]]


def duplicated(sent: list[bytes]) -> list[bytes]:
    return [sent[0], sent[0], *sent[1:]]


def dropped(sent: list[bytes]) -> list[bytes]:
    return sent[1:]


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize(("tamper", "before"), [(reordered, 0), (duplicated, 1), (dropped, 0)])
def test_frames_out_of_order(tamper: Callable[[list[bytes]], list[bytes]], before: int, up: bool) -> None:
    receiver, sent = frames(up=up)
    heard: list[wire.Message] = []

    def deliver() -> None:
        for frame in tamper(sent):
            heard.extend(receiver.feed(frame))

    with pytest.raises(WireError, match="out of order"):
        deliver()
    assert [kind for kind, _ in heard] == list(range(1, before + 1))


@quick
@given(st.integers(0, 1 << 16), st.integers(0, 7))
def test_a_flipped_bit(at: int, bit: int) -> None:
    receiver, sent = frames(1)
    frame = bytearray(sent[0])
    frame[at % len(frame)] ^= 1 << bit
    try:
        # A longer length is waited for; whatever comes then, it is not what was signed.
        assert receiver.feed(bytes(frame)) == []
        receiver.feed(b"x" * (1 << 8))
    except WireError:
        return
    assert len(receiver._in) < Answer.LIMIT


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("length", [0, 16, 1, 0xFFFFFFFF])
def test_a_length_that_can_not_be_is_refused_before_anything_of_it_came(length: int, side: int) -> None:
    receiver = shaken()[side]
    length += receiver.LIMIT if length == 1 else 0
    with pytest.raises(WireError, match=f"a frame of {length} bytes"):
        receiver.feed(length.to_bytes(4, "big"))


def test_frames_with_another_session_s_keys() -> None:
    receiver, _ = frames()
    other, second = a_child(b"o" * 16), a_parent(b"r" * 16)
    second.feed(taken(other))
    other.feed(taken(second))
    taken(other)
    other.send(wire.DONE, b"1")
    with pytest.raises(WireError):
        receiver.feed(taken(other))


# -- byte for byte, as docs/protocol.md has it -----------------------------------------------------


def mac(key: bytes, *parts: bytes) -> bytes:
    return hashlib.blake2s(b"".join(parts), digest_size=16, key=key).digest()


def frame(way: bytes, number: int, kind: int, body: bytes) -> bytes:
    rest = bytes((kind,)) + body
    key = mac(KEY, way, GREETED, PARENT_NONCE)
    return (len(rest) + 16).to_bytes(4, "big") + mac(key, number.to_bytes(8, "big"), rest) + rest


GREETED = b"MPB2" + bytes((0, 0, 0, 7)) + bytes((2,)) + bytes((0, 0, 0, 3)) + bytes((0, 1, 17, 112)) + CHILD_NONCE
ANSWERED = PARENT_NONCE + mac(KEY, b"parent", GREETED, PARENT_NONCE)
PROVED = mac(KEY, b"child", PARENT_NONCE, GREETED)


def test_a_child_says_what_the_page_says() -> None:
    child, _ = pair()
    assert taken(child) == GREETED
    child.send(wire.HELLO, b"early")
    first, second = frame(b"down", 0, wire.SHARE, b""), frame(b"down", 1, wire.STOP, b"!")
    assert child.feed(ANSWERED + first) == [(wire.SHARE, b"")]
    child.send(wire.PONG)
    assert taken(child) == PROVED + frame(b"up", 0, wire.HELLO, b"early") + frame(b"up", 1, wire.PONG, b"")
    assert child.feed(second) == [(wire.STOP, b"!")]


def test_a_parent_says_what_the_page_says() -> None:
    _, parent = pair()
    parent.send(wire.SHARE, b"early")
    assert parent.feed(GREETED + PROVED + frame(b"up", 0, wire.HELLO, b"x" * 300)) == [(wire.HELLO, b"x" * 300)]
    assert taken(parent) == ANSWERED + frame(b"down", 0, wire.SHARE, b"early")


def test_the_numbers_that_the_page_names() -> None:
    assert wire.KEY_BYTES == 16
    assert (Answer.LIMIT, Session.LIMIT) == (64 * 1024, 64 * 1024 * 1024)
    for receiver in shaken():
        assert receiver.feed(receiver.LIMIT.to_bytes(4, "big")) == [], "the longest frame that may come"


def test_who_is_the_root_has_no_numbers() -> None:
    """Its rank is -1, of which the bits travel."""
    root = Session(KEY, -1, (), CHILD_NONCE)
    assert taken(root) == b"MPB2" + b"\xff\xff\xff\xff" + b"\0" + CHILD_NONCE


def test_an_agents_configuration_has_its_values_by_name() -> None:
    common = ("routes", "lineage", "transport", "attach", "budget", "patience", "silence", "trust_ssh", "fd")
    own = ("id", "rank", "host", "marker", "key", "path")
    config = wire.AgentConfig(common, own, ("kit",))
    assert [getattr(config, name) for name in (*common, *own)] == [*common, *own]
    assert (config.kit, config.lost, config.shares) == (("kit",), [], 0)
    assert wire.AgentConfig(common, own).kit == ()


def test_kinds_have_names_and_no_number_twice() -> None:
    assert KINDS[wire.HELLO] == "HELLO"
    assert sorted(KINDS) == list(range(1, 32))
    assert KINDS[wire.PONG] == "PONG"
    assert all(name.isalpha() for name in KINDS.values()), "other numbers of wire.py are no kinds"


def test_kinds_have_the_names_that_the_code_has() -> None:
    assert {name: getattr(wire, name) for name in KINDS.values()} == {name: kind for kind, name in KINDS.items()}
    assert [*KINDS] == list(range(1, 32))
    assert all(name[0] != "_" for name in KINDS.values())


@pytest.mark.parametrize("size", [0, 1, wire.PIECE_DATA])
def test_a_piece_says_how_long_it_is(size: int) -> None:
    word = wire.mac(KEY, b"piece")
    assert wire.piece(KEY, bytes(size)) == word + size.to_bytes(2, "big") + bytes(size)
    assert wire.PIECE_SIZE == 2
