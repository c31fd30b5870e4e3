"""Records: named values of fixed types, as they are packed into a frame's body and checked when they are unpacked."""

from __future__ import annotations

from mpboot.net import fields, plain
from mpboot.net.fields import each, text, whole
from mpboot.net.wire import KEY_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, Iterator, List, Sequence, Type, TypeVar

    from typing_extensions import dataclass_transform

    Some = TypeVar("Some", bound="Record")
else:

    def dataclass_transform() -> Callable[[Any], Any]:
        """Nothing: it tells the type checker that a record's constructor takes the fields in their order."""
        return lambda plain_class: plain_class


FRAME = 1 << 15  # bytes of a body of many records, about; a parent takes twice as much
NAME = 512  # characters of a host's label (a user of 64, a name of 253, a port), a cause, a phase
TOLD = 1 << 12  # characters of a detail, and of rsh's stderr


def rank(value: Any) -> int:
    """A host's rank."""
    return whole(value)


def node(value: Any) -> int:
    """A host's rank, or -1, the head's."""
    return whole(value, -1)


def name(value: Any) -> str:
    """A host's name or label, a user, a cause, a phase."""
    return text(value, NAME)


def told(value: Any) -> str:
    """A detail, or the end of rsh's stderr."""
    return text(value, TOLD)


def key_text(value: Any) -> str:
    """A key, in hexadecimal."""
    if len(text(value)) != 2 * KEY_BYTES or not set(value) <= set("0123456789abcdef"):
        raise ValueError("no key")
    return str(value)


@dataclass_transform()
class Record:
    """Named values of fixed types. ``CHECKS`` has for each field, in order, what takes a value of it or refuses it."""

    CHECKS: Dict[str, Callable[[Any], Any]] = {}
    __slots__: Sequence[str] = ()

    def __init__(self, *values: Any) -> None:
        for field, value in zip(self.CHECKS, values):
            setattr(self, field, value)

    def row(self) -> List[Any]:
        """The values as a list, in the order of the fields; of a record among them its own list."""
        return [_plain(getattr(self, field)) for field in self.CHECKS]

    @classmethod
    def of(cls: Type[Some], row: Any) -> Some:
        """A record out of such a list, every value checked. ValueError."""
        values = fields.row(row, len(cls.CHECKS))
        return cls(*[check(value) for check, value in zip(cls.CHECKS.values(), values)])

    def pack(self) -> bytes:
        """The record as a body."""
        return plain.dumps(self.row())

    @classmethod
    def unpack(cls: Type[Some], body: bytes) -> Some:
        """The record in a body. ValueError."""
        return cls.of(plain.loads(body))

    @classmethod
    def unpack_all(cls: Type[Some], body: bytes) -> List[Some]:
        """The records in a body of many. ValueError."""
        return each(plain.loads(body), cls.of)

    @classmethod
    def pack_all(cls: Type[Some], records: Iterable[Some]) -> bytes:
        """Many records as one body."""
        return plain.dumps([record.row() for record in records])

    @classmethod
    def groups(cls: Type[Some], records: Iterable[Some], most: int = FRAME) -> Iterator[List[Some]]:
        """The records in groups that are each, packed, not much longer than ``most`` bytes."""
        group: List[Some] = []
        size = 0
        for record in records:
            length = len(record.pack())
            if group and size + length > most:
                yield group
                group, size = [], 0
            group.append(record)
            size += length
        if group:
            yield group

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.row() == other.row()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "%s%r" % (type(self).__name__, tuple(self.row()))


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.row()
    return [_plain(one) for one in value] if type(value) in (list, tuple) else value
