"""The wire: mutual authentication, then frames with a keyed MAC. Sans-I/O: bytes in, messages out.

Every host loads this module before anything else, so it imports next to nothing. The protocol is
written down in docs/protocol.md.
"""

from __future__ import annotations

from _blake2 import blake2s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, List, Tuple

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
TO = 24  # down: a message for some hosts of yours
SIGNAL = 25  # down: a signal for a job
STDIN = 26  # down: a piece of a job's standard input (bytes: job, offset, text)
TAKEN = 27  # up: how many bytes of a job's standard input are out of my hands
HOLD = 28  # down: read no more of a job's output, or read it again
MOVE = 29  # down: I go: say what you have to say, and turn to another ancestor
LEAVE = 30  # down: end in good order, and hand your children on
WINDOW = 31  # down: a job's terminal has another size

KEY_BYTES = 16
GREETING = b"MPB2"
_NONCE = 16
_MAC = 16
_HEAD = 4


class AgentConfig:
    """The settings of an agent, sent at its launch; docs/protocol.md explains each."""

    __slots__ = ("attach", "budget", "fd", "host", "id", "key", "kit", "lineage", "lost", "marker", "path", "patience",
                 "rank", "routes", "shares", "silence", "transport", "trust_ssh")  # fmt: skip

    def __init__(self, common: Tuple[Any, ...], own: Tuple[Any, ...], kit: Tuple[Any, ...] = ()) -> None:
        (self.routes, self.lineage, self.transport, self.attach, self.budget, self.patience, self.silence,
         self.trust_ssh, self.fd) = common  # fmt: skip
        self.id, self.rank, self.host, self.marker, self.key, self.path = own
        self.kit = kit
        self.lost: List[Any] = []  # ancestors that are gone
        self.shares = 0  # that were answered


class WireError(Exception):
    """The peer is a stranger or speaks nonsense; its connection is of no more use."""


def mac(key: bytes, *parts: bytes) -> bytes:
    """A keyed hash."""
    return blake2s(b"".join(parts), digest_size=_MAC, key=key).digest()


def same(one: bytes, other: bytes) -> bool:
    """Are they equal? Comparing keyed hashes of both leaks nothing."""
    # hmac.compare_digest costs a leaf 4 ms of imports.
    return blake2s(one, key=b"mpboot compare").digest() == blake2s(other, key=b"mpboot compare").digest()


PIECE_DATA = 4000  # bytes in a piece: with what stands before, a pipe takes it whole
PIECE_SIZE = 2  # bytes of a piece's length


def piece(key: bytes, data: bytes) -> bytes:
    """Bytes on their way through rsh's stdout, behind a word that nobody else prints, and their number."""
    return mac(key, b"piece") + len(data).to_bytes(PIECE_SIZE, "big") + data


class Session:
    """The child's end of a connection; the parent's is answer.py's. ``feed`` what was read, send what is in ``out``.

    The child speaks first; when both have proved that they know the key the session is ``ready``, and each frame is: 4
    bytes length of the rest, 16 bytes MAC over the frame's running number, kind and body; 1 byte kind; body.
    """

    __slots__ = ("_early", "_hello", "_in", "_in_key", "_in_number", "_key", "_out_key", "_out_number", "out", "ready")
    LIMIT = 64 << 20  # bytes in one frame

    def __init__(self, key: bytes, rank: int, numbers: Iterable[int], nonce: bytes) -> None:
        """Start; ``nonce`` is 16 fresh random bytes, ``rank`` and ``numbers`` tell the parent the ``key`` (keys.py)."""
        self._key = key
        self._in = bytearray()
        self._early: List[Message] = []
        self._in_number = self._out_number = 0
        self._in_key = self._out_key = b""
        self.ready = False
        way = b"".join([number.to_bytes(4, "big") for number in numbers])
        self._hello = GREETING + (rank & 0xFFFFFFFF).to_bytes(4, "big") + bytes((len(way) // 4,)) + way + nonce
        self.out = bytearray(self._hello)

    def feed(self, data: bytes) -> List[Message]:
        """Take bytes that were read; return the whole messages among them as (kind, body).

        Raises WireError as soon as the bytes can't be those of a peer that knows the key.
        """
        self._in += data
        if not self.ready and not self._shake_hands():
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
        self.out += (len(tail) + _MAC).to_bytes(_HEAD, "big") + mac(self._out_key, number, tail) + tail

    def _take(self, count: int) -> bytes:
        taken = bytes(self._in[:count])
        del self._in[:count]
        return taken

    def _shake_hands(self) -> bool:
        """Answer the parent's proof; True when that is done."""
        if len(self._in) < _NONCE + _MAC:
            return False
        nonce = self._take(_NONCE)
        if not same(self._take(_MAC), mac(self._key, b"parent", self._hello, nonce)):
            raise WireError("the parent does not know the key")
        self.out += mac(self._key, b"child", nonce, self._hello)
        self._begin(b"down", b"up", nonce)
        return True

    def _begin(self, come: bytes, go: bytes, nonce: bytes) -> None:
        self._in_key = mac(self._key, come, self._hello, nonce)
        self._out_key = mac(self._key, go, self._hello, nonce)
        self.ready = True
        for kind, body in self._early:
            self.send(kind, body)
        self._early.clear()

    def _frames(self) -> List[Message]:
        messages: List[Message] = []
        buffer, at = self._in, 0
        while len(buffer) - at >= _HEAD:
            length = int.from_bytes(buffer[at : at + _HEAD], "big")
            if not _MAC < length <= self.LIMIT:
                raise WireError("a frame of %d bytes" % length)
            if len(buffer) - at < _HEAD + length:
                break
            proof = bytes(buffer[at + _HEAD : at + _HEAD + _MAC])
            tail = bytes(buffer[at + _HEAD + _MAC : at + _HEAD + length])
            if not same(proof, mac(self._in_key, self._in_number.to_bytes(8, "big"), tail)):
                raise WireError("a frame that is forged, replayed or out of order")
            self._in_number += 1
            at += _HEAD + length
            messages.append((tail[0], tail[1:]))
        if at:
            del buffer[:at]
        return messages
