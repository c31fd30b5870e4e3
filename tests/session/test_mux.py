"""OpenSSH's multiplexing protocol as its server reads it: what clients say, and what nobody says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net.login import LONGEST, LONGEST_TERM, Login
from mpboot.session import mux
from mpboot.session.asking import login


def packet(*fields: int | str | bytes) -> bytes:
    """A packet as a client writes it: numbers and strings."""
    body = b""
    for one in fields:
        if isinstance(one, int):
            body += one.to_bytes(4, "big")
        else:
            text = one.encode() if isinstance(one, str) else one
            body += len(text).to_bytes(4, "big") + text
    return len(body).to_bytes(4, "big") + body


HELLO = packet(mux.HELLO, 4)


def new_session(*env: str, tty: int = 0, x11: int = 0, agent: int = 0, subsystem: int = 0, command: str = "x") -> bytes:
    return packet(mux.NEW_SESSION, 7, "", tty, x11, agent, subsystem, 0x7E, "xterm", command, *env)


def test_what_a_client_says_to_run_a_command() -> None:
    reader = mux.Reader()
    assert reader.feed(HELLO + packet(mux.ALIVE, 3), []) == [mux.Asked(mux.ALIVE, 3)]
    assert reader.feed(new_session("LANG=C", "LC_A=b=c", tty=1, command="ls -l"), []) == []
    assert reader.feed(b"\0", [10]) == []
    assert reader.feed(b"\0\0", [11, 12]) == [
        mux.NewSession(
            7, (10, 11, 12), tty=True, term="xterm", command="ls -l", env=[("LANG", "C"), ("LC_A", "b=c")]
        )
    ]  # fmt: skip
    assert reader.unclaimed() == []


def test_a_connection_has_two_descriptors() -> None:
    reader = mux.Reader()
    asked = HELLO + packet(mux.STDIO_FORWARD, 1, "", "h2", 22) + b"\0\0"
    assert reader.feed(asked, [5, 6]) == [mux.NewSession(1, (5, 6), host="h2", port=22)]


@pytest.mark.parametrize("kind", sorted(mux.REFUSED))
def test_what_is_not_done_is_known(kind: int) -> None:
    assert mux.Reader().feed(HELLO + packet(kind, 9, b"whatever"), []) == [mux.Asked(kind, 9)]
    assert mux.failure(9, mux.REFUSED[kind]) == packet(0x80000003, 9, mux.REFUSED[kind])


@pytest.mark.parametrize(
    "said",
    [
        packet(mux.HELLO, 3),
        packet(mux.ALIVE, 1),
        HELLO + packet(mux.NEW_SESSION, 1, "", 0, 0),
        HELLO + new_session("NAME"),
        HELLO + new_session("=x"),
        HELLO + new_session("A=\0"),
        HELLO + packet(mux.STDIO_FORWARD, 1, "", "h", 0),
        HELLO + packet(mux.STDIO_FORWARD, 1, "", "h", 1 << 16),
        HELLO + packet(mux.STDIO_FORWARD, 1, "", "", 22),
        HELLO + packet(0x10000042, 1),
        HELLO + b"\0\0\0\0",
        (mux.MOST + 1).to_bytes(4, "big"),
        HELLO + new_session() + b"\0\0\0",  # no descriptor came
    ],
)
def test_what_nobody_says(said: bytes) -> None:
    with pytest.raises(mux.MuxError):
        mux.Reader().feed(said, [])


def test_descriptors_that_nobody_asked_for_can_be_closed() -> None:
    reader = mux.Reader()
    with pytest.raises(mux.MuxError, match="nobody asked"):
        reader.feed(HELLO, [3, 4, 5, 6])
    assert reader.unclaimed() == [3, 4, 5, 6]


def test_what_is_refused_and_what_to_type() -> None:
    def refusal(tty: int = 0, x11: int = 0, agent: int = 0, subsystem: int = 0) -> str:
        asks = new_session(tty=tty, x11=x11, agent=agent, subsystem=subsystem)
        (asked,) = mux.Reader().feed(HELLO + asks + b"\0\0\0", [3, 4, 5])
        assert isinstance(asked, mux.NewSession)
        return mux.refusal(asked)

    assert (refusal(), refusal(tty=1), refusal(subsystem=1)) == ("", "", "")
    assert "ssh -x" in refusal(x11=1)
    assert "ssh -a" in refusal(agent=1)


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        (mux.NewSession(1, (), command="x" * LONGEST, term="x" * LONGEST_TERM), True),
        (mux.NewSession(1, (), command="x" * (LONGEST + 1)), False),
        (mux.NewSession(1, (), term="x" * (LONGEST_TERM + 1)), False),
        (mux.NewSession(1, (), host="x" * mux.LONGEST_HOST, port=22), True),
        (mux.NewSession(1, (), host="x" * (mux.LONGEST_HOST + 1), port=22), False),
    ],
)
def test_what_is_not_refused_a_host_takes(asked: mux.NewSession, goes: bool) -> None:
    assert (mux.refusal(asked) == "") is goes
    if goes:
        assert Login.unpack(login(asked, -1).words()).what


TALK = HELLO + packet(mux.ALIVE, 3) + new_session("LANG=C", tty=1) + b"\0\0\0" + packet(mux.OPEN_FORWARD, 2, 1)


@given(st.lists(st.integers(1, len(TALK) - 1), max_size=8))
def test_it_matters_nowhere_how_it_is_cut(cuts: list[int]) -> None:
    reader, found = mux.Reader(), []
    marks = [0, *sorted(set(cuts)), len(TALK)]
    fds = [10, 11, 12]
    for start, end in zip(marks, marks[1:]):
        found += reader.feed(TALK[start:end], fds)
        fds = []
    assert [type(one).__name__ for one in found] == ["Asked", "NewSession", "Asked"]


def mutated() -> st.SearchStrategy[bytes]:
    """Bytes that no client sends: random ones, and a real talk with some of its bytes changed, cut, or said again."""

    def change(changes: list[tuple[int, int]], start: int, end: int) -> bytes:
        talk = bytearray(TALK)
        for at, value in changes:
            talk[at % len(talk)] = value
        return bytes(talk[: end % len(talk)]) + bytes(talk[start % len(talk) :])

    changes = st.lists(st.tuples(st.integers(0, 1 << 12), st.integers(0, 255)), max_size=6)
    return st.binary(max_size=200) | st.builds(change, changes, st.integers(0, 400), st.integers(0, 400))


@given(st.lists(st.tuples(mutated(), st.integers(0, 4)), max_size=5))
def test_nonsense_is_a_mux_error_and_no_descriptor_is_lost(pieces: list[tuple[bytes, int]]) -> None:
    reader, numbers = mux.Reader(), iter(range(100, 200))
    given_fds: list[int] = []
    taken: list[int] = []
    try:
        for data, count in pieces:
            fds = [next(numbers) for _ in range(count)]
            given_fds += fds
            for one in reader.feed(data, fds):
                if isinstance(one, mux.NewSession):
                    taken += one.fds
    except mux.MuxError:
        pass
    assert sorted([*taken, *reader.unclaimed()]) == given_fds
