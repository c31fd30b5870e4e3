"""A child as its parent sees it: the link, and what has to be sent before anything else."""

from __future__ import annotations

import marshal
from time import monotonic

from mpboot.net import wire
from mpboot.net.hello import Hello
from mpboot.net.outlet import Credits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Set

    from mpboot.net import messages
    from mpboot.net.jobs import Run
    from mpboot.net.link import Link


UNREAD = 1 << 18  # bytes that may wait for a child to read them, beside what is owed to it
COMPILED = "agent, compiled"  # a bundle that is made of the agent's


def _without_source(bundle: bytes) -> bytes:
    _, magic, code, _ = marshal.loads(bundle)
    return marshal.dumps((COMPILED, magic, code, b""), 2)


class Offspring:
    """A child that is up. ``key``: that of its launch; ``bundles``: the code that there is to give, by name.

    Who runs a command and boots nobody has no use for the source of its code, unless it can't do without.
    """

    __slots__ = ("_bundles", "_compiled", "_has", "_hosts", "credits", "key", "launches", "link", "moved", "pid",
                 "rank", "settled", "slow", "wanted", "words")  # fmt: skip

    def __init__(self, hello: Hello, link: Link, bundles: Dict[str, bytes], key: bytes = b"") -> None:
        self.rank = hello.rank
        self.pid = hello.pid
        self.key = key
        self.link = link
        self.credits = Credits(link)
        self._bundles = bundles
        self._compiled = hello.compiled
        self._hosts = 0  # that it has been told of, each counted once
        link.most = UNREAD
        self.moved = self.settled = monotonic()  # when there was news of hosts in its care; and more than of launches
        self.words = 0  # bytes for people that it has said
        self.launches = 0  # in its care
        self.slow = False  # it says nothing, though its kernel answers
        self.wanted = False  # it has asked for psutil
        self._has: Set[str] = {"agent", "parent"} if hello.parent else set()

    @property
    def is_parent(self) -> bool:
        """Does it launch others?"""
        return "parent" in self._has

    def run(self, order: Run) -> None:
        """Have the boot's own command run there."""
        self._give_code()
        self.link.owe(wire.RUN, order.pack())

    def _give_code(self) -> None:
        if self._compiled and "agent" not in self._has:
            if COMPILED not in self._bundles:
                self._bundles[COMPILED] = _without_source(self._bundles["agent"])
            self._give(COMPILED)
        else:
            self._give("agent")

    def tell(self, kind: int, body: bytes) -> None:
        """Tell it something of a session's job; to run one it needs code."""
        if kind == wire.RUN:
            self._give_code()
        self.link.send(kind, body)

    def share(self, share: messages.Share, given: int) -> None:
        """Hand it hosts to boot. ``given``: so many different ones were ever in its care, these among them.

        To get a host again it must have read of it before: what waits unread is owed to it once for each.
        """
        self._give("agent")
        self._give("parent")
        self.moves()
        fresh = min(len(share.hosts), given - self._hosts)
        self._hosts += fresh
        self.link.owe(wire.SHARE, share.pack(), fresh / len(share.hosts))

    def moves(self) -> None:
        """There is news of hosts in its care, or it is given some."""
        self.moved = self.settled = monotonic()

    def begins(self, most: float) -> None:
        """Launches begin in its care: that is news for so many seconds after there was any other."""
        now = monotonic()
        if now - self.settled <= most:
            self.moved = now

    def be_leaf(self) -> None:
        """Hand it nothing to boot."""
        self.link.send(wire.SHARE)

    def _give(self, bundle: str) -> None:
        """Send code, once."""
        if bundle not in self._has:
            self._has.add(bundle)
            self.link.owe(wire.CODE, self._bundles[bundle])
