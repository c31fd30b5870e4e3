"""What of files travels: which there are, how they are cut into blocks, who can be asked for them. Checked here.

A list of entries stands for a tree of files. The contents of all files, in the order of the entries, are cut into
blocks: at most BLOCK bytes each, none of two files. Blocks are known by their number and their digest.
"""

from __future__ import annotations

from _blake2 import blake2b

from mpboot.net.fields import each, flag, record, row, text, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Sequence, Tuple

    Where = Tuple[List[str], int]  # addresses, and a port

BLOCK = 1 << 18  # bytes: each host of a chain passes a block on when it has all of it
SMALL = 1 << 20  # bytes that go down the tree with the order, so that nobody has to connect to anybody
DIGEST = 16  # bytes of a digest
HOLE = bytes(DIGEST)  # in the place of the digest of a block that is all zeros: it is not sent
BLAKE2B, SHA256 = HASHES = "blake2b", "sha256"  # which is faster depends on the processor
FILE, DIRECTORY, LINK = "f", "d", "l"
MOST_BYTES = 1 << 62
LATEST = 1 << 68  # ns: no file system has a date that is later, or as long before 1970
# Causes why a host has not got a file, or has not given it.
NO_SPACE, PERMISSION, NOT_FOUND, CHANGED = "no-space", "permission", "not-found", "changed"
UNSUPPORTED, HASH, LOST, INTERRUPTED = "unsupported", "hash", "lost", "interrupted"
UNREACHABLE = "unreachable"  # of the hosts that have it; then it is sent through the tree: nobody else hears of this
CAUSES = (NO_SPACE, PERMISSION, NOT_FOUND, CHANGED, UNSUPPORTED, HASH, LOST, INTERRUPTED)


def digest(data: Any) -> bytes:
    """Of a block's bytes."""
    return blake2b(data, digest_size=DIGEST).digest()


def hashing(name: str) -> Callable[[Any], bytes]:
    """The function that makes the digest of a block: one of HASHES."""
    if name == BLAKE2B:
        return digest
    try:
        from _hashlib import openssl_sha256 as sha256  # the interpreter's own knows no such instructions
    except ImportError:
        from hashlib import sha256
    return lambda data: sha256(data).digest()[:DIGEST]


def proof(key: bytes, nonce: bytes) -> bytes:
    """The proof by which a process that asks for blocks shows that it has the key."""
    return blake2b(nonce, digest_size=DIGEST, key=key).digest()


def path_of(value: Any) -> str:
    """A path below the place that files go to: it leads nowhere else."""
    found = text(value, 1 << 12)
    if "\0" in found or any(part in ("", ".", "..") for part in found.split("/")):
        raise ValueError("no path below a directory")
    return found


class Entry:
    """A file, directory or symbolic link. ``mtime``: in ns; ``link``: where a link leads."""

    __slots__ = ("kind", "link", "mode", "mtime", "path", "size")

    def __init__(self, path: str, kind: str, mode: int, mtime: int, size: int = 0, link: str = "") -> None:
        self.path = path
        self.kind = kind
        self.mode = mode
        self.mtime = mtime
        self.size = size
        self.link = link

    def row(self) -> List[Any]:
        """It as a row."""
        return [self.path, self.kind, self.mode, self.mtime, self.size, self.link]

    @classmethod
    def of(cls, value: Any) -> Entry:
        """The entry of a row. ValueError."""
        path, kind, mode, mtime, size, link = row(value, 6)
        if kind not in (FILE, DIRECTORY, LINK) or (size and kind != FILE):
            raise ValueError("no such kind of file")
        return cls(
            path_of(path), kind, whole(mode, 0, 0o7777), whole(mtime, -LATEST, LATEST),
            whole(size, 0, MOST_BYTES), text(link, 1 << 12),
        )  # fmt: skip

    def cut(self) -> List[Tuple[int, int]]:
        """Offset and size of each of its blocks."""
        return [(at, min(BLOCK, self.size - at)) for at in range(0, self.size, BLOCK)] if self.kind == FILE else []


def hash_of(value: Any) -> str:
    """The name of a hash. ValueError."""
    if value not in HASHES:
        raise ValueError("no such hash")
    return str(value)


class Plan:
    """All that is to be had, and where it goes.

    ``dest``: as it was typed; ``many``: more than one source, so it must be a directory; ``verify``: what is there is
    compared by its bytes, not by size and time; ``inline``: the blocks follow on the same way as this; ``key``: to be
    proved by who asks for blocks; ``hash``: one of HASHES; ``digests``: of all blocks.
    """

    CHECKS = {
        "dest": lambda value: text(value, 1 << 12), "many": flag, "verify": flag, "inline": flag,
        "key": lambda value: bytes.fromhex(text(value, 64)), "entries": lambda value: each(value, Entry.of),
        "hash": hash_of, "digests": lambda value: bytes.fromhex(text(value, 1 << 28)),
    }  # fmt: skip

    def __init__(
        self,
        dest: str,
        many: bool,
        verify: bool,
        inline: bool,
        key: bytes,
        entries: Sequence[Entry],
        hash: str,
        digests: bytes,
    ) -> None:
        self.dest = dest
        self.many = many
        self.verify = verify
        self.inline = inline
        self.key = key
        self.entries = list(entries)
        self.hash = hash
        self.digests = digests

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return {
            "dest": self.dest, "many": self.many, "verify": self.verify, "inline": self.inline, "key": self.key.hex(),
            "entries": [entry.row() for entry in self.entries], "hash": self.hash, "digests": self.digests.hex(),
        }  # fmt: skip

    @classmethod
    def of(cls, value: Any) -> Plan:
        """What came as JSON. ValueError."""
        plan = cls(**record(value, cls.CHECKS))
        if len(plan.digests) != DIGEST * sum(len(entry.cut()) for entry in plan.entries):
            raise ValueError("not a digest for each block")
        return plan

    def digest_of(self, number: int) -> bytes:
        """The digest that a block has to have; HOLE: it is all zeros."""
        return self.digests[number * DIGEST : (number + 1) * DIGEST]


def where_of(value: Any) -> Where:
    """Addresses and port of somebody who listens. ValueError."""
    addresses, port = row(value, 2)
    return each(addresses, lambda one: text(one, 64), 64), whole(port, 1, (1 << 16) - 1)


def upstream(order: Sequence[Tuple[str, Where]], label: str, head: Where, chains: int) -> List[Tuple[str, Where]]:
    """Whom a host asks for blocks, the nearest first: those before it in its chain, at last the head, called "".

    ``order``: hosts in their order, and where each listens. One that is not among them, since it came late, asks one of
    these and those before it: of many, each asks another.
    """
    labels = [one for one, _ in order]
    if label in labels:
        at = labels.index(label) - chains
    else:
        at = sum(label.encode("utf-8", "surrogateescape")) % len(labels) if labels else -1
    return [*(order[before] for before in range(at, -1, -chains)), ("", head)]


def ranges(numbers: Sequence[int]) -> List[Tuple[int, int]]:
    """Numbers that go up, as ranges: first, and one behind the last."""
    found: List[Tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = found[-1][0], number + 1
        else:
            found.append((number, number + 1))
    return found
