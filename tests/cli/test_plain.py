"""Plain lines: when one is due, and which failures have one of their own."""

from __future__ import annotations

from mpboot.cli.counts import Counts
from mpboot.cli.plain import PlainLines
from tests.cli.fakes import failed


def test_no_line_before_a_second_has_passed() -> None:
    plain, counts = PlainLines(10.0), Counts(3)
    assert plain.line(counts, 10.99) == ""
    assert plain.line(counts, 11.0) == counts.line()


def test_no_line_where_nothing_is_new() -> None:
    plain, counts = PlainLines(0.0), Counts(3)
    assert plain.line(counts, 1.0) != ""
    counts.seconds = 2.0
    assert plain.line(counts, 2.0) == ""


def test_whatever_is_counted_is_news() -> None:
    plain, counts = PlainLines(0.0), Counts(3)
    for now, name in enumerate(("up", "launches", "failed", "ended", "booted"), 1):
        setattr(counts, name, 1)
        assert plain.line(counts, now) == counts.line()


def test_a_hurry() -> None:
    plain, counts = PlainLines(0.0), Counts(3)
    assert plain.line(counts, 1.0) != ""
    plain.hurry()
    assert plain.line(counts, 1.01) == counts.line()
    assert plain.line(counts, 1.02) == ""


def test_a_line_for_each_of_the_first_failures() -> None:
    plain, counts = PlainLines(0.0), Counts(99)
    lines = []
    for number in range(50):
        counts.changed(f"h{number}", failed(), False)
        lines.append(plain.failure(counts))
    assert lines[0] == "h0 failed: auth: denied"
    assert all(lines[:20])
    assert not any(lines[20:])


def test_none_for_what_fails_by_the_end() -> None:
    plain, counts = PlainLines(0.0), Counts(1)
    counts.ending = "interrupted, ending"
    counts.changed("a", failed("interrupted"), False)
    assert plain.failure(counts) == ""
