"""Records: values by name, packed into a body and out again, every one checked."""

from __future__ import annotations

import json

import pytest

from mpboot.net import fields
from mpboot.net.records import NAME, TOLD, Record, name, node, rank, told


class Point(Record):
    """A place."""

    CHECKS = {"x": fields.whole, "y": fields.whole}  # noqa: RUF012
    __slots__ = tuple(CHECKS)
    x: int
    y: int


class Way(Record):
    """A name, where it begins, and what follows."""

    CHECKS = {"label": name, "start": Point.of, "steps": lambda value: fields.each(value, Point.of)}  # noqa: RUF012
    __slots__ = tuple(CHECKS)
    label: str
    start: Point
    steps: list[Point]


class Other(Record):
    """Has the fields of a Point, and is none."""

    CHECKS = Point.CHECKS
    __slots__ = tuple(CHECKS)
    x: int
    y: int


WAY = Way("there", Point(1, 2), [Point(3, 4), Point(5, 6)])


def test_the_values_have_names() -> None:
    assert (WAY.label, WAY.start.x, WAY.start.y, WAY.steps[1].y) == ("there", 1, 2, 6)


def test_a_row_is_plain_whatever_is_inside() -> None:
    assert WAY.row() == ["there", [1, 2], [[3, 4], [5, 6]]]
    assert Way("there", Point(1, 2), ()).row() == ["there", [1, 2], []]  # type: ignore[arg-type]
    assert type(WAY.row()[1]) is list


def test_a_body_and_back() -> None:
    assert WAY.pack() == b'["there",[1,2],[[3,4],[5,6]]]'
    assert Way.unpack(WAY.pack()) == WAY
    assert type(Way.unpack(WAY.pack()).steps[0]) is Point


def test_many_in_one_body() -> None:
    body = Point.pack_all([Point(1, 2), Point(3, 4)])
    assert json.loads(body) == [[1, 2], [3, 4]]
    assert Point.unpack_all(body) == [Point(1, 2), Point(3, 4)]
    assert Point.unpack_all(Point.pack_all(iter(()))) == []


@pytest.mark.parametrize("row", [[], [1], [1, 2, 3], [1, -1], ["1", 2], [1.0, 2], {"x": 1, "y": 2}, None, "ab", 12])
def test_a_row_of_something_else_is_refused(row: object) -> None:
    body = json.dumps(row).encode()
    with pytest.raises(ValueError, match=r"^no "):
        Point.of(row)
    with pytest.raises(ValueError, match=r"^no "):
        Point.unpack(body)
    with pytest.raises(ValueError, match=r"^no "):
        Point.unpack_all(b"[[1,2]," + body + b"]")


def test_an_inner_row_is_checked_too() -> None:
    with pytest.raises(ValueError, match="no whole number"):
        Way.of(["there", [1, 2], [[3, 4], [5, "6"]]])


def test_many_are_a_list() -> None:
    with pytest.raises(ValueError, match="no list"):
        Point.unpack_all(b"{}")


def test_equal_are_those_of_one_kind_with_the_same_values() -> None:
    assert Point(1, 2) == Point(1, 2)
    assert Point(1, 2) != Point(1, 3)
    assert Point(1, 2) != Other(1, 2)
    assert Point(1, 2) != [1, 2]
    assert Way("there", Point(1, 2), [Point(3, 4), Point(5, 6)]) == WAY
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1, 2))


def test_a_record_shows_its_name_and_values() -> None:
    assert repr(WAY) == "Way('there', [1, 2], [[3, 4], [5, 6]])"


def test_a_name_that_it_does_not_have() -> None:
    with pytest.raises(AttributeError):
        Point(1, 2).z = 3  # type: ignore[attr-defined]


def test_how_long_texts_may_be() -> None:
    assert (NAME, TOLD) == (512, 4096)
    for check, most in ((name, 512), (told, 4096)):
        assert check("x" * most) == "x" * most
        with pytest.raises(ValueError, match="no text"):
            check("x" * (most + 1))
        with pytest.raises(ValueError, match="no text"):
            check(b"x")


def test_ranks_and_nodes() -> None:
    assert (rank(0), rank(7), node(-1), node(0)) == (0, 7, -1, 0)
    for check, below in ((rank, -1), (node, -2)):
        for value in (below, 1 << 31, True, "1", 1.0, None):
            with pytest.raises(ValueError, match="no whole number"):
                check(value)
