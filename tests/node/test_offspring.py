"""A child as its parent sees it: code before what needs it, each once; credit for what was passed on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mpboot.net import plain, wire
from mpboot.net.hello import Hello
from mpboot.net.jobs import Run
from mpboot.net.messages import Share
from mpboot.net.outlet import WINDOW
from mpboot.node.offspring import Offspring
from tests.node.played import Rounds, line, order, settings

BUNDLES = {"leaf": b"code of a leaf", "agent": b"code of an agent", "parent": b"code of a parent"}
RUN = Run(1, ["true"], [("MPBOOT_SIZE", "2")], True)
SHARE = Share(settings(), 1, 0.5, [([(-1, 3)], 1)], [order(8)])
AGENT, PARENT = (wire.CODE, BUNDLES["agent"]), (wire.CODE, BUNDLES["parent"])


class Ends:
    """The parent's end, and the child's."""

    def __init__(self, loop: Rounds) -> None:
        self.link, self.child = line(loop)
        self._loop = loop

    def hello(self, **more: object) -> Offspring:
        """The child, which says this in its HELLO."""
        said = {"id": 1, "rank": 7, "pid": 77, "python": "3.8.1", **more}
        return Offspring(Hello(plain.dumps(said)), self.link, BUNDLES)

    def heard(self) -> list[tuple[int, bytes]]:
        """All that the child has heard."""
        self.link.send(wire.PING)
        self._loop.until(lambda: wire.PING in self.child.kinds)
        said = self.child.heard[:-1]
        self.child.heard.clear()
        return said


@pytest.fixture
def ends(loop: Rounds) -> Iterator[Ends]:
    made = Ends(loop)
    yield made
    made.link.close()
    made.child.close()


def test_who_it_is(ends: Ends) -> None:
    child = ends.hello()
    assert (child.rank, child.pid, child.link) == (7, 77, ends.link)
    assert not child.is_parent


def test_a_leaf_needs_no_code(ends: Ends) -> None:
    ends.hello().be_leaf()
    assert ends.heard() == [(wire.SHARE, b"")]


def test_a_command_takes_the_code_of_an_agent(ends: Ends) -> None:
    child = ends.hello()
    child.run(RUN)
    assert ends.heard() == [AGENT, (wire.RUN, RUN.pack())]
    assert not child.is_parent


def test_a_share_takes_the_code_of_a_parent(ends: Ends) -> None:
    child = ends.hello()
    child.share(SHARE)
    assert ends.heard() == [AGENT, PARENT, (wire.SHARE, SHARE.pack())]
    assert child.is_parent


def test_code_is_sent_once(ends: Ends) -> None:
    child = ends.hello()
    child.run(RUN)
    child.share(SHARE)
    child.share(SHARE)
    assert [kind for kind, _ in ends.heard()] == [wire.CODE, wire.RUN, wire.CODE, wire.SHARE, wire.SHARE]


def test_an_orphan_that_is_a_parent_has_all_of_it(ends: Ends) -> None:
    child = ends.hello(orphan=True, lost=[], below="", left="", failed="")
    assert child.is_parent
    child.run(RUN)
    child.share(SHARE)
    assert [kind for kind, _ in ends.heard()] == [wire.RUN, wire.SHARE]


def test_an_orphan_that_is_a_leaf_has_none_of_it(ends: Ends) -> None:
    child = ends.hello(orphan=True, lost=[])
    child.share(SHARE)
    assert [kind for kind, _ in ends.heard()] == [wire.CODE, wire.CODE, wire.SHARE]


def test_it_gets_credit_for_what_was_passed_on(ends: Ends) -> None:
    ends.hello().credits.passed_on(WINDOW)
    assert ends.heard() == [(wire.CREDIT, b"%d" % WINDOW)]
