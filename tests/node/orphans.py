"""An orphan whose family was handed to it by the node 1, for the tests of its grandparent."""

from __future__ import annotations

from typing import Any

from mpboot.net import keys, wire
from mpboot.net.hello import Hello
from mpboot.net.messages import Share
from mpboot.node.keyring import Keyring, numbers_from
from tests.node.played import child as keyed


class Orphan:
    """What the agent of 2 knows, which the child 1 has launched, and given 3, 4 and 5 of its ``share``."""

    def __init__(self, share: Share, key_of_1: bytes) -> None:
        parents, self._ring = Keyring(1), Keyring(2)
        for host, way in share.each():
            key = keys.veiled(key_of_1, bytes.fromhex(host.key), way[-1], host.rank)
            parents.take(host.rank, key, tuple(way))
        self._parents = parents
        way = self.again()
        number, given = parents.share([3, 4, 5])
        for rank, key in given.items():
            self._ring.take(rank, key, (*way[:-1], (1, number)))

    def again(self) -> tuple[tuple[int, int], ...]:
        """It is launched once more; the way."""
        self._key, way = self._parents.launch(2)
        self._numbers = numbers_from(way, 5) or ()
        return way

    def session(self) -> wire.Session:
        """With the node 5."""
        return keyed(self._key, 2, self._numbers)

    def about(self) -> dict[str, Any]:
        """What it tells of itself and its family."""
        ways, proof = self._ring.prove(self._key, 5, [3, 4, 5])
        return {"orphan": True, **Hello.about_family([3], [4], [5], ways, proof)}
