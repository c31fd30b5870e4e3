"""A leaf: all that runs on a host that boots no others and has no command, beside wire.py.

It announces itself to rsh, connects back to its parent, proves its key, lets go of rsh, and waits for orders. Every
host pays for each import here: so it uses the C modules below ``os`` and ``socket``.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import posix
import sys
from _frozen_importlib_external import MAGIC_NUMBER
from select import POLLIN, POLLOUT, poll
from time import monotonic

from mpboot.net import core, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    Address = Tuple[str, int]
    Begun = Tuple["Line", List[wire.Message]]

EXIT_NO_ROOM, EXIT_BLOCKED = 71, 77  # no process can be had here; no way back to the parent, and no stdio allowed
STAGGER, UNPROVED = 0.25, 2.0  # seconds until the next address is tried as well; where one took the connection
HANDSHAKE = 20.0  # seconds that a parent may take to prove itself over a line that is its own: it may have much to do
ASK, CHUNK = 0.8, 1 << 16  # of the time that silence may last: the parent's kernel is asked then; bytes read at once


class Lost(Exception):
    """The connection to the parent is gone."""


class Line:
    """A connection to the parent: the session and the descriptors under it."""

    def __init__(self, session: wire.Session, read_fd: int, write_fd: int) -> None:
        self.session = session
        self.read_fd = read_fd
        self.write_fd = write_fd
        self.heard = monotonic()  # when bytes came last
        self._poll = poll()
        self._poll.register(read_fd, POLLIN)

    def flush(self) -> None:
        """Send all that the session has to say. Raises Lost."""
        out = self.session.out
        try:
            while out:
                del out[: posix.write(self.write_fd, out)]
        except OSError as error:
            raise Lost(str(error)) from None

    def waits(self, seconds: float) -> bool:
        """Is there something to read, after so many seconds at most?"""
        return bool(self._poll.poll(max(0.0, seconds) * 1000))

    def receive(self, timeout: float) -> List[wire.Message]:
        """Wait at most ``timeout`` seconds for bytes; the messages that they complete. Raises Lost."""
        if not self.waits(timeout):
            raise Lost("silent for %.0f s" % timeout)
        try:
            data = posix.read(self.read_fd, CHUNK)
            if not data:
                raise Lost("closed")
            self.heard = monotonic()
            return self.session.feed(data)
        except (OSError, wire.WireError) as error:
            raise Lost(str(error)) from None

    def close(self) -> None:
        """Close the descriptors."""
        for fd in {self.read_fd, self.write_fd}:
            posix.close(fd)


def shake_hands(config: wire.AgentConfig, read_fd: int, write_fd: int) -> Begun:
    """Prove the key to the parent, and have it prove it. Raises Lost."""
    line = Line(session(config, 0), read_fd, write_fd)
    until = monotonic() + HANDSHAKE
    messages: List[wire.Message] = []
    while not line.session.ready:
        line.flush()
        messages = line.receive(until - monotonic())
    return line, messages


def session(config: wire.AgentConfig, ancestor: int) -> wire.Session:
    """A session with an ancestor (0: the parent), which knows the key by the numbers on the way down from there."""
    way = list(config.path)
    while way and way[0][0] != config.lineage[ancestor][0]:
        del way[0]
    return wire.Session(config.key, config.rank, [number for _, number in way], posix.urandom(16))


def numeric(host: str, port: int) -> Tuple[_socket.socket, Tuple[Any, ...]]:
    """A socket and what to connect it to. OSError for a name: to look it up takes codecs, and maybe long."""
    if ":" not in host:
        _socket.inet_pton(_socket.AF_INET, host)
        return _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM), (host, port)
    address, _, zone = host.partition("%")
    return _socket.socket(_socket.AF_INET6, _socket.SOCK_STREAM), (
        address, port, 0, _socket.if_nametoindex(zone) if zone else 0)  # fmt: skip


class Dialling:
    """A connection that is being made to an address of an ancestor's, or stands there unproved."""

    def __init__(self, host: str, port: int) -> None:
        """OSError."""
        self.host = host
        self.sock, target = numeric(host, port)
        self.sock.setblocking(False)
        self.line: Optional[Line] = None
        code = self.sock.connect_ex(target)
        if code not in (0, 115, 36):  # EINPROGRESS on Linux, on BSD and macOS
            raise OSError(code, posix.strerror(code))

    def go_on(self, config: wire.AgentConfig, ancestor: int) -> Optional[Begun]:
        """It is ready; what has begun when the peer has proved itself. OSError, Lost."""
        if self.line is None:
            code = self.sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
            if code:
                raise OSError(code, posix.strerror(code))
            self.sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            fd = self.sock.fileno()
            self.line = Line(session(config, ancestor), fd, fd)
            self.line.flush()
            return None
        messages = self.line.receive(0.0)
        if not self.line.session.ready:
            return None
        self.sock.setblocking(True)
        self.line.flush()
        self.sock.detach()
        return self.line, messages


def reach(config: wire.AgentConfig, ancestor: int, addresses: List[Address], errors: List[str]) -> Optional[Begun]:
    """Connect to all addresses, one a little after the other; the first where the ancestor proves itself counts.

    None if there is none, after ``budget`` seconds where nothing took the connection, and ``patience`` where something
    did. What went wrong with each address goes into ``errors``.
    """
    trying: Dict[int, Dialling] = {}
    poller = poll()
    queue = list(addresses)
    begin = last = monotonic()
    while queue or trying:
        now = monotonic()
        taken = any(one.line for one in trying.values())
        end = begin + (config.patience if taken else config.budget)
        following = last + (UNPROVED if taken else STAGGER)
        if now >= end:
            break
        if queue and (now >= following or not trying):
            host, port = queue.pop(0)
            try:
                one = Dialling(host, port)
            except OSError as error:
                errors.append("%s: %s" % (host, error.strerror or error))
                continue
            trying[one.sock.fileno()] = one
            poller.register(one.sock.fileno(), POLLOUT)
            last = now
            continue
        until = min(end, following) if queue else end
        for fd, _event in poller.poll(max(0.0, until - monotonic()) * 1000):
            one = trying[fd]
            try:
                found = one.go_on(config, ancestor)
                poller.modify(fd, POLLIN)
            except (OSError, Lost) as error:
                found = None
                errors.append("%s: %s" % (one.host, getattr(error, "strerror", None) or error))
                poller.unregister(fd)
                trying.pop(fd).sock.close()
            if found is not None:
                for other in trying.values():
                    other.sock.close()
                return found
    for one in trying.values():
        errors.append("%s: no answer" % one.host)
        one.sock.close()
    return None


def reach_parent(config: wire.AgentConfig, errors: List[str]) -> Optional[Begun]:
    """Reach the parent by any of its addresses; the one that SSH_CONNECTION shows is tried first."""
    port, known = config.routes[0]
    addresses = list(known)
    seen = posix.environ.get(b"SSH_CONNECTION", b"").decode("ascii", "replace").split()
    if seen and config.trust_ssh:
        addresses = [seen[0]] + [address for address in known if address != seen[0]]
    return reach(config, 0, [(address, port) for address in addresses], errors)


def let_go(said: bytes) -> None:
    """Leave rsh: a new process in a session of its own, stdio on /dev/null; the process rsh knows says so and ends."""
    try:
        pid = posix.fork()
    except OSError as error:
        posix.write(2, ("mpboot: no room for a process: %s\n" % error.strerror).encode())
        posix._exit(EXIT_NO_ROOM)
    if pid:
        posix.write(1, said)
        posix._exit(0)
    posix.setsid()
    null = posix.open("/dev/null", posix.O_RDWR)
    for fd in (0, 1, 2):
        posix.dup2(null, fd)
    posix.close(null)


def hello(config: wire.AgentConfig, extra: str = "") -> bytes:
    """The body of HELLO."""
    numbers = (config.id, config.rank, posix.getpid(), *sys.version_info[:3])
    more = ',"compiled":true' + extra if config.kit[1:2] == (MAGIC_NUMBER,) else extra
    return ('{"id":%d,"rank":%d,"pid":%d,"python":"%d.%d.%d"' % numbers + more + "}").encode("ascii")


def open_line(config: wire.AgentConfig) -> Begun:
    """Find the way to the parent that the config asks for, and let go of rsh where that can be."""
    if config.fd is not None:  # the root: its parent is the front door
        return shake_hands(config, config.fd, config.fd)
    say = "%s %%s\n" % config.marker
    posix.write(1, ("\n" + say % "agent").encode())
    errors: List[str] = []
    if config.transport != "stdio":
        found = reach_parent(config, errors)
        if found is not None:
            said = (say % "tcp").encode()
            posix.write(1, said) if config.attach else let_go(said)
            return found
        if config.transport == "tcp":
            posix.write(1, (say % ("blocked " + "; ".join(errors))).encode())
            posix._exit(EXIT_BLOCKED)
    posix.write(1, (say % ("stdio " + "; ".join(errors))).encode())
    from mpboot.node import armour

    try:
        return shake_hands(config, 0, armour.outlet(config.key))
    except OSError as error:
        raise Lost(str(error)) from None


def serve(line: Line, messages: List[wire.Message], config: wire.AgentConfig, store: Any) -> List[wire.Message]:
    """Do what the parent says, until it says STOP or is lost; returns what is more than a leaf's to do. Raises Lost."""
    while True:
        for at, (kind, body) in enumerate(messages):
            if kind == wire.CODE:
                store.add(body)
            elif kind == wire.PING:
                line.session.send(wire.PONG)
            elif kind == wire.STOP:
                posix._exit(0)
            elif kind == wire.MOVE:
                raise Lost("it goes")
            elif kind == wire.SHARE and not body:
                config.shares += 1
                line.session.send(wire.DONE, b"%d" % config.shares)
            elif kind != wire.GO:
                return messages[at:]
        line.flush()
        if not line.waits(config.silence * ASK):
            from mpboot.node import lost_parent

            silent = lost_parent.outwait(line, config.silence)
            if silent:
                raise Lost("silent for %.0f s" % silent)
        messages = line.receive(0.0)


def main(payload: Tuple[Any, ...], store: Any) -> Tuple[Line, wire.AgentConfig, List[wire.Message]]:
    """Be a leaf until more is wanted; returns what that takes. ``payload``: see bundle.py."""
    _signal.alarm(0)  # see commandline.BOOTSTRAP
    core.none()
    config = wire.AgentConfig(payload[5], payload[6], payload[:5])
    try:
        line, messages = open_line(config)
        line.session.send(wire.HELLO, hello(config))
    except Lost as lost:
        posix.write(2, b"mpboot: the parent's connection was lost: %a\n" % str(lost))
        posix._exit(1)
    while True:
        try:
            line.flush()
            return line, config, serve(line, messages, config, store)
        except Lost:
            line.close()
            from mpboot.node import lost_parent

            found = lost_parent.find_ancestor(config, reach)
            if found is None:
                posix._exit(0)
            line, messages = found
            line.session.send(wire.HELLO, hello(config, ',"orphan":true,"lost":%s' % config.lost))
