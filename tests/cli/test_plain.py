"""Plain lines: when one is due, and which failures have one of their own."""

from __future__ import annotations

from mpboot.cli.counts import Counts
from mpboot.cli.plain import PlainLines
from tests.cli.fakes import failed, launching, look, up


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
    for now, name in enumerate(("launches", "up", "failed", "booted", "ended"), 1):
        counts.command = name in ("booted", "ended")
        setattr(counts, name, 1)
        assert plain.line(counts, now) == counts.line(), name


def test_what_is_not_shown_is_no_news() -> None:
    plain, counts = PlainLines(0.0), Counts(1)
    counts.launches = 1
    assert plain.line(counts, 1.0) == "0 of 1 up, 1 launching, 0.0 s"
    counts.launches = 2  # one host, tried again
    assert plain.line(counts, 2.0) == ""


def told(plain: PlainLines, counts: Counts, until: int) -> list[int]:
    """At which seconds there is a line, where nothing happens."""
    return [now for now in range(until + 1) if plain.line(counts, float(now))]


def test_a_line_where_nothing_is_new_for_long() -> None:
    assert told(PlainLines(0.0), Counts(3), 17) == [1, 6, 11, 16]


def test_the_longer_a_command_runs_the_rarer_is_a_line() -> None:
    counts = Counts(3, command=True)
    counts.booted = True
    assert told(PlainLines(0.0), counts, 200) == [1, 11, 31, 71, 131, 191]


def test_such_a_line_says_what_is_waited_for() -> None:
    plain, counts = PlainLines(0.0), Counts(2, command=True)
    assert plain.line(counts, 1.0) == counts.line()
    counts.looked(look(launching("h1", attempt=2, seconds=9.0, left=3.0)))
    assert plain.line(counts, 6.0).endswith("0.0 s; longest: h1, attempt 2, handshake, 9 s, gives up in 3 s")
    for host in ("h1", "h2"):
        report = up()
        report.begun = True
        counts.changed(host, report, False)
    counts.booted = True
    assert plain.line(counts, 7.0) == "2 of 2 up, the command has ended on 0, 0.0 s"
    counts.exited("h1", 0)
    assert plain.line(counts, 8.0) == "2 of 2 up, the command has ended on 1, 0.0 s"
    assert plain.line(counts, 18.0) == "2 of 2 up, the command has ended on 1, 0.0 s; it runs on h2"


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
