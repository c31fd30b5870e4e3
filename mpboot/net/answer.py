"""The parent's end of a connection: finds the key of who greets, proves that it knows it, and has the child prove it.

The child's end is wire.py's, which every host loads; docs/protocol.md has the bytes.
"""

from __future__ import annotations

from mpboot.net.wire import _MAC, _NONCE, GREETING, Session, WireError, mac, same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional, Tuple

    # The key of a rank's agent whose launch these numbers tell; None if there is none.
    FindKey = Callable[[int, Tuple[int, ...]], Optional[bytes]]

MOST_NUMBERS = 64
_FIXED = len(GREETING) + 4 + 1  # bytes of a greeting before its numbers


class Answer(Session):
    """The parent's end. ``rank`` and ``numbers`` are the child's, proved once the session is ``ready``."""

    __slots__ = ("_find_key", "_nonce", "numbers", "rank")
    LIMIT = 1 << 16  # bytes in one frame: a child sends more in pieces

    def __init__(self, find_key: FindKey, nonce: bytes) -> None:
        """Start; ``nonce`` is 16 fresh random bytes."""
        super().__init__(b"", 0, (), b"")
        self.out.clear()
        self._hello = b""
        self._find_key = find_key
        self._nonce = nonce
        self.rank = 0
        self.numbers: Tuple[int, ...] = ()

    @property
    def key(self) -> bytes:
        """What the child has proved to know."""
        return self._key

    def drop(self) -> None:
        """Forget what has come of a frame that is not whole."""
        self._in.clear()

    def _shake_hands(self) -> bool:
        if not self._hello and not self._greeted():
            return False
        if len(self._in) < _MAC:
            return False
        if not same(self._take(_MAC), mac(self._key, b"child", self._nonce, self._hello)):
            raise WireError("does not know the key")
        self._begin(b"up", b"down", self._nonce)
        return True

    def _greeted(self) -> bool:
        begun = bytes(self._in[:_FIXED])
        if not GREETING.startswith(begun[: len(GREETING)]):
            raise WireError("not an mpboot agent")
        if len(begun) < _FIXED:
            return False
        count = begun[-1]
        if count > MOST_NUMBERS:
            raise WireError("from too far below")
        size = _FIXED + 4 * count + _NONCE
        if len(self._in) < size:
            return False
        hello = self._take(size)
        self.rank = int.from_bytes(hello[len(GREETING) : _FIXED - 1], "big", signed=True)
        self.numbers = tuple(int.from_bytes(hello[at : at + 4], "big") for at in range(_FIXED, _FIXED + 4 * count, 4))
        key = self._find_key(self.rank, self.numbers)
        if key is None:
            raise WireError("of no launch that is known")
        self._hello, self._key = hello, key
        self.out += self._nonce + mac(key, b"parent", hello, self._nonce)
        return True
