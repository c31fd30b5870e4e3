"""The line to a root: its HELLO and what it gets for it, the heartbeat, and the ways in which it can be lost.

What the root says after its HELLO is handed on and not read here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from time import monotonic
from typing import Callable

from mpboot.head.root import Root
from mpboot.net import patience, wire
from mpboot.net.answer import Answer
from mpboot.net.link import Link
from mpboot.net.loop import Loop
from mpboot.tree.ledger import HEAD

BEAT = 2.0  # seconds between two questions to the root whether it lives
SILENCE = 10.0  # seconds without a sign of life after which a peer is lost
ROOT_GRACE = 9.0  # seconds that the root may take to end everything: more than any agent waits for others
NO_GRACE = 0.1  # seconds, where it is not to be waited for


class RootLine:
    """Starts a root and speaks with it, until ``close``.

    When the root has said HELLO it is sent the ``first`` messages. ``heard(kind, body)`` gets what it says after that,
    ``lost(reason)`` is called once when it is gone: ended, silent for too long, or talking nonsense.
    """

    def __init__(
        self,
        loop: Loop,
        first: Callable[[], Iterable[wire.Message]],
        heard: Callable[[int, bytes], None],
        lost: Callable[[str], None],
        start_root: Callable[[float], Root] = Root,
    ) -> None:
        self._loop = loop
        self._first = first
        self._heard = heard
        self._root = start_root(SILENCE)
        key = self._root.key
        session = Answer(lambda rank, numbers: key if rank == HEAD and not numbers else None, os.urandom(16))
        try:
            self.link = Link(loop, session, self._root.fd, self._root.fd, self._greeted, lost)
        except BaseException:
            os.close(self._root.fd)
            self._root.end(NO_GRACE)
            raise
        self.link.blamed = (ValueError, LookupError, TypeError)  # what else an observer raises is its own fault
        self._mute = False  # the root says nothing any more
        # When we last asked; since when we have been listening; when the root used a processor.
        self._beaten = self._awake = self._worked = monotonic()
        loop.later(BEAT, self._beat)

    @property
    def ready(self) -> bool:
        """The root has proved itself, and can be asked."""
        return self.link.session.ready

    def send(self, kind: int, body: bytes = b"") -> None:
        """Queue a message to the root; nothing happens if it is gone."""
        self.link.send(kind, body)

    def stop(self, number: int) -> None:
        """Have the root end the tree, commands by this signal; if it takes too long it is lost."""
        self.send(wire.STOP, b"%d" % number)
        self._loop.later(ROOT_GRACE, lambda: self.link.fail(f"did not end in {ROOT_GRACE:.0f} s"))

    def close(self, at_once: bool = False) -> None:
        """The root is to end by itself; it is killed if it does not, or ``at_once``. Does not call ``lost``."""
        self.link.close()
        self._root.end(NO_GRACE if at_once or self._mute else ROOT_GRACE)

    # -- inside ------------------------------------------------------------------------------------

    def _greeted(self, kind: int, _: bytes) -> None:
        if kind != wire.HELLO:
            raise ValueError("not a HELLO")
        self.link.got = self._heard
        for message in self._first():
            self.link.send(*message)

    def _beat(self) -> None:
        """A root that is stopped, or hangs, must not hang us: it is asked whether it lives."""
        if not self.link.open:
            return
        now = monotonic()
        if now - self._beaten > 2 * BEAT:
            self._awake = now  # we were suspended ourselves, and have not listened
        self._beaten = now
        silent = now - max(self.link.heard, self._awake)
        works = self._root.works()
        if works:
            self._worked = now
        idle = None if works is None else now - max(self._worked, self._awake)
        if patience.judge(silent, idle, SILENCE) == patience.DEAD:
            self._mute = True
            self.link.fail(f"silent for {silent:.0f} s")
        elif self.ready:
            self.send(wire.PING)
        self._loop.later(BEAT, self._beat)
