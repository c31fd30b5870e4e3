"""An agent's link to its parent, and the ancestors that take the parent's place: real sockets, the test plays them."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import Any

import pytest

from mpboot.net import wire
from mpboot.net.hello import Hello
from mpboot.net.outlet import STDOUT, WINDOW, pack_out
from mpboot.node import leaf
from mpboot.node.uplink import Uplink
from tests.node.conftest import Up
from tests.node.played import SECRET, Ancestor, Far, Message, Rounds, child, config


class Agent:
    """An uplink with ancestors: the parent at its other end, a grandparent, and the root."""

    def __init__(self, loop: Rounds, ancestors: list[Ancestor], is_root: bool = False) -> None:
        self.loop = loop
        ours, theirs = socket.socketpair()
        fd = theirs.detach()
        line = leaf.Line(child(), fd, fd)
        routes = [(1, ("127.0.0.1",)), *(one.route for one in ancestors)]
        lineage = [[4, 44], [3, 33], [-1, 11]][: len(routes)]
        self.config = config(7 if is_root else None, 5, routes, lineage)
        self.config.shares = 3
        self.alone: list[bool] = []
        self.got: list[Message] = []
        self.uplink = Uplink(loop, line, self.config, self._got, lambda: self.alone.append(True))
        self.parent = Far(loop, ours)

    def _got(self, kind: int, body: bytes) -> None:
        self.got.append((kind, body))
        if body == b"nonsense":
            raise ValueError("that is none")


@pytest.fixture
def ancestors() -> Iterator[list[Ancestor]]:
    """The grandparent and the root."""
    with ThreadPoolExecutor(2) as threads:
        made = [Ancestor(threads), Ancestor(threads)]
        yield made
        for one in made:
            one.gone()


@pytest.fixture
def agent(loop: Rounds, ancestors: list[Ancestor]) -> Iterator[Agent]:
    made = Agent(loop, ancestors)
    yield made
    made.uplink.close()
    made.parent.close()


def taken_in(agent: Agent, answer: Future[tuple[socket.socket, wire.Session]], *lost: list[int]) -> Far:
    """The ancestor that takes the agent in, and hears which nearer ones it has lost."""
    agent.loop.until(lambda: agent.config.lost == list(lost))
    end, session = answer.result()
    far = Far(agent.loop, end, session=session)
    agent.loop.until(lambda: far.heard)
    return far


def hello(far: Far) -> dict[str, Any]:
    (said,) = far.bodies(wire.HELLO)
    assert far.kinds[0] == wire.HELLO
    told: dict[str, Any] = json.loads(said)
    return told


# -- the parent ------------------------------------------------------------------------------------


def test_what_is_said_and_heard(up: Up, loop: Rounds) -> None:
    up.uplink.send(wire.NOTE, b"[]")
    up.uplink.send(wire.PONG)
    up.uplink.done(2)
    up.uplink.log("h1 \udcff up")
    up.uplink.tell_exits([(5, 1, 0, 0, 0.5, 9), (6, 1, 3, 0, 1.25, 0)])
    loop.until(lambda: wire.EXIT in up.parent.kinds)
    assert up.parent.heard == [
        (wire.NOTE, b"[]"), (wire.PONG, b""), (wire.DONE, b"2"), (wire.LOG, b"h1 ? up"),
        (wire.EXIT, b"[[5,1,0,0,0.5000,9],[6,1,3,0,1.2500,0]]"),
    ]  # fmt: skip
    up.parent.say(wire.PING)
    up.parent.say(wire.STOP, b"15")
    loop.until(lambda: len(up.got) == 2)
    assert up.got == [(wire.PING, b""), (wire.STOP, b"15")]
    assert up.alone == []


def test_an_exit_overtakes_no_output(up: Up, loop: Rounds) -> None:
    up.uplink.outlet.put(b"x" * WINDOW)
    up.uplink.outlet.put(b"last words")
    up.uplink.tell_exits([(5, 1, 0, 0, 0.5, 9)])
    up.uplink.log("now")
    loop.until(lambda: wire.LOG in up.parent.kinds)
    assert wire.EXIT not in up.parent.kinds
    up.uplink.outlet.grant(1)
    loop.until(lambda: wire.EXIT in up.parent.kinds)
    assert up.parent.heard[-2:] == [(wire.OUT, b"last words"), (wire.EXIT, b"[[5,1,0,0,0.5000,9]]")]


def test_when_the_parent_was_heard(loop: Rounds) -> None:
    ours, theirs = socket.socketpair()
    fd = theirs.detach()
    line = leaf.Line(child(), fd, fd)
    line.heard = 5.0
    uplink = Uplink(loop, line, config(), lambda *_: None, lambda: None)
    assert uplink.heard == 5.0
    parent = Far(loop, ours)
    parent.say(wire.PING)
    loop.until(lambda: uplink.heard > 5.0)
    uplink.close()
    parent.close()


def test_a_close_says_what_was_to_be_said(up: Up, loop: Rounds) -> None:
    up.uplink.send(wire.PONG)
    loop.until(lambda: up.parent.heard)
    up.uplink.send(wire.LOG, b"last words")
    up.uplink.close()
    loop.until(lambda: up.parent.lost)
    assert up.parent.heard == [(wire.PONG, b""), (wire.LOG, b"last words")]
    assert up.alone == []


def test_without_an_ancestor_it_is_alone(up: Up, loop: Rounds) -> None:
    up.parent.close()
    loop.until(lambda: up.alone)
    loop.once()
    assert up.alone == [True]


# -- the ancestors ---------------------------------------------------------------------------------


def test_the_nearest_ancestor_takes_the_place_of_the_parent(
    agent: Agent, ancestors: list[Ancestor], loop: Rounds
) -> None:
    answer = ancestors[0].take_in()
    agent.parent.close()
    far = taken_in(agent, answer, [4, 44])
    said = hello(far)
    version = said.pop("python")
    assert version.count(".") == 2
    assert said == {"id": 1, "rank": 5, "pid": os.getpid(), "orphan": True, "lost": [[4, 44]]}
    assert far.kinds == [wire.HELLO]
    assert agent.config.shares == 0
    assert Hello(far.bodies(wire.HELLO)[0]).lost == [(4, 44)]
    far.say(wire.PING)
    loop.until(lambda: agent.got)
    agent.uplink.send(wire.PONG)
    loop.until(lambda: wire.PONG in far.kinds)
    assert agent.alone == []
    far.close()


def test_a_parent_brings_its_family_and_tells_all_again(agent: Agent, ancestors: list[Ancestor], loop: Rounds) -> None:
    agent.uplink.speak_for(
        lambda ancestor: Hello.about_family([6], [7], [8], [((ancestor,), [6, 7, 8])], SECRET),
        lambda: agent.uplink.send(wire.UP, b"[again]"),
    )
    agent.uplink.tell_exits([(5, 1, 1, 0, 0.5, 9), (6, 1, 0, 0, 0.5, 0)])
    agent.uplink.tell_exits([(5, 1, 2, 0, 0.5, 9)])
    answer = ancestors[0].take_in()
    agent.parent.close()
    far = taken_in(agent, answer, [4, 44])
    loop.until(lambda: wire.EXIT in far.kinds)
    said = Hello(far.bodies(wire.HELLO)[0])
    assert (said.below, said.left, said.failed) == ([6], [7], [8])
    assert (said.ways, said.proof, said.family) == ([([3], [6, 7, 8])], SECRET, [6, 7, 8])
    assert far.heard[1:] == [(wire.UP, b"[again]"), (wire.EXIT, b"[[5,1,2,0,0.5000,9],[6,1,0,0,0.5000,0]]")]
    far.close()


def test_a_new_parent_owes_a_whole_window(agent: Agent, ancestors: list[Ancestor], loop: Rounds) -> None:
    agent.uplink.outlet.put(b"x" * WINDOW)
    agent.uplink.outlet.put(b"y" * 100)
    loop.until(lambda: agent.parent.heard)
    answer = ancestors[0].take_in()
    agent.parent.close()
    far = taken_in(agent, answer, [4, 44])
    loop.until(lambda: wire.OUT in far.kinds)
    assert far.heard[1:] == [(wire.OUT, b"y" * 100)]
    assert agent.uplink.outlet.room == WINDOW - 100
    far.close()


def test_one_that_does_not_answer_is_passed_over(agent: Agent, ancestors: list[Ancestor], loop: Rounds) -> None:
    ancestors[0].gone()
    answer = ancestors[1].take_in()
    agent.parent.close()
    far = taken_in(agent, answer, [4, 44], [3, 33])
    far.close()
    loop.until(lambda: agent.alone)


def test_when_that_one_is_gone_too_the_next_is_asked(agent: Agent, ancestors: list[Ancestor], loop: Rounds) -> None:
    answers = [one.take_in() for one in ancestors]
    agent.parent.close()
    far = taken_in(agent, answers[0], [4, 44])
    far.close()
    last = taken_in(agent, answers[1], [3, 33])
    last.close()
    loop.until(lambda: agent.alone)
    assert agent.alone == [True]


@pytest.mark.parametrize("reason", ["silent", "nonsense"])
def test_a_parent_of_no_more_use_is_given_up(
    agent: Agent, ancestors: list[Ancestor], loop: Rounds, reason: str
) -> None:
    answer = ancestors[0].take_in()
    agent.parent.say(wire.SHARE, b"nonsense")
    if reason == "nonsense":
        loop.until(lambda: agent.got)
    else:
        agent.uplink.beat(-1.0, 0.0)
    far = taken_in(agent, answer, [4, 44])
    loop.until(lambda: agent.parent.lost)
    far.close()


def test_one_that_ends_seeks_no_other(agent: Agent, loop: Rounds) -> None:
    agent.uplink.seek_no_other()
    agent.parent.close()
    loop.until(lambda: agent.alone)


def test_the_root_has_no_other(loop: Rounds, ancestors: list[Ancestor]) -> None:
    root = Agent(loop, ancestors, is_root=True)
    root.parent.close()
    loop.until(lambda: root.alone)
    root.uplink.close()


# -- what ends, and what is silent -----------------------------------------------------------------


def test_of_jobs_that_nobody_asks_about_no_end_is_kept(agent: Agent, ancestors: list[Ancestor], loop: Rounds) -> None:
    agent.uplink.tell_exits([(5, job, 0, 0, 0.5, 0) for job in (1, 2, 3, 4)])
    agent.uplink.forget(2)
    assert [agent.uplink.has_exited(5, job) for job in (1, 2, 3, 4)] == [True] * 4
    agent.uplink.forget(4)
    assert [agent.uplink.has_exited(5, job) for job in (1, 2, 3, 4)] == [True, False, False, True]
    assert not agent.uplink.has_exited(6, 4)
    answer = ancestors[0].take_in()
    agent.parent.close()
    far = taken_in(agent, answer, [4, 44])
    loop.until(lambda: wire.EXIT in far.kinds)
    assert far.bodies(wire.EXIT) == [b"[[5,1,0,0,0.5000,0],[5,4,0,0,0.5000,0]]"]
    far.close()


def test_an_end_is_told_again_when_it_is_asked_for(up: Up, loop: Rounds) -> None:
    up.uplink.tell_exits([(5, 2, 3, 0, 0.5, 9)])
    loop.until(lambda: up.parent.heard)
    up.uplink.tell_again(5, 2)
    loop.until(lambda: len(up.parent.heard) == 2)
    assert up.parent.heard == [(wire.EXIT, b"[[5,2,3,0,0.5000,9]]")] * 2


def test_who_leaves_says_whose_output_is_lost_and_how_all_has_ended(up: Up, loop: Rounds) -> None:
    up.uplink.outlet.put(pack_out(6, 2, STDOUT, bytes(WINDOW)))
    up.uplink.outlet.put(pack_out(7, 2, STDOUT, b"lost"))
    up.uplink.tell_exits([(7, 2, 0, 0, 0.5, 4)])
    assert up.uplink.cut() == [7]
    loop.until(lambda: wire.EXIT in up.parent.kinds)
    assert up.parent.kinds == [wire.OUT, wire.EXIT]


def test_a_parent_that_is_silent_is_asked_and_then_given_up(up: Up, loop: Rounds) -> None:
    up.uplink.beat(10.0, 0.0)
    up.uplink._link.heard = monotonic() - 9.0
    up.uplink.beat(10.0, 0.0)
    loop.until(lambda: up.parent.heard)
    assert up.parent.heard == [(wire.PONG, b"")], "once, when most of the time was over"
    up.uplink._link.heard = monotonic() - 100.0
    up.uplink.beat(10.0, 95.0)
    assert up.alone == [], "most of it we did not listen"
    up.uplink._link.heard = monotonic() - 200.0
    up.uplink.beat(10.0, 0.0)
    loop.until(lambda: up.alone)


def test_a_parent_that_goes_has_all_that_was_said_and_the_next_what_was_not(
    agent: Agent, ancestors: list[Ancestor], loop: Rounds
) -> None:
    answer = ancestors[0].take_in()
    agent.uplink.send(wire.PONG)
    loop.until(lambda: agent.parent.heard)
    agent.uplink.log("last words")
    agent.uplink.move()
    agent.uplink.outlet.put(pack_out(5, 2, STDOUT, b"later"))
    far = taken_in(agent, answer, [4, 44])
    loop.until(lambda: wire.OUT in far.kinds)
    assert agent.parent.heard == [(wire.PONG, b""), (wire.LOG, b"last words")]
    assert far.bodies(wire.OUT) == [pack_out(5, 2, STDOUT, b"later")]
    far.close()
