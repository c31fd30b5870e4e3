"""A real agent under a parent that the test plays, and one whose workers and watcher are played as well."""

from __future__ import annotations

import os
import socket
from typing import Any
from unittest import mock

from mpboot.net import messages, wire, work
from mpboot.net.answer import Answer
from mpboot.node import leaf
from mpboot.tree.ledger import HEAD
from mpboot.workers.pipes import WORKER
from mpboot.workers.pool import Pool
from tests.support.besieged import BOOT, SILENCE, Site
from tests.support.frames import packed
from tests.support.results import framed, result
from tests.support.stand_ins import Made, PlayedServer, Player
from tests.support.tree_numbers import check_numbers


def leaf_config() -> wire.AgentConfig:
    """What a leaf is told."""
    common = messages.agent_common((), [[HEAD, os.getpid()]], SILENCE, BOOT)
    return wire.AgentConfig(common, work.agent_own(1, 5, "h5", "", bytes(wire.KEY_BYTES), ((HEAD, 1),)))


class Upper:
    """The parent of a leaf, without a loop: the leaf has none either."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._far = theirs.detach()
        self._session = Answer(lambda *_: bytes(wire.KEY_BYTES), os.urandom(16))

    def __enter__(self) -> Upper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def line(self, config: wire.AgentConfig) -> leaf.Line:
        """The leaf's line, when both have proved themselves."""
        made = leaf.Line(leaf.session(config, 0), self._far, self._far)
        while not self._session.ready:
            made.flush()
            self._session.feed(self._ours.recv(1 << 10))
            self._flush()
            if not made.session.ready:
                made.receive(1.0)
        return made

    def say(self, kind: int, body: bytes) -> None:
        """Send a message, unless there is no room."""
        self._session.send(kind, body)
        self._flush()

    def raw(self, data: bytes) -> None:
        """Send bytes."""
        self._session.out += data
        self._flush()

    def _flush(self) -> None:
        self._ours.setblocking(False)
        try:
            while self._session.out:
                del self._session.out[: self._ours.send(self._session.out)]
        except BlockingIOError:
            pass
        self._ours.setblocking(True)

    def close(self) -> None:
        """Hang up."""
        self._ours.close()


class Led(Site):
    """A real agent under a parent that the test plays."""

    def __init__(self) -> None:
        super().__init__()
        key = os.urandom(wire.KEY_BYTES)
        ours, theirs = socket.socketpair()
        session = Answer(lambda *_: key, os.urandom(16))
        self.parent = Player(self.loop, session, ours.detach(), HEAD)
        self.node = self.agent(work.agent_own(1, 5, "h5", "", key, ((HEAD, 1),)), theirs.detach())

    def check(self) -> None:
        """Whatever its parent has said, its hosts are each in one place, unless it ends."""
        if self.node._parent is not None and not self.node._stopping:
            check_numbers(self.node._parent._state, self.node._parent._launcher._current)

    def close(self) -> None:
        """Leave nothing."""
        self.parent.link.close()
        self.end(self.node)
        super().close()


class Crew(Led):
    """…which has hosts to launch, and whose workers and watcher the test plays."""

    def __init__(self, topology: str = "tree", size: int = 8) -> None:
        super().__init__()
        pid = os.getpid()
        for name, instead in (
            ("node.launcher.Pool", Pool), ("node.parent.ForkServer", PlayedServer), ("workers.carrier.END", 0.0),
            ("workers.pool.STOP_GRACE", 0.0), ("workers.family.send", lambda *_: None),
            ("workers.family.family", lambda *_: [(pid, 0)]), ("workers.forker.Forked.kill", lambda _: None),
        ):  # fmt: skip
            self._stack.enter_context(mock.patch("mpboot." + name, instead))
        key = "ab" * wire.KEY_BYTES
        orders = [
            messages.HostOrder(rank, f"h{rank}", "h", None, None, 0, True, key, None, None)
            for rank in range(6, 6 + size)
        ]
        boot = messages.BootSettings.of([topology, *BOOT.row()[1:]])
        self.parent.say(wire.SHARE, messages.Share(boot, 0, 0.0, 0.0, [([(HEAD, 1)], size)], orders).pack())
        self.loop.quiet()
        assert self.node._parent is not None
        self.server: Any = self.node._parent._launcher._pool._server

    @property
    def made(self) -> list[Made]:
        """The workers and the watcher that the parent listens to."""
        for one in [one for one in self.server.made if not one.wanted]:
            one.close()
            self.server.made.remove(one)
        return list(self.server.made)

    def begin(self) -> None:
        """The workers say that they have begun."""
        for one in self.made:
            if one.forked.kind == WORKER:
                one.say(framed(packed(result("Started", one.launch))))
        self.loop.quiet()

    def look(self) -> None:
        """Have a watcher made, if there is none and there is anything to watch."""
        self.loop.skip(1.0)
        self.parent.say(wire.TELL)
        self.loop.quiet()

    def check(self) -> None:
        """Whatever they have said, the agent goes on, and each of its hosts is in one place."""
        assert not self.node._stopping
        super().check()

    def close(self) -> None:
        """Leave nothing."""
        if self.node._parent is not None:
            self.node._parent._launcher.stop()
        for one in self.server.made:
            one.close()
        super().close()
