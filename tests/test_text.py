"""Text for people and from commands: lines, what may be printed, folded names, tables."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.text import Lines, aligned, fold, named, printable, seconds, shown


@pytest.mark.parametrize(("path", "name"), [("hosts", "hosts"), ("a:b", "a:b"), ("hosts:", "'hosts:'"), ("", "''")])
def test_a_file_in_front_of_a_colon(path: str, name: str) -> None:
    assert named(path) == name


class TestLines:
    def test_of_a_stream_in_pieces(self) -> None:
        lines = Lines()
        assert lines.cut(b"one\ntw") == [(b"one", True)]
        assert lines.cut(b"o") == []
        assert lines.cut(b"\n\nthree") == [(b"two", True), (b"", True)]
        assert lines.rest == b"three"

    def test_one_that_never_ends(self) -> None:
        lines = Lines()
        assert lines.cut(bytes(Lines.LONGEST)) == []
        assert lines.cut(b"x") == [(bytes(Lines.LONGEST), False)]
        assert lines.rest == b"x"
        first = b"x" + b"y" * (Lines.LONGEST - 1)
        assert lines.cut(b"y" * (2 * Lines.LONGEST)) == [(first, False), (b"y" * Lines.LONGEST, False)]
        assert lines.cut(b"\n") == [(b"y", True)]

    @given(st.lists(st.sampled_from([b"", b"\n", b"a", b"b\n", b"c" * 5, b"d" * 5 + b"\n" + b"e" * 9])))
    def test_where_a_long_one_is_cut_does_not_depend_on_how_it_comes(self, pieces: list[bytes]) -> None:
        class Short(Lines):
            LONGEST = 4

        one, other = Short(), Short()
        got = [found for piece in pieces for found in one.cut(piece)]
        assert got == other.cut(b"".join(pieces))
        assert one.rest == other.rest
        assert all(0 < len(line) <= 4 for line, ended in got if not ended)
        assert b"".join(line + b"\n" * ended for line, ended in got) + one.rest == b"".join(pieces)

    @given(st.lists(st.binary(max_size=9)))
    def test_nothing_is_lost(self, pieces: list[bytes]) -> None:
        lines = Lines()
        got = [found for piece in pieces for found in lines.cut(piece)]
        assert b"".join([line + b"\n" for line, _ in got] + [lines.rest]) == b"".join(pieces)


class TestPrintable:
    @pytest.mark.parametrize("text", ["", "plain text", "grüße", "日本"])
    def test_what_can_be_printed_stays(self, text: str) -> None:
        assert printable(text) == text

    @pytest.mark.parametrize(
        ("text", "escaped"),
        [
            ("a\x1b[31mb", "a\\x1b[31mb"),
            ("a\nb\tc", "a\\nb\\tc"),
            ("a\u202eb", "a\\u202eb"),
            ("\udcff", "\\xff"),
            ("\x00", "\\x00"),
        ],
    )
    def test_the_rest_is_escaped(self, text: str, escaped: str) -> None:
        assert printable(text) == escaped

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        assert printable(text).isprintable()


class TestShown:
    def test_is_quoted(self) -> None:
        assert shown("abc") == "'abc'"
        assert shown("\x1b") == "'\\x1b'"

    def test_is_cut(self) -> None:
        assert shown("x" * 60) == "'" + "x" * 60 + "'"
        assert shown("x" * 61) == "'" + "x" * 57 + "...'"
        assert shown("abcdef", 5) == "'ab...'"


class TestFold:
    @pytest.mark.parametrize(
        ("names", "folded"),
        [
            ([], ""),
            (["n1"], "n1"),
            (["n3", "n1", "n2"], "n[1-3]"),
            (["n001", "n003"], "n[001,003]"),
            (["a", "b"], "a,b"),
            (["joe@b:22", "n1", "fe80::1", "n2"], "n[1-2],joe@b:22,fe80::1"),
            (["n[1-3]", "n1"], "n1,n[1-3]"),
            (["@all", "a!b", "x"], "x,@all,a!b"),
        ],
    )
    def test_names(self, names: list[str], folded: str) -> None:
        assert fold(names) == folded

    def test_a_name_that_comes_twice_is_not_lost(self) -> None:
        assert fold(["n1", "n1"]) == "n1,n1"

    def test_of_a_generator(self) -> None:
        assert fold(f"n{number}" for number in range(3)) == "n[0-2]"

    def test_where_there_is_no_clustershell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "ClusterShell.NodeSet", None)
        assert fold(["n1", "n2"]) == "n1,n2"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0 s"),
        (1.25, "1.2 s"),
        (119.9, "119.9 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (9000, "2.5 h"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text
    assert seconds(value, exact=False) == f"<{text}"


class TestAligned:
    def test_columns(self) -> None:
        rows = [["A", "LONG", "LAST"], ["aaa", "b", "c"], ["a", "bb", "a long one"]]
        assert aligned(rows) == ["A    LONG  LAST", "aaa  b     c", "a    bb    a long one"]

    def test_no_space_at_the_end(self) -> None:
        assert aligned([["a", ""], ["bbb", ""]]) == ["a", "bbb"]

    def test_nothing(self) -> None:
        assert aligned([]) == []

    def test_one_column(self) -> None:
        assert aligned([["a"], ["bb"]]) == ["a", "bb"]
