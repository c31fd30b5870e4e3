"""How far a boot is: what is counted for which event, and the line that says so."""

from __future__ import annotations

import pytest

from mpboot.cli.counts import MOST_NAMED, Counts
from tests.cli.fakes import failed, up


def test_a_host_that_is_lost_after_it_was_up() -> None:
    counts = Counts(1)
    counts.launches = 1
    counts.changed("a", up(), False)
    counts.changed("a", failed("lost"), True)
    assert (counts.up, counts.failed, counts.launching) == (0, 1, 0)


def test_a_host_that_comes_up_again() -> None:
    counts = Counts(2)
    counts.launches = 2
    counts.changed("a", up(), False)
    counts.changed("a", up(), True)
    assert (counts.up, counts.failed) == (1, 0)


def test_launching() -> None:
    counts = Counts(5)
    counts.launches = 4
    assert counts.launching == 4
    counts.changed("a", up(), False)
    counts.changed("b", failed(), False)
    assert counts.launching == 1


def test_no_more_are_launching_than_are_left() -> None:
    counts = Counts(2)
    counts.launches = 9
    assert counts.launching == 2
    counts.changed("a", up(), False)
    assert counts.launching == 1


def test_never_fewer_than_none() -> None:
    counts = Counts(3)
    counts.changed("a", failed(), False)
    assert counts.launching == 0


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("", "a failed: auth"),
        ("denied", "a failed: auth: denied"),
        ("banner\n\n  last words  \n\n", "a failed: auth: last words"),
        ("\x1b[31mred", "a failed: auth: \\x1b[31mred"),
    ],
)
def test_the_last_failure_in_a_line(detail: str, said: str) -> None:
    counts = Counts(1)
    counts.changed("a", failed(detail=detail), False)
    assert counts.last_failure == said


def test_the_line() -> None:
    counts = Counts(9, command=True)
    counts.launches, counts.seconds = 4, 1.26
    counts.changed("a", up(), False)
    assert counts.line() == "1 of 9 up, 3 launching, 1.3 s"
    counts.changed("b", failed(), False)
    assert counts.line() == "1 of 9 up, 1 launching, 1 failed, 1.3 s"
    counts.booted, counts.ended = True, 1
    assert counts.line() == "1 of 9 up, the command has ended on 1, 1 failed, 1.3 s"
    counts.ending = "interrupted, ending"
    assert counts.line() == "1 of 9 up, the command has ended on 1, 1 failed, 1.3 s, interrupted, ending"


def test_a_booted_tree_without_a_command_has_no_ends_to_tell() -> None:
    counts = Counts(1)
    counts.booted = True
    assert counts.line() == "0 of 1 up, 0 launching, 0.0 s"


def test_who_is_slow_is_named() -> None:
    counts = Counts(4)
    counts.slow.update(("n1", "n2", "n9"))
    assert counts.line() == "0 of 4 up, 0 launching, slow: n[1-2,9], 0.0 s"
    counts.changed("n9", failed("lost"), True)
    assert counts.who_is_slow() == "slow: n[1-2]"
    counts.slow.update(letter * 9 for letter in "abcdefgh")
    assert counts.who_is_slow() == f"slow: {'aaaaaaaaa,bbbbbbbbb,ccccccccc,ddddddddd,eeeeeeeee'[:MOST_NAMED]}…"
