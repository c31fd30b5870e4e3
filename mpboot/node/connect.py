"""A connection from a host to another, on the stdin and stdout of this process: what ``ssh -W`` asks for."""

from __future__ import annotations

import _socket
import posix
from select import POLLIN, POLLOUT, poll

from mpboot.net.login import CONNECTED
from mpboot.node.program import NOT_RUN, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

CHUNK = 1 << 16
PATIENCE = 60.0  # seconds that a connection may take to come about


def connect(host: str, port: str) -> NoReturn:
    """Connect, and pass on bytes both ways until the far side has ended; errors go to stderr."""
    try:
        sock = _connected(host, int(port))
    except OSError as error:
        posix.write(2, encoded("%s port %s: %s\n" % (host, port, error.strerror or error)))
        posix._exit(NOT_RUN)
    posix.write(2, CONNECTED)
    fd = sock.fileno()
    for one in (0, 1, fd):
        posix.set_blocking(one, False)  # pipes of our own
    ways = [_Way(0, fd, lambda: sock.shutdown(_socket.SHUT_WR)), _Way(fd, 1, lambda: posix.close(1))]
    while any(way.open for way in ways):
        poller = poll()
        wanted = {}  # type: dict[int, int]
        for way in ways:
            if way.open:
                at, event = (way.target, POLLOUT) if way.waiting else (way.source, POLLIN)
                wanted[at] = wanted.get(at, 0) | event
        for one, events in wanted.items():
            poller.register(one, events)
        ready = dict(poller.poll())
        for way in ways:
            if way.open and (ready.get(way.source) or ready.get(way.target)):
                way.go_on()
        if not ways[1].open:
            break  # the far side has ended, or nobody reads it: what would still be written is for nobody
    posix._exit(0)


class _Way:
    """Bytes from one descriptor to another; ``ended()`` is called when no more come."""

    def __init__(self, source: int, target: int, ended):  # type: ignore[no-untyped-def]
        self.source, self.target = source, target
        self._ended = ended
        self.waiting = b""
        self.open = True

    def go_on(self) -> None:
        """Read or write what there is."""
        try:
            if not self.waiting:
                self.waiting = posix.read(self.source, CHUNK)
                if not self.waiting:
                    self.open = False
                    self._ended()
                    return
            self.waiting = self.waiting[posix.write(self.target, self.waiting) :]
        except BlockingIOError:
            return
        except OSError:
            self.open = False


def _connected(host: str, port: int) -> _socket.socket:
    failed = OSError("it has no address")
    for family, kind, protocol, _, address in _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM):
        sock = _socket.socket(family, kind, protocol)
        sock.settimeout(PATIENCE)
        try:
            sock.connect(address)
        except OSError as error:
            failed = error
            continue
        return sock
    raise failed
