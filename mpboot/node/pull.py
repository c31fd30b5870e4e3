"""Asking others for blocks: one after the other, until all are there or nobody is left."""

from __future__ import annotations

import _socket
import errno
import posix
from time import monotonic

from mpboot.net.files import BLOCK, proof, ranges
from mpboot.net.loop import READ
from mpboot.node.blocks import MOST_RANGES, NONCE, NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional, Sequence, Tuple

    from mpboot.net.files import Where
    from mpboot.net.loop import Loop, Timer
    from mpboot.node.blocks import Blocks

CONNECTS = 3.0  # seconds that a connection may take to come about
STALLS = 6.0  # seconds without a byte after which another is asked
LAST_STALLS = 60.0  # the same where nobody else is left
AT_ONCE = 64  # blocks that are taken before others have their turn
ROUNDS = 3  # times that all are asked, before it is given up
SLOW, WHILE = 1 << 18, 10.0  # who sends fewer bytes in so many seconds is left, where another is
UNREACHED = 3  # connections that did not come about in time, after which only the last is asked: a firewall?


class Pull:
    """Asks for blocks, the first of ``wheres`` first: ``got(number, data)`` for each that is right, in their order.

    These have names. Whoever is gone, silent, or sends what is wrong is left for the next. ``ended(why)`` when all are
    there (""), or none is left to ask. What ``digest`` says of a block has to be ``digest_of(number)``.
    """

    def __init__(
        self,
        loop: Loop,
        wheres: Sequence[Tuple[str, Where]],
        key: bytes,
        wanted: Sequence[int],
        blocks: Blocks,
        got: Callable[[int, memoryview], None],
        ended: Callable[[str], None],
        digest: Callable[[memoryview], bytes],
        digest_of: Callable[[int], bytes],
    ) -> None:
        self._loop = loop
        each = [(name, address, port) for name, (addresses, port) in wheres for address in addresses]
        self._wheres = each * ROUNDS
        self._last = [one for one in each if one[0] == wheres[-1][0]]
        self.of = ""  # who is asked
        self._key = key
        self._wanted = list(wanted)[::-1]
        self._blocks = blocks
        self._digest, self._digest_of = digest, digest_of
        self._got = got
        self._ended = ended
        self._sock: Optional[_socket.socket] = None
        self._nonce = b""
        self._buffer = bytearray(BLOCK)
        self._have = 0  # bytes of the block that comes
        self._moved = monotonic()
        self._since, self._came = self._moved, 0  # what has come since when
        self._unreached = 0
        self._given_up = False
        self._timer: Optional[Timer] = None
        self._why = "nobody has it"
        self._next()

    def close(self) -> None:
        """Ask nobody any more."""
        self._given_up = True
        self._leave()

    def leave(self, name: str) -> None:
        """Ask another, if it is ``name`` who is asked: the head has seen that he holds this host up."""
        others = [one for one in self._wheres if one[0] != name]
        if self.of == name and self._sock is not None and others:
            self._wheres = others + [one for one in self._wheres if one[0] == name]
            self._next("it is slow")

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sock is not None:
            self._loop.forget(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _next(self, why: str = "") -> None:
        self._why = why or self._why
        self._leave()
        if not self._wanted or not self._wheres:
            ended = "" if not self._wanted else self._why
            self._loop.soon(lambda: self._ended(ended))
            return
        if self._unreached >= UNREACHED:
            self._wheres = self._last
        self.of, address, port = self._wheres.pop(0)
        family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
        self._nonce, self._have = b"", 0
        try:
            self._sock = _socket.socket(family, _socket.SOCK_STREAM)
            self._sock.setblocking(False)
            code = self._sock.connect_ex((address, port))
        except OSError as error:
            code = error.errno or errno.EINVAL
        if self._sock is None or code not in (0, errno.EINPROGRESS):
            self._loop.soon(lambda: self._next(posix.strerror(code)))
            return
        self._loop.watch(self._sock.fileno(), READ, lambda _: self._readable())
        self._moved = self._since = monotonic()
        self._came = 0
        self._timer = self._loop.later(CONNECTS, self._look)

    def _look(self) -> None:
        """Has a byte come in time?"""
        patience = CONNECTS if not self._nonce else STALLS if self._wheres else LAST_STALLS
        now = monotonic()
        if now - self._since > WHILE:
            if self._came < SLOW and self._nonce and self._wheres:
                self._next("it is slow")
                return
            self._since, self._came = now, 0
        left = self._moved + patience - now
        if left > 0:
            self._timer = self._loop.later(min(left, WHILE), self._look)
            return
        if not self._nonce and not _connected(self._sock):
            self._unreached += 1
        self._next("it is silent")

    def _readable(self) -> None:
        assert self._sock is not None
        try:
            if len(self._nonce) < NONCE:
                data = self._sock.recv(NONCE - len(self._nonce))
                if not data:
                    raise OSError(errno.ECONNRESET, "it has closed the connection")
                self._nonce += data
                self._moved = monotonic()
                if len(self._nonce) == NONCE:
                    self._ask()
                return
            for _ in range(AT_ONCE):
                self._take()
                if self._given_up:
                    return
                if not self._wanted:
                    self._next()
                    return
        except BlockingIOError:
            return
        except OSError as error:
            self._next(error.strerror or str(error))

    def _ask(self) -> None:
        assert self._sock is not None
        asked = ranges(self._wanted[::-1])[:MOST_RANGES]
        body = b"".join(first.to_bytes(NUMBER, "big") + end.to_bytes(NUMBER, "big") for first, end in asked)
        self._sock.setblocking(True)
        self._sock.settimeout(CONNECTS)
        self._sock.sendall(proof(self._key, self._nonce) + len(asked).to_bytes(NUMBER, "big") + body)
        self._sock.setblocking(False)

    def _take(self) -> None:
        assert self._sock is not None
        number = self._wanted[-1]
        size = self._blocks.place(number)[2]
        with memoryview(self._buffer) as view:
            count = self._sock.recv_into(view[self._have : size])
            if not count:
                raise OSError(errno.ECONNRESET, "it has closed the connection")
            self._have += count
            self._came += count
            self._moved = monotonic()
            if self._have < size:
                return
            if self._digest(view[:size]) != self._digest_of(number):
                raise OSError(errno.EBADMSG, "what it sent is not what the head has")
            self._wanted.pop()
            self._have = 0
            self._got(number, view[:size])


def _connected(sock: Optional[_socket.socket]) -> bool:
    try:
        return sock is not None and bool(sock.getpeername())
    except OSError:
        return False
