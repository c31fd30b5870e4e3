"""A child as its parent sees it: the link, and what is owed to it before anything else can be sent."""

from __future__ import annotations

from time import monotonic

from mpboot.net import commands, wire
from mpboot.net.hello import Hello
from mpboot.net.outlet import Credits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Set

    from mpboot.net import messages
    from mpboot.net.link import Link


class Offspring:
    """A child that is up. ``key``: that of its launch; ``bundles``: the code that there is to give, by name."""

    __slots__ = ("_bundles", "_has", "credits", "key", "launches", "link", "moved", "pid", "rank", "slow", "wanted",
                 "words")  # fmt: skip

    def __init__(self, hello: Hello, link: Link, bundles: Dict[str, bytes], key: bytes = b"") -> None:
        self.rank = hello.rank
        self.pid = hello.pid
        self.key = key
        self.link = link
        self.credits = Credits(link)
        self._bundles = bundles
        self.moved = monotonic()  # when there was news of hosts in its care, or it was given some
        self.words = 0  # bytes for people that it has said
        self.launches = 0  # in its care
        self.slow = False  # it says nothing, though its kernel answers
        self.wanted = False  # it has asked for psutil
        self._has: Set[str] = {"agent", "parent"} if hello.parent else set()

    @property
    def is_parent(self) -> bool:
        """Does it launch others?"""
        return "parent" in self._has

    def run(self, order: commands.Run) -> None:
        """Have the command run there."""
        self._give("agent")
        self.link.send(wire.RUN, order.pack())

    def share(self, share: messages.Share) -> None:
        """Hand it hosts to boot."""
        self._give("agent")
        self._give("parent")
        self.moved = monotonic()
        self.link.send(wire.SHARE, share.pack())

    def be_leaf(self) -> None:
        """Hand it nothing to boot."""
        self.link.send(wire.SHARE)

    def _give(self, bundle: str) -> None:
        """Send code, once."""
        if bundle not in self._has:
            self._has.add(bundle)
            self.link.send(wire.CODE, self._bundles[bundle])
