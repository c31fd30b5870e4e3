"""The accept socket: lets in who proves a key, and is not impressed by anybody else."""

from __future__ import annotations

import _socket
import errno
import os

from mpboot.net import wire
from mpboot.net.answer import Answer
from mpboot.net.hello import Hello
from mpboot.net.link import NONSENSE, SCARCE, Link
from mpboot.net.loop import READ
from mpboot.node.address import listen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict

    from mpboot.net.answer import FindKey
    from mpboot.net.loop import Loop, Timer

BACKLOG = 1024
VISITORS = 256  # connections that have not proved a key yet, at most; the oldest makes room
VISIT = 5.0  # seconds that each may take to do so
REST = 0.1  # seconds until the next try, where no descriptor is left
AT_ONCE = 64  # connections accepted in one round of the loop


class Door:
    """Listens. ``find_key``: see answer.py; ``most()``: so many hosts can an agent speak for.

    ``welcome(link, hello, session)`` gets each agent; ``stranger()`` is called for everybody else.
    """

    def __init__(
        self,
        loop: Loop,
        find_key: FindKey,
        welcome: Callable[[Link, Hello, Answer], None],
        stranger: Callable[[], None],
        most: Callable[[], int],
    ) -> None:
        """Listen on a port that the kernel chooses. OSError."""
        self._loop = loop
        self._find_key = find_key
        self._welcome = welcome
        self._stranger = stranger
        self._most = most
        self._visitors: Dict[Link, Timer] = {}  # oldest first
        self._listeners = listen(BACKLOG)
        self.port: int = self._listeners[0].getsockname()[1]
        self.families = [listener.family for listener in self._listeners]  # that are bound
        for listener in self._listeners:
            self._listen(listener)

    def send_away(self, link: Link, session: Answer) -> None:
        """An agent is to end: it has time to hear so, as one of the visitors, and nothing that it says is read."""
        self._make_room()
        link.lost = lambda _: self._leaves(link)
        link.send(wire.STOP)
        link.ignore()
        session.drop()
        self._visitors[link] = self._loop.later(VISIT, lambda: link.fail("it was to end"))

    def close(self) -> None:
        """Listen no more, and send away who waits."""
        for listener in self._listeners:
            self._loop.forget(listener.fileno())
            listener.close()
        for visitor in list(self._visitors):
            self._leaves(visitor)
            visitor.close()

    def _accept(self, listener: _socket.socket) -> None:
        for accepted in range(AT_ONCE):
            try:
                fd, _address = listener._accept()  # type: ignore[attr-defined]
            except OSError as error:
                # After the first, it may be that nobody waits: the kernel takes a descriptor before it looks.
                if not accepted and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._rest(listener)
                return  # no more for now
            connection = _socket.socket(fileno=fd)
            connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            self._make_room()
            self._let_in(connection.detach())

    def _make_room(self) -> None:
        if len(self._visitors) >= VISITORS:
            next(iter(self._visitors)).fail("too many visitors")

    def _rest(self, listener: _socket.socket) -> None:
        """No descriptor is left. The listener stays ready: without a pause the loop would spin."""
        if self._visitors:
            next(iter(self._visitors)).fail("no descriptor is left")
        self._loop.forget(listener.fileno())
        self._loop.later(REST, lambda: self._listen(listener))

    def _listen(self, listener: _socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.watch(listener.fileno(), READ, lambda _: self._accept(listener))

    def _let_in(self, fd: int) -> None:
        session = Answer(self._find_key, os.urandom(16))
        link = Link(
            self._loop, session, fd, fd, lambda kind, body: self._hello(link, session, kind, body), lambda _: gone()
        )
        link.blamed = (*NONSENSE, *SCARCE)  # where no descriptor is left it costs a child, and never the node
        self._visitors[link] = self._loop.later(VISIT, lambda: link.fail("silent"))

        def gone() -> None:
            self._leaves(link)
            self._stranger()

    def _leaves(self, link: Link) -> None:
        timer = self._visitors.pop(link, None)
        if timer is not None:
            timer.cancel()

    def _hello(self, link: Link, session: Answer, kind: int, body: bytes) -> None:
        if kind != wire.HELLO:
            raise ValueError("not a HELLO")
        hello = Hello(body, self._most())
        if hello.rank != session.rank or hello.orphan != (len(session.numbers) > 1):
            raise ValueError("it speaks for another host than its key is for")
        self._leaves(link)
        self._welcome(link, hello, session)
