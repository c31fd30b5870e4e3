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
    from typing import Callable, Dict, Optional, Set, Tuple

    from mpboot.net.answer import FindKey
    from mpboot.net.loop import Loop, Timer

    Caller = Tuple[int, Tuple[int, ...]]  # rank and numbers that it greets with

BACKLOG = 1024
VISITORS = 256  # connections that have not proved a key yet, at most; the oldest makes room
VISIT = 5.0  # seconds that each may take to do so
LATE = 60.0  # the same where it greets like an agent of ours, or agents of ours are awaited: it may get no processor
ALIKE = 4  # who greet alike, and may be late: an agent comes by several addresses at once
KNOCKING = 1.0  # seconds until the next look, where somebody may come in when his time is over
REST = 0.1  # seconds until the next try, where no descriptor is left
AT_ONCE = 64  # connections accepted in one round of the loop


class Door:
    """Listens. ``find_key``: see answer.py; ``most()``: so many hosts can an agent speak for.

    ``awaits()``: are agents still to come? Then there is room for as many of them beside the strangers.
    ``welcome(link, hello, session)`` gets each agent; ``stranger()`` is called for everybody else.
    """

    def __init__(
        self,
        loop: Loop,
        find_key: FindKey,
        welcome: Callable[[Link, Hello, Answer], None],
        stranger: Callable[[], None],
        most: Callable[[], int],
        awaits: Callable[[], bool],
    ) -> None:
        """Listen on a port that the kernel chooses. OSError."""
        self._loop = loop
        self._find_key = find_key
        self._welcome = welcome
        self._stranger = stranger
        self._most = most
        self._awaits = awaits
        self._visitors: Dict[Link, Timer] = {}  # oldest first
        self._callers: Dict[Link, Caller] = {}  # those who greet like agents of ours, oldest first
        self._came: Set[Caller] = set()
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

    def calls(self, rank: int) -> bool:
        """Is somebody there who may be the agent of this host, and has not said HELLO yet?"""
        return any(one == rank for one, _ in self._callers.values())

    def after_calling(self, rank: int, call: Callable[[], None]) -> bool:
        """Likewise; then ``call`` follows a little later."""
        return self.calls(rank) and bool(self._loop.later(KNOCKING, call))

    @property
    def orphans(self) -> bool:
        """Is somebody there who may be an orphan, and has not said HELLO yet?"""
        return any(len(numbers) > 1 for _, numbers in self._callers.values())

    def after_orphans(self, delay: float, call: Callable[[], None], more: float = LATE) -> None:
        """Call ``call`` after ``delay`` seconds, or up to so many ``more`` if there are orphans at the door then."""

        def over() -> None:
            if self.orphans and more > 0:
                self.after_orphans(KNOCKING, call, more - KNOCKING)
            else:
                call()

        self._loop.later(delay, over)

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
        """Strangers make room for each other, and for who greets like one of ours only where there are too many."""
        most = self._most()
        if len(self._visitors) - len(self._callers) >= VISITORS + (most if self._awaits() else 0):
            self._oldest().fail("too many visitors")
        if len(self._callers) > VISITORS + most:
            next(iter(self._callers)).fail("too many visitors")

    def _oldest(self) -> Link:
        """Who has been there longest, of strangers if there are any."""
        return next((one for one in self._visitors if one not in self._callers), next(iter(self._visitors)))

    def _greets(self, link: Link, caller: Caller) -> Optional[bytes]:
        """The key of who greets so; whoever has one is no stranger as far as can be told, and may be late."""
        key = self._find_key(*caller)
        if key is not None and link in self._visitors:
            if list(self._callers.values()).count(caller) >= ALIKE:
                return key  # whoever these are: to be one more of them gives no rights
            self._callers[link] = caller
            self._visitors[link].cancel()
            self._visitors[link] = self._loop.later(LATE, lambda: link.fail("silent"))
        return key

    def _rest(self, listener: _socket.socket) -> None:
        """No descriptor is left. The listener stays ready: without a pause the loop would spin."""
        if self._visitors:
            self._oldest().fail("no descriptor is left")
        self._loop.forget(listener.fileno())
        self._loop.later(REST, lambda: self._listen(listener))

    def _listen(self, listener: _socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.watch(listener.fileno(), READ, lambda _: self._accept(listener))

    def _let_in(self, fd: int) -> None:
        session = Answer(lambda *caller: self._greets(link, caller), os.urandom(16))
        link = Link(
            self._loop, session, fd, fd, lambda kind, body: self._hello(link, session, kind, body), lambda _: gone()
        )
        link.blamed = (*NONSENSE, *SCARCE)  # where no descriptor is left it costs a child, and never the node
        seconds = LATE if self._awaits() else VISIT
        self._visitors[link] = self._loop.later(seconds, lambda: link.fail("silent"))

        def gone() -> None:
            caller = self._callers.get(link)
            self._leaves(link)
            if caller is None or not (caller in self._came or caller in self._callers.values()):
                self._stranger()  # else an agent of ours came by another address

    def _leaves(self, link: Link) -> None:
        self._callers.pop(link, None)
        timer = self._visitors.pop(link, None)
        if timer is not None:
            timer.cancel()

    def _hello(self, link: Link, session: Answer, kind: int, body: bytes) -> None:
        if kind != wire.HELLO:
            raise ValueError("not a HELLO")
        hello = Hello(body, self._most())
        if hello.rank != session.rank or hello.orphan != (len(session.numbers) > 1):
            raise ValueError("it speaks for another host than its key is for")
        self._came.add((session.rank, session.numbers))
        self._leaves(link)
        self._welcome(link, hello, session)
