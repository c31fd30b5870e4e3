"""OpenSSH's multiplexing protocol, version 4, as its server: what a client of ``ControlPath`` says and hears.

Sans I/O: bytes and descriptors in, requests out. Described in PROTOCOL.mux of OpenSSH's source.
A packet is 4 bytes length and a body of 32-bit numbers and strings (length, bytes), all big endian.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mpboot.net.login import LONGEST, LONGEST_TERM

VERSION = 4
HELLO, NEW_SESSION, ALIVE, TERMINATE = 0x00000001, 0x10000002, 0x10000004, 0x10000005
OPEN_FORWARD, CLOSE_FORWARD, STDIO_FORWARD, STOP = 0x10000006, 0x10000007, 0x10000008, 0x10000009
PROXY = 0x1000000F
_FAILURE, _EXIT = 0x80000003, 0x80000004
_IS_ALIVE, _OPENED = 0x80000005, 0x80000006
MOST = 1 << 21  # bytes of a packet: the kernel takes no longer command
MOST_VARIABLES = 1 << 12
LONGEST_HOST = 1 << 10  # characters of a host's name, to connect to
# What is not done, and what to do instead: said to whoever asks for it.
REFUSED = {
    TERMINATE: "the session is mpboot's: mpboot halt ends it",
    STOP: "the session is mpboot's: mpboot halt ends it",
    OPEN_FORWARD: "mpboot forwards no ports",
    CLOSE_FORWARD: "mpboot forwards no ports",
    PROXY: "mpboot knows no -O proxy",
}


class MuxError(ValueError):
    """The client talks nonsense: its connection is of no more use."""


@dataclass(frozen=True)
class Asked:
    """A request that is answered at once: ``kind`` is ALIVE, or one of REFUSED's."""

    kind: int
    request: int


@dataclass(frozen=True)
class NewSession:
    """A command, a shell, or a subsystem; or with ``host`` a connection to a port there, on stdin and stdout.

    ``fds``: stdin, stdout and, but for a connection, stderr of the client's: they are the receiver's now.
    """

    request: int
    fds: tuple[int, ...]
    tty: bool = False
    x11: bool = False
    agent: bool = False
    subsystem: bool = False
    term: str = ""
    command: str = ""
    env: list[tuple[str, str]] = field(default_factory=list)
    host: str = ""
    port: int = 0


class _Body:
    """Reads a packet's body. MuxError where it ends too early."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def number(self) -> int:
        self._at += 4
        if self._at > len(self._body):
            raise MuxError("a packet that is cut")
        return int.from_bytes(self._body[self._at - 4 : self._at], "big")

    def text(self) -> str:
        size = self.number()
        self._at += size
        if self._at > len(self._body):
            raise MuxError("a packet that is cut")
        text = self._body[self._at - size : self._at]
        if b"\0" in text:
            raise MuxError("a NUL in a string")
        return text.decode("utf-8", "surrogateescape")

    @property
    def left(self) -> bool:
        return self._at < len(self._body)


class Reader:
    """Cuts what a client sends into requests. ``close`` gives back the descriptors that nobody took."""

    def __init__(self) -> None:
        self._in = bytearray()
        self._fds: list[int] = []
        self._waits: NewSession | None = None  # for its descriptors: each comes with a byte
        self._greeted = False

    def feed(self, data: bytes, fds: Iterable[int]) -> list[Asked | NewSession]:
        """The requests that this completes. MuxError, and then the descriptors of all of them are unclaimed."""
        self._in += data
        self._fds += fds
        found: list[Asked | NewSession] = []
        try:
            self._cut(found)
        except MuxError:
            self._fds += [fd for one in found if isinstance(one, NewSession) for fd in one.fds]
            raise
        return found

    def _cut(self, found: list[Asked | NewSession]) -> None:
        while True:
            if self._waits is not None:
                needed = 2 if self._waits.host else 3
                if len(self._in) < needed:
                    break
                if len(self._fds) < needed:
                    raise MuxError("a descriptor is missing")
                del self._in[:needed]
                taken, self._fds = tuple(self._fds[:needed]), self._fds[needed:]
                found.append(NewSession(**{**self._waits.__dict__, "fds": taken}))
                self._waits = None
            elif not self._packet(found):
                break
        if len(self._fds) > 3:
            raise MuxError("descriptors that nobody asked for")

    def unclaimed(self) -> list[int]:
        """The descriptors that came and are nobody's; they are the caller's now."""
        fds, self._fds = self._fds, []
        return fds

    def _packet(self, found: list[Asked | NewSession]) -> bool:
        if len(self._in) < 4:
            return False
        size = int.from_bytes(self._in[:4], "big")
        if not 4 <= size <= MOST:
            raise MuxError("a packet of no possible length")
        if len(self._in) < 4 + size:
            return False
        body = _Body(bytes(self._in[4 : 4 + size]))
        del self._in[: 4 + size]
        kind = body.number()
        if not self._greeted:
            if kind != HELLO or body.number() != VERSION:
                raise MuxError("no client of version 4")
            self._greeted = True
        elif kind == NEW_SESSION:
            self._waits = _new_session(body)
        elif kind == STDIO_FORWARD:
            self._waits = _stdio_forward(body)
        elif kind in REFUSED or kind == ALIVE:
            found.append(Asked(kind, body.number()))
        else:
            raise MuxError("no such request")
        return True


def _new_session(body: _Body) -> NewSession:
    request = body.number()
    body.text()  # reserved
    tty, x11, agent, subsystem = (bool(body.number()) for _ in range(4))
    body.number()  # the escape character, which is the client's own business
    term, command = body.text(), body.text()
    env: list[tuple[str, str]] = []
    while body.left:
        name, equals, value = body.text().partition("=")
        if not name or not equals or len(env) == MOST_VARIABLES:
            raise MuxError("no variable")
        env.append((name, value))
    return NewSession(request, (), tty, x11, agent, subsystem, term, command, env)


def _stdio_forward(body: _Body) -> NewSession:
    request = body.number()
    body.text()  # reserved
    host, port = body.text(), body.number()
    if not host or not 0 < port < 1 << 16:
        raise MuxError("no host and port")
    return NewSession(request, (), host=host, port=port)


def refusal(asked: NewSession, terminals: bool = True) -> str:
    """Why it is not done, or an empty string: ssh shows this and logs in the normal way. ``terminals``: are there?"""
    if asked.x11:
        return "mpboot forwards no X11: ssh -x rides"
    if asked.agent:
        return "mpboot forwards no agent: ssh -a rides"
    if len(asked.command) > LONGEST or len(asked.host) > LONGEST_HOST:
        return "the command is too long for mpboot"
    if len(asked.term) > LONGEST_TERM:
        return "the terminal's name in TERM is too long"
    if asked.tty and not terminals:
        return "sshd there permits no terminal: ssh -T rides"
    return ""


# -- what it hears ---------------------------------------------------------------------------------


def hello() -> bytes:
    """What a server says first."""
    return _packet(HELLO, VERSION)


def is_alive(request: int, pid: int) -> bytes:
    """The answer to ALIVE. A client with a terminal sends this pid SIGWINCH when its window has changed."""
    return _packet(_IS_ALIVE, request, pid)


def failure(request: int, why: str) -> bytes:
    """It is not done; ssh shows why, and connects the normal way if it can."""
    text = why.encode("utf-8", "replace")
    return _packet(_FAILURE, request, len(text), more=text)


def opened(request: int, session: int) -> bytes:
    """A session is open."""
    return _packet(_OPENED, request, session)


def exited(session: int, code: int) -> bytes:
    """It has ended. The server closes the connection after this; without this, ssh ends with 255."""
    return _packet(_EXIT, session, code)


def _packet(*numbers: int, more: bytes = b"") -> bytes:
    body = b"".join(number.to_bytes(4, "big") for number in numbers) + more
    return len(body).to_bytes(4, "big") + body
