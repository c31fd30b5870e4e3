"""Whatever a worker, the watcher or the fork server says, the parent lives, and has others carry the launches out."""

from __future__ import annotations

import socket
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpboot.tree.policy import TOPOLOGIES
from mpboot.workers.forker import Forked, ForkServer
from mpboot.workers.pipes import MOST_SAID, WATCHER, WORKER, packed
from tests.support.frames import NASTY, changed, places
from tests.support.frames import packed as as_json
from tests.support.led import Crew
from tests.support.results import RESULTS, framed, result

LENGTHS = (0, 1, MOST_SAID, MOST_SAID + 1, 1 << 31, (1 << 32) - 1)
thorough = settings(
    max_examples=min(120, settings().max_examples * 2), deadline=None, suppress_health_check=list(HealthCheck)
)
values = st.recursive(
    st.none() | st.booleans() | st.sampled_from(NASTY) | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def said(draw: st.DrawFn, launch: int) -> bytes:
    """Something like a result, or like nothing."""
    how = draw(st.sampled_from(["right", "near", "json", "junk", "deep", "large", "length"]))
    if how == "junk":
        return draw(st.binary(max_size=100))
    if how == "length":
        return draw(st.sampled_from(LENGTHS)).to_bytes(4, "big") + b"[]"
    if how == "deep":
        return framed(b"[" * draw(st.integers(1, 50_000)))
    if how == "large":
        return framed(b'"' + b"x" * draw(st.integers(0, 1 << 18)) + b'"')
    if how == "json":
        return framed(as_json(draw(values)))
    value: Any = result(draw(st.sampled_from(RESULTS)), launch)
    for _ in range(draw(st.integers(1, 3)) if how == "near" else 0):
        value = changed(value, draw(st.sampled_from(list(places(value)))), draw(values))
    return framed(as_json(value))


@thorough
@given(data=st.data(), topology=st.sampled_from(TOPOLOGIES))
def test_workers_and_the_watcher(data: st.DataObject, topology: str) -> None:
    crew = Crew(topology)
    try:
        if data.draw(st.booleans()):
            crew.begin()
        for _ in range(data.draw(st.integers(1, 8))):
            crew.look()
            if not crew.made:
                break
            made = data.draw(st.sampled_from(crew.made))
            text = data.draw(said(made.launch))
            made.say(text[: data.draw(st.integers(0, len(text)))] if data.draw(st.booleans()) else text)
            crew.loop.quiet()
            crew.check()
        crew.loop.skip(100.0)
        crew.check()
    finally:
        crew.close()


def test_who_says_half_of_something_and_no_more_is_given_up_in_time() -> None:
    crew = Crew()
    try:
        crew.begin()
        crew.look()
        first = crew.made
        assert any(one.forked.kind == WATCHER for one in first)
        for one in first:
            one.say(framed(b'["Told"]')[:6])
        crew.loop.quiet()
        crew.check()
        crew.loop.skip(100.0)
        crew.check()
        assert not any(one.wanted for one in first if one.forked.kind != WATCHER)
    finally:
        crew.close()


@thorough
@given(st.binary(max_size=100) | st.lists(st.integers(0, (1 << 32) - 1), max_size=8).map(lambda some: packed(*some)))
def test_the_fork_server(answer: bytes) -> None:
    """A number that can be no pid is none. Of a real one nobody can tell whose it is, so the server is believed."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    server = ForkServer((0, -1))
    server._channel = ours
    forked = [Forked(WORKER, 1, -1, -1) for _ in range(3)]
    server._asked.update(enumerate(forked))
    with ours, theirs:
        theirs.sendall(answer)
        server.read_pids()
        assert all(0 <= one.pid < 1 << 31 for one in forked)
