"""A parent at work for the tests, which play its own parent and, where they want, its children."""

from __future__ import annotations

import marshal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpboot.net import messages, plain, wire
from mpboot.node import bundle, leaf
from mpboot.node.parent import Parent
from mpboot.node.uplink import Uplink
from mpboot.workers import forkserver
from tests.node import played
from tests.node.played import Far, Message, Rounds, config, order, settings

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
        line = leaf.Line(played.child(), fd, fd)
        lineage = [[4, 44], [-1, 11]][: len(routes)]
        self.loop = loop
        self.config = config(fd if is_root else None, 5, routes, lineage)
        self.config.kit = bundle.kit() if real else ("raise SystemExit(3)",)
        self.uplink = Uplink(loop, line, self.config, self._got, lambda: None)
        self.above = Far(loop, ours)
        self.own: list[tuple[int, bytes]] = []  # what came for its own host among others
        self.gone: list[bool] = []  # children that were gone while it stopped
        self.children: list[Far] = []
        self.parent: Parent
        self.rsh = rsh
        self._stopped = False

    def _got(self, kind: int, body: bytes) -> None:
        self.parent.handlers()[kind](body)

    def begin(self, *names: str, level: int = 1, clock: float = 0.0, **boot: Any) -> Parent:
        """Give it hosts, whose ranks are the numbers at the ends of their names."""
        boot = {"rsh": self.rsh, "rsh_words": [self.rsh], **boot}
        way = () if self.config.fd is not None else played.WAY
        share = played.share(*map(named, names), level=level, clock=clock, way=way, boot=settings(**boot))
        server = forkserver.start()
        self.parent = Parent(
            self.loop,
            self.config,
            self.uplink,
            Bundles,
            share,
            server,
            lambda: self.gone.append(True),
            lambda kind, body: self.own.append((kind, body)),
        )
        self.parent.take_share(share)
        return self.parent

    def more(self, *names: str) -> None:
        """Its parent gives it more of them."""
        share = played.share(*map(named, names))
        self.above.say(wire.SHARE, share.pack() if names else b"")

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
        path = Path(f"{self.rsh}.{name}")
        found: list[Any] = []

        def whole() -> bool:
            data = path.read_bytes() if path.exists() else b""
            size, newline, rest = data.partition(b"\n")
            if newline and len(rest) == int(size[-8:], 16):
                found.append(marshal.loads(rest))
            return bool(found)

        self.loop.look_until(whole)
        return found[0]

    def child(self, name: str, session: wire.Session | None = None, **hello: Any) -> Far:
        """An agent for a host, which comes the way that keep… was told, with its key or in this ``session``."""
        _, common, own = self.payload(name if name.startswith("keep") else "keep1")
        port = common[0][0][0]
        session = session or played.child(own[4], number(name), [own[5][-1][1]])
        child = Far(self.loop, socket.create_connection(("127.0.0.1", port), 20), session=session)
        about = {"id": own[0], "rank": number(name), "pid": 100 + number(name), "python": "3.8.1", **hello}
        child.say(wire.HELLO, plain.dumps(about))
        self.children.append(child)
        return child

    def heard(self, child: Far, kind: int = wire.SHARE) -> list[Message]:
        """What a child has heard, once a message of this kind is among it."""
        self.loop.until(lambda: kind in child.kinds or child.lost)
        return child.heard

    def stop(self) -> None:
        """End it, once."""
        if not self._stopped:
            self._stopped = True
            self.parent.stop(15)
            self.parent.end()
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
