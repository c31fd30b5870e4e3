"""HELLO: who connects, and for which hosts an orphan speaks. A leaf writes it by hand: an object with names."""

from __future__ import annotations

from mpboot.net import fields, plain, ranges
from mpboot.net.fields import each, flag, text, whole
from mpboot.net.records import key_text, name, node, rank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Sequence, Tuple


DEPTH = 1 << 12  # ancestors, at most
WAYS = 1 << 10  # different ways to the hosts of an orphan, at most


def text_of_ranks(value: Any) -> str:
    """Ranks as ranges.py writes them; not unpacked yet."""
    return text(value, 1 << 16)


def way_down(value: Any) -> Tuple[List[int], str]:
    """Numbers on a way down the tree, and the ranks that came on it."""
    pair = fields.row(value, 2)
    return each(pair[0], whole, 64), text_of_ranks(pair[1])


class Hello:
    """HELLO: an agent presents itself. A leaf writes it by hand (see node/leaf.py), so it is an object with names.

    Of an ``orphan`` also: ``lost``, rank and pid of the nearer ancestors that it has lost; and, if it is a parent, whom
    it brings: ``below`` (ranks up), ``left`` (not finished) and ``failed``. That these were given to it is shown by
    ``ways`` and ``proof``: see node/keyring.py.
    """

    CHECKS = {"id": whole, "rank": rank, "pid": lambda value: whole(value, 1), "python": name, "compiled": flag,
              "orphan": flag,
              "lost": lambda value: each(value, lambda pair: (node(fields.row(pair, 2)[0]), whole(pair[1], 1)), DEPTH),
              "below": text_of_ranks, "left": text_of_ranks, "failed": text_of_ranks, "proof": key_text,
              "ways": lambda value: each(value, way_down, WAYS)}  # fmt: skip
    __slots__ = (
        "below",
        "compiled",
        "failed",
        "id",
        "left",
        "lost",
        "orphan",
        "parent",
        "pid",
        "proof",
        "python",
        "rank",
        "ways",
    )

    def __init__(self, body: bytes, most: int = fields.MANY) -> None:
        """Unpack a HELLO, which may speak for at most so many hosts. ValueError."""
        said = fields.record(plain.loads(body), self.CHECKS, "compiled orphan lost below left failed ways proof")
        self.id: int = said["id"]
        self.rank: int = said["rank"]
        self.pid: int = said["pid"]
        self.python: str = said["python"]
        self.compiled: bool = said.get("compiled", False)  # its Python takes the compiled code as the head's writes it
        self.orphan: bool = said.get("orphan", False)
        self.lost: List[Tuple[int, int]] = said.get("lost", [])
        self.parent = "below" in said  # it launches others
        self.below = ranges.unpack(said.get("below", ""), most)
        self.left = ranges.unpack(said.get("left", ""), most)
        self.failed = ranges.unpack(said.get("failed", ""), most)
        self.ways = []
        for numbers, whose in said.get("ways", []):
            self.ways.append((numbers, ranges.unpack(whose, most)))
            most -= len(self.ways[-1][1])  # each host has one way
        self.proof = bytes.fromhex(said.get("proof", ""))

    @property
    def family(self) -> List[int]:
        """All hosts that it speaks for beside itself."""
        return [*self.below, *self.left, *self.failed]

    @staticmethod
    def about_family(
        below: Iterable[int],
        left: Iterable[int],
        failed: Iterable[int],
        ways: Iterable[Tuple[Sequence[int], Iterable[int]]],
        proof: bytes,
    ) -> Dict[str, Any]:
        """What an orphan that is a parent adds to its HELLO."""
        return {
            "below": ranges.pack(below), "left": ranges.pack(left), "failed": ranges.pack(failed),
            "ways": [[list(numbers), ranges.pack(whose)] for numbers, whose in ways], "proof": proof.hex(),
        }  # fmt: skip
