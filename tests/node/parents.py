"""A parent at work for the tests, which play its own parent and, where they want, its children."""

from __future__ import annotations

import marshal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpboot.net import messages, plain, wire
from mpboot.node import bundle, leaf
from mpboot.node.keyring import Keyring, numbers_from
from mpboot.node.outcomes import Outcomes
from mpboot.node.parent import Parent
from mpboot.node.uplink import Uplink
from mpboot.workers import forkserver
from tests.node.played import Far, Message, Rounds, as_child, config, order, share

ABOVE: Sequence[tuple[int, tuple[str, ...]]] = ((1, ("127.0.0.1",)),)


class Bundles:
    """The modules of an agent: names stand for them."""

    bundles = {"agent": b"the agent's code", "parent": b"the parent's code"}  # noqa: RUF012


class Node:
    """A parent of rank 5, below the head or, as the root, in it. Its hosts are launched by ``rsh``, see conftest."""

    def __init__(self, loop: Rounds, rsh: str, is_root: bool = False, routes: Any = ABOVE, real: bool = False) -> None:
        """``real``: its children get real code."""
        ours, theirs = socket.socketpair()
        fd = theirs.detach()
        line = leaf.Line(as_child(), fd, fd)
        lineage = [[4, 44], [-1, 11]][: len(routes)]
        self.loop = loop
        self.config = config(fd if is_root else None, 5, routes, lineage)
        self.config.kit = bundle.kit() if real else ("raise SystemExit(3)",)
        self.uplink = Uplink(loop, line, self.config, self._got, lambda: None)
        self.above = Far(loop, ours)
        self.gone: list[bool] = []  # children that were gone while it stopped
        self.children: list[Far] = []
        self.parent: Parent
        self._rsh = rsh
        self._stopped = False

    def _got(self, kind: int, body: bytes) -> None:
        self.parent.handlers()[kind](body)

    def begin(self, *names: str, level: int = 1, clock: float = 0.0, **boot: Any) -> Parent:
        """Give it hosts, whose ranks are the numbers at the ends of their names."""
        boot = {"rsh": self._rsh, "rsh_words": [self._rsh], **boot}
        given = share(*map(named, names), level=level, clock=clock, **boot)
        server = forkserver.start()
        self.parent = Parent(
            self.loop, self.config, self.uplink, Bundles, given, server, lambda: self.gone.append(True)
        )
        self.parent.take_share(given)
        return self.parent

    def more(self, *names: str) -> None:
        """Its parent gives it more of them."""
        self.above.say(wire.SHARE, share(*map(named, names)).pack() if names else b"")

    def told(self, kind: int, count: int = 1) -> list[bytes]:
        """What it has told upward of a kind, once there is so much."""
        self.loop.until(lambda: len(self.above.bodies(kind)) >= count)
        return self.above.bodies(kind)

    def ups(self, count: int = 1) -> list[messages.Up]:
        """The hosts that it has told to be up, once there are so many."""
        return self._records(wire.UP, messages.Up, count)

    def failures(self, count: int = 1) -> list[messages.Failed]:
        """The hosts that it has told to have failed, once there are so many."""
        return self._records(wire.FAILED, messages.Failed, count)

    def _records(self, kind: int, of: Any, count: int) -> list[Any]:
        def found() -> list[Any]:
            return [record for body in self.above.bodies(kind) for record in of.unpack_all(body)]

        self.loop.until(lambda: len(found()) >= count)
        return found()

    def launched(self) -> int:
        """How many launches it has told."""
        return sum(messages.Launched.unpack(body).launched for body in self.above.bodies(wire.LAUNCHED))

    def payload(self, name: str) -> Any:
        """What the rsh of keep… was fed, taken apart."""
        path = Path(f"{self._rsh}.{name}")
        found: list[Any] = []

        def whole() -> bool:
            data = path.read_bytes() if path.exists() else b""
            size, newline, rest = data.partition(b"\n")
            if newline and len(rest) == int(size, 16):
                found.append(marshal.loads(rest))
            return bool(found)

        self.loop.look_until(whole)
        return found[0]

    def child(self, name: str, **hello: Any) -> Far:
        """An agent for a host. It comes by the key that the rsh of keep… was fed, or by that of a launch before."""
        rank, ring = number(name), self.parent._keys
        launch, key = 0, bytes(wire.KEY_BYTES)  # whoever is none of this node's hosts has no key
        if name.startswith("keep"):
            _, _, _, _, key, way = self.payload(name)[-1]
            launch = way[-1][1]
        if rank in ring._keys and launch not in ring._launches[rank]:
            key, way = ring.launch(rank)
            launch = way[-1][1]
        return self.comes(key, rank, [launch], **hello)

    def comes(self, key: bytes, rank: int, numbers: Sequence[int], **hello: Any) -> Far:
        """An agent comes to the port that the rsh of keep1 was told, and says HELLO."""
        port = self.payload("keep1")[1][0][0][0]
        end = socket.create_connection(("127.0.0.1", port), 20)
        child = Far(self.loop, end, key, is_parent=False, rank=rank, numbers=numbers)
        about = {"id": 1, "rank": rank, "pid": 100 + rank, "python": "3.8.1", **hello}
        child.say(wire.HELLO, plain.dumps(about))
        self.children.append(child)
        return child

    def orphan(
        self, child: Far, name: str, lost: Any, below: Sequence[int], left: Sequence[int], failed: Sequence[int]
    ) -> Far:
        """An agent that the child keep1 has launched, and given hosts of its own, turns to this node."""
        rank, given = number(name), Keyring(1)
        for host, way in messages.Share.unpack(child.bodies(wire.SHARE)[-1]).each():
            given.take(host.rank, bytes.fromhex(host.key), tuple(way))
        key, way = given.launch(rank)
        handed, own = [*below, *left, *failed], Keyring(rank)
        step, their_keys = given.share(handed)
        for one in handed:
            own.take(one, their_keys[one], (*given._ways[one], (1, step)))
        about = messages.Hello.about_family(below, left, failed, *own.prove(key, 5, handed))
        return self.comes(key, rank, numbers_from(way, 5) or (), orphan=True, lost=lost, **about)

    @property
    def outcomes(self) -> Outcomes:
        """Whom its launcher reports to."""
        return self.parent._outcomes

    def heard(self, child: Far, kind: int = wire.SHARE) -> list[Message]:
        """What a child has heard, once a message of this kind is among it."""
        self.loop.until(lambda: kind in child.kinds or child.lost)
        return child.heard

    def stop(self) -> None:
        """End it, once."""
        if not self._stopped:
            self._stopped = True
            self.parent.stop(15)
            self.loop.once()

    def close(self) -> None:
        """End all of it."""
        if hasattr(self, "parent"):
            self.stop()
        for child in self.children:
            child.close()
        self.above.close()
        self.uplink.close()


def number(name: str) -> int:
    """The rank of a host: the number at the end of its name."""
    return int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))


def named(name: str) -> messages.HostOrder:
    """A host of this name."""
    return order(number(name), name)
