"""The parent's end of a connection: whose key it asks for, and what a greeting may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net.answer import MOST_NUMBERS, Answer
from mpboot.net.wire import Session, WireError, same

KEYS = {(7, (3, 1)): b"s" * 16, (8, (3,)): b"e" * 16}
CHILD_NONCE, PARENT_NONCE = b"c" * 16, b"p" * 16


class Keys:
    """Who was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[int, ...]]] = []

    def __call__(self, rank: int, numbers: tuple[int, ...]) -> bytes | None:
        self.asked.append((rank, numbers))
        return KEYS.get((rank, numbers))


def greeting(rank: int = 7, numbers: tuple[int, ...] = (3, 1)) -> bytes:
    return bytes(Session(b"k" * 16, rank, numbers, CHILD_NONCE).out)


def greeted(rank: int = 7, numbers: tuple[int, ...] = (3, 1), key: bytes = KEYS[7, (3, 1)]) -> tuple[Session, Answer]:
    """A child that has greeted a parent, and got its answer."""
    child, parent = Session(key, rank, numbers, CHILD_NONCE), Answer(Keys(), PARENT_NONCE)
    parent.feed(bytes(child.out))
    child.out.clear()
    child.feed(bytes(parent.out))
    return child, parent


@given(st.integers(-1, (1 << 31) - 1), st.lists(st.integers(0, (1 << 32) - 1), max_size=MOST_NUMBERS).map(tuple))
def test_who_it_is_and_its_numbers_arrive(rank: int, numbers: tuple[int, ...]) -> None:
    keys = Keys()
    answer = Answer(keys, PARENT_NONCE)
    said = greeting(rank, numbers)
    assert answer.feed(said[:-1]) == []
    assert keys.asked == []
    with pytest.raises(WireError, match=r"^of no launch that is known$"):
        answer.feed(said[-1:])
    assert keys.asked == [(rank, numbers)]


def test_whose_key_it_is_is_known_when_it_is_proved() -> None:
    child, parent = greeted()
    assert [end.ready for end in (child, parent)] == [True, False]
    parent.feed(bytes(child.out))
    assert [end.ready for end in (child, parent)] == [True, True]
    assert (parent.rank, parent.numbers, parent.key) == (7, (3, 1), KEYS[7, (3, 1)])


@pytest.mark.parametrize(
    ("rank", "numbers", "key"), [(7, (3, 1), KEYS[8, (3,)]), (8, (3,), KEYS[7, (3, 1)]), (7, (3, 1), bytes(16))]
)
def test_a_key_is_good_for_one_launch_alone(rank: int, numbers: tuple[int, ...], key: bytes) -> None:
    """The child does not take the parent for its own, and could not prove anything."""
    with pytest.raises(WireError, match="the parent does not know the key"):
        greeted(rank, numbers, key)
    parent = Answer(Keys(), PARENT_NONCE)
    parent.feed(greeting(rank, numbers))
    liar = Answer(lambda _, __: key, PARENT_NONCE)  # it answers itself with the key that it has
    liar.feed(greeting(rank, numbers))
    child = Session(key, rank, numbers, CHILD_NONCE)
    child.out.clear()
    child.feed(bytes(liar.out))
    with pytest.raises(WireError, match=r"^does not know the key$"):
        parent.feed(bytes(child.out))
    assert not parent.ready


@pytest.mark.parametrize("change", [4, 7, 8, 12, 16, 17, 32])
def test_what_was_said_in_the_greeting_is_proved_as_well(change: int) -> None:
    """Whoever sits in between can change no byte of it: one of rank, numbers, or nonce."""
    said = bytearray(greeting())
    said[change] ^= 1
    answer = Answer(lambda _, __: KEYS[7, (3, 1)], PARENT_NONCE)
    child = Session(KEYS[7, (3, 1)], 7, (3, 1), CHILD_NONCE)
    child.out.clear()
    answer.feed(bytes(said))
    if answer.out:  # else the count was changed, and it waits for more
        with pytest.raises(WireError, match="does not know the key"):
            child.feed(bytes(answer.out))
    assert not answer.ready


def test_more_numbers_than_a_tree_has_levels() -> None:
    answer = Answer(Keys(), PARENT_NONCE)
    head = b"MPB2" + bytes(4)
    assert answer.feed(head) == []
    with pytest.raises(WireError, match="from too far below"):
        answer.feed(bytes((MOST_NUMBERS + 1,)))


def test_a_stranger_is_told_nothing() -> None:
    """Who knows neither a launch's numbers nor its key does not even learn whether there is such a launch."""
    answer = Answer(Keys(), PARENT_NONCE)
    with pytest.raises(WireError, match="of no launch"):
        answer.feed(greeting(99))
    assert not answer.out


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_whether_two_are_the_same(one: bytes, other: bytes) -> None:
    assert same(one, other) is (one == other)
    assert same(one, bytes(one))


def test_the_largest_frame_of_a_child() -> None:
    assert Answer.LIMIT == 64 * 1024
