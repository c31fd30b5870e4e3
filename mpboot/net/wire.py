"""The wire: mutual authentication, then frames with a keyed MAC. Sans-I/O: bytes in, messages out.

Every host loads this module before anything else, so it imports next to nothing. The protocol is
written down in docs/protocol.md.
"""

from __future__ import annotations

from _blake2 import blake2s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

    Message = Tuple[int, bytes]

# Kinds of frames. "up" goes towards the root, "down" towards the leaves.
HELLO = 1  # up: who I am
SHARE = 2  # down: hosts to boot; an empty body makes a leaf
CODE = 3  # down: modules, as node/stage.py reads them
LAUNCHED = 4  # up: how many launches began
UP = 5  # up: hosts that came up
FAILED = 6  # up: hosts that did not
RETURN = 7  # up: hosts given back unbooted
RECLAIM = 8  # down: give some of your share back
DONE = 9  # up: my whole subtree is finished
GO = 10  # down: the whole tree is booted
RUN = 11  # down: the command to run
OUT = 12  # up: a piece of a command's output (bytes: rank, stream, text)
EXIT = 13  # up: commands that ended
CREDIT = 14  # down: how many more bytes of OUT may come up
PING = 15  # both: are you there?
PONG = 16  # both: I am
STOP = 17  # down: end, and take your subtree with you
LOG = 18  # up: one line for the person who watches
TELL = 19  # down: which launches are under way?
TOLD = 20  # up: these are, at one parent
NOTE = 21  # up: what a node can't do, for the report
WANT = 22  # up: I have no psutil; these I keep
PSUTIL = 23  # down: use the one you keep (its digest), or here it is (bytes), or there is none (empty)

SECRET_BYTES = 32
GREETING = b"MPB1"
_NONCE = 16
_MAC = 16
_HEAD = 4
FRAME_LIMIT = 64 << 20  # bytes in one frame, from an authenticated peer only


class AgentConfig:
    """What an agent is told at its launch; docs/protocol.md says what each is."""

    __slots__ = ("attach", "budget", "fd", "host", "id", "kit", "lineage", "lost", "marker", "rank", "routes", "secret",
                 "shares", "silence", "transport", "trust_ssh")  # fmt: skip

    def __init__(self, common: Tuple[Any, ...], own: Tuple[Any, ...], kit: Tuple[Any, ...] = ()) -> None:
        (self.secret, self.routes, self.lineage, self.transport, self.attach, self.budget, self.silence, self.trust_ssh,
         self.fd) = common  # fmt: skip
        self.id, self.rank, self.host, self.marker = own
        self.kit = kit
        self.lost: List[Any] = []  # ancestors that are gone
        self.shares = 0  # that were answered


class WireError(Exception):
    """The peer is a stranger or speaks nonsense; its connection is of no more use."""


def _mac(key: bytes, *parts: bytes) -> bytes:
    return blake2s(b"".join(parts), digest_size=_MAC, key=key).digest()


def _same(one: bytes, other: bytes) -> bool:
    # hmac.compare_digest costs a leaf 4 ms of imports; comparing keyed hashes of both leaks nothing.
    return blake2s(one, key=b"mpboot compare").digest() == blake2s(other, key=b"mpboot compare").digest()


class Session:
    """One end of a connection. ``feed`` what was read, send what is in ``out``.

    The child speaks first: greeting and nonce; the parent answers with its own nonce and a MAC over both;
    the child's MAC follows. From then on (``ready``) each frame is: 4 bytes length of the rest, 16 bytes
    MAC over the frame's running number, kind and body; 1 byte kind; body.
    """

    __slots__ = ("_early", "_in", "_in_key", "_in_number", "_is_parent", "_nonce", "_out_key", "_out_number", "_peer",
                 "_secret", "out", "ready")  # fmt: skip

    def __init__(self, secret: bytes, is_parent: bool, nonce: bytes) -> None:
        """Start; ``nonce`` is 16 fresh random bytes, ``secret`` the boot's 32."""
        self._secret = secret
        self._is_parent = is_parent
        self._nonce = nonce
        self._peer = b""
        self._in = bytearray()
        self._early: List[Message] = []
        self._in_number = self._out_number = 0
        self._in_key = self._out_key = b""
        self.out = bytearray()
        self.ready = False
        if not is_parent:
            self.out += GREETING + nonce

    def feed(self, data: bytes) -> List[Message]:
        """Take bytes that were read; return the whole messages among them as (kind, body).

        Raises WireError as soon as the bytes can't be those of a peer that knows the secret.
        """
        self._in += data
        if not self.ready and not (self._greeted() if self._is_parent else self._answered()):
            return []
        return self._frames()

    def send(self, kind: int, body: bytes = b"") -> None:
        """Put a frame on ``out``, or, before the session is ``ready``, have it follow the handshake."""
        if not self.ready:
            self._early.append((kind, body))  # there are no keys yet: sent now, it would be a stranger's
            return
        number = self._out_number.to_bytes(8, "big")
        self._out_number += 1
        tail = bytes((kind,)) + body
        self.out += (len(tail) + _MAC).to_bytes(_HEAD, "big") + _mac(self._out_key, number, tail) + tail

    def _take(self, count: int) -> bytes:
        taken = bytes(self._in[:count])
        del self._in[:count]
        return taken

    def _greeted(self) -> bool:
        if not self._peer:
            if not GREETING.startswith(bytes(self._in[: len(GREETING)])):
                raise WireError("not an mpboot agent")
            if len(self._in) < len(GREETING) + _NONCE:
                return False
            self._peer = self._take(len(GREETING) + _NONCE)[len(GREETING) :]
            self.out += self._nonce + _mac(self._secret, b"parent", self._peer, self._nonce)
        if len(self._in) < _MAC:
            return False
        if not _same(self._take(_MAC), _mac(self._secret, b"child", self._nonce, self._peer)):
            raise WireError("does not know the secret")
        self._begin(self._peer, self._nonce)
        return True

    def _answered(self) -> bool:
        if len(self._in) < _NONCE + _MAC:
            return False
        self._peer = self._take(_NONCE)
        if not _same(self._take(_MAC), _mac(self._secret, b"parent", self._nonce, self._peer)):
            raise WireError("the parent does not know the secret")
        self.out += _mac(self._secret, b"child", self._peer, self._nonce)
        self._begin(self._nonce, self._peer)
        return True

    def _begin(self, child_nonce: bytes, parent_nonce: bytes) -> None:
        up = _mac(self._secret, b"up", child_nonce, parent_nonce)
        down = _mac(self._secret, b"down", child_nonce, parent_nonce)
        self._in_key, self._out_key = (up, down) if self._is_parent else (down, up)
        self.ready = True
        for kind, body in self._early:
            self.send(kind, body)
        self._early.clear()

    def _frames(self) -> List[Message]:
        messages: List[Message] = []
        buffer, at = self._in, 0
        while len(buffer) - at >= _HEAD:
            length = int.from_bytes(buffer[at : at + _HEAD], "big")
            if not _MAC < length <= FRAME_LIMIT:
                raise WireError("a frame of %d bytes" % length)
            if len(buffer) - at < _HEAD + length:
                break
            mac = bytes(buffer[at + _HEAD : at + _HEAD + _MAC])
            tail = bytes(buffer[at + _HEAD + _MAC : at + _HEAD + length])
            if not _same(mac, _mac(self._in_key, self._in_number.to_bytes(8, "big"), tail)):
                raise WireError("a frame that is forged, replayed or out of order")
            self._in_number += 1
            at += _HEAD + length
            messages.append((tail[0], tail[1:]))
        if at:
            del buffer[:at]
        return messages
