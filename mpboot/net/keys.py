"""Keys: each launch has one of its own, and a node can derive those of the hosts that it was given and no others.

A host's key comes with the share that gives it to a node. Of it the node derives, under a number that it never uses
again, the key of each launch of that host, and the host's key for a child that it hands the host to. So an ancestor
that knows the numbers on the way down knows the key at its end, and nobody learns a key by what he was given but of
what lies below it. Pure.
"""

from __future__ import annotations

from mpboot.net.wire import mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence


def of_host(secret: bytes, rank: int) -> bytes:
    """A host's key at the root; ``secret`` is the boot's."""
    return mac(secret, b"host", rank.to_bytes(4, "big"))


def of_share(key: bytes, number: int) -> bytes:
    """The key of a host for the child that it is handed to; ``key`` is the host's at the node that hands it."""
    return mac(key, b"share", number.to_bytes(4, "big"))


def veiled(secret: bytes, key: bytes, step: Sequence[int], rank: int) -> bytes:
    """A host's key as it goes over the network, and back again: nobody but the child that it is for can read it.

    ``secret``: the key of that child's launch; ``step``: rank and number of the node that hands the host on. No veil is
    used twice, since no number is.
    """
    pad = mac(secret, b"veil", *[(number & 0xFFFFFFFF).to_bytes(4, "big") for number in (*step, rank)])
    return bytes([one ^ other for one, other in zip(key, pad)])


def of_launch(key: bytes, number: int) -> bytes:
    """The key of one launch of a host; ``key`` is the host's at the node that launches it."""
    return mac(key, b"launch", number.to_bytes(4, "big"))


def along(key: bytes, numbers: Sequence[int]) -> bytes:
    """The key of a host at a node below: ``numbers`` are those of the shares on the way there."""
    for number in numbers:
        key = of_share(key, number)
    return key
