"""What daemon and clients say: there and back, cut anywhere, and nothing else is taken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.session import frames
from mpboot.session.frames import FrameError, Reader

VALUES = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=9), max_size=4
)
MESSAGES = st.one_of(
    VALUES.map(lambda told: (frames.pack(told), (frames.TELL, told))),
    st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([1, 2]), st.binary(max_size=20)).map(
        lambda piece: (frames.pack_output(*piece), (frames.OUTPUT, piece))
    ),
    st.binary(max_size=20).map(lambda data: (frames.pack_stdin(data), (frames.STDIN, data))),
)


@given(st.lists(MESSAGES, max_size=6), st.lists(st.integers(1, 9), min_size=1))
def test_there_and_back_however_it_is_cut(messages: list[tuple[bytes, Any]], cuts: list[int]) -> None:
    stream = b"".join(frame for frame, _ in messages)
    reader, found, turn = Reader(), [], 0
    while stream:
        size = cuts[turn % len(cuts)]
        found += reader.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert found == [message for _, message in messages]


@pytest.mark.parametrize(
    "stream",
    [
        b"\0\0\0\0", b"\xff\xff\xff\xff\1", b"\0\0\0\1\0", b"\0\0\0\1\4", b"\0\0\0\3\1{]", b"\0\0\0\2\x011",
        b"\0\0\0\3\x01[]", b"\0\0\0\5\2\0\0\0\0", b"\0\0\0\6\2\0\0\0\0\3", b"\0\0\x04\1\1" + b"[" * 1024,
    ],
)  # fmt: skip
def test_nonsense(stream: bytes) -> None:
    with pytest.raises(FrameError):
        Reader().feed(stream)


@given(st.binary(max_size=60))
def test_whatever_comes_it_is_a_message_or_refused(stream: bytes) -> None:
    try:
        messages = Reader(most=40).feed(stream)
    except FrameError:
        return
    assert all(kind in (frames.TELL, frames.OUTPUT, frames.STDIN) for kind, _ in messages)
