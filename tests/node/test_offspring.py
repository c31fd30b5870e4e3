"""A child as its parent sees it: code before what needs it, each once; credit for what was passed on."""

from __future__ import annotations

import marshal
from collections.abc import Iterator

import pytest

from mpboot.net import plain, wire
from mpboot.net.hello import Hello
from mpboot.net.jobs import Run
from mpboot.net.messages import Share
from mpboot.net.outlet import WINDOW
from mpboot.node.offspring import COMPILED, UNREAD, Offspring
from tests.node.played import Rounds, line, order, settings

BUNDLES = {"leaf": b"code of a leaf", "agent": b"code of an agent", "parent": b"code of a parent"}
RUN = Run(1, ["true"], [("MPBOOT_SIZE", "2")], True)
SHARE = Share(settings(), 1, 0.5, 0.0, [([(-1, 3)], 1)], [order(8)])
AGENT, PARENT = (wire.CODE, BUNDLES["agent"]), (wire.CODE, BUNDLES["parent"])


class Ends:
    """The parent's end, and the child's."""

    def __init__(self, loop: Rounds) -> None:
        self.link, self.child = line(loop)
        self._loop = loop

    def hello(self, bundles: dict[str, bytes] = BUNDLES, **more: object) -> Offspring:
        """The child, which says this in its HELLO."""
        said = {"id": 1, "rank": 7, "pid": 77, "python": "3.8.1", **more}
        return Offspring(Hello(plain.dumps(said)), self.link, bundles)

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


def test_who_can_do_with_compiled_code_gets_no_source(ends: Ends) -> None:
    bundle = marshal.dumps(("agent", b"magic", b"code", b"source"), 2)
    for _ in range(2):
        child = ends.hello({"agent": bundle, "parent": BUNDLES["parent"]}, compiled=True)
        child.run(RUN)
        child.run(RUN)
        (kind, sent), *rest = ends.heard()
        assert (kind, marshal.loads(sent)) == (wire.CODE, (COMPILED, b"magic", b"code", b""))
        assert rest == [(wire.RUN, RUN.pack())] * 2
    child.share(SHARE, 1)  # who boots others passes it on to them
    assert ends.heard() == [(wire.CODE, bundle), PARENT, (wire.SHARE, SHARE.pack())]
    child.run(RUN)
    assert ends.heard() == [(wire.RUN, RUN.pack())]


def test_a_share_takes_the_code_of_a_parent(ends: Ends) -> None:
    child = ends.hello()
    child.share(SHARE, 1)
    assert ends.heard() == [AGENT, PARENT, (wire.SHARE, SHARE.pack())]
    assert child.is_parent


def test_code_is_sent_once(ends: Ends) -> None:
    child = ends.hello()
    child.run(RUN)
    child.share(SHARE, 1)
    child.share(SHARE, 1)
    assert [kind for kind, _ in ends.heard()] == [wire.CODE, wire.RUN, wire.CODE, wire.SHARE, wire.SHARE]


def test_an_orphan_that_is_a_parent_has_all_of_it(ends: Ends) -> None:
    child = ends.hello(orphan=True, lost=[], below="", left="", failed="")
    assert child.is_parent
    child.run(RUN)
    child.share(SHARE, 1)
    assert [kind for kind, _ in ends.heard()] == [wire.RUN, wire.SHARE]


def test_an_orphan_that_is_a_leaf_has_none_of_it(ends: Ends) -> None:
    child = ends.hello(orphan=True, lost=[])
    child.share(SHARE, 1)
    assert [kind for kind, _ in ends.heard()] == [wire.CODE, wire.CODE, wire.SHARE]


def test_it_gets_credit_for_what_was_passed_on(ends: Ends) -> None:
    ends.hello().credits.passed_on(WINDOW)
    assert ends.heard() == [(wire.CREDIT, b"%d" % WINDOW)]


# -- who does not read -------------------------------------------------------------------------------

WORDS = [(wire.RECLAIM, b"1"), (wire.TELL, b""), (wire.CREDIT, b"9"), (wire.GO, b"")]
MANY = Share(settings(), 1, 0.5, 0.0, [([(-1, 3)], 9000)], [order(rank) for rank in range(9000)])


@pytest.fixture
def deaf(ends: Ends, loop: Rounds) -> Offspring:
    """It talks, but reads nothing."""
    child = ends.hello()
    ends.heard()
    ends.child.link.deafen()
    loop.once()
    return child


def fill(child: Offspring, loop: Rounds) -> None:
    """Say eight times as much as may wait; the kernel takes less than one of these parts."""
    for _ in range(32):
        child.link.send(wire.CREDIT, b"9" * (UNREAD >> 2))
        loop.once()


def test_who_reads_nothing_is_lost(deaf: Offspring, loop: Rounds) -> None:
    why: list[str] = []
    deaf.link.lost = why.append
    fill(deaf, loop)
    assert not deaf.link.open
    (said,) = why
    assert said.startswith("it does not read what it is told (")
    waited = int(said.partition("(")[2].split()[0])
    assert UNREAD < waited < UNREAD * 3 // 2


def test_what_is_owed_may_wait(deaf: Offspring, loop: Rounds) -> None:
    """Honest, and slow, or stopped: all hosts, all code, the command and psutil may wait at once, and then some."""
    big = dict.fromkeys(BUNDLES, b"c" * UNREAD)
    deaf._bundles.update(big)
    deaf.run(Run(1, ["x" * 100_000] * 4, [], True))
    deaf.share(MANY, 9000)
    deaf.link.owe(wire.PSUTIL, b"p" * (4 * UNREAD))
    for _ in range(100):
        for kind, body in WORDS:
            deaf.link.send(kind, body)
    loop.once()
    assert deaf.link.open
    assert deaf.link.backlog > 8 * UNREAD


def test_the_same_hosts_again_and_again_are_not_owed(deaf: Offspring, loop: Rounds) -> None:
    """To have given them back it must have read of them."""
    for _ in range(3):
        deaf.share(MANY, 9000)
    loop.once()
    assert not deaf.link.open


def test_other_hosts_are_owed_as_well(deaf: Offspring, loop: Rounds) -> None:
    for so_far in (9000, 18_000, 27_000):
        deaf.share(MANY, so_far)
    loop.once()
    assert deaf.link.open
