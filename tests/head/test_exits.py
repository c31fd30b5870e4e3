"""How commands have ended, and where they run, in lines that leave no host out."""

from __future__ import annotations

import pytest

from mpboot.head.exits import exit_lines, outstanding

NAMES = [f"{'abcdefghij'[number % 10] * 20}-{number * 7}-x{number * 13}" for number in range(900)]


@pytest.mark.parametrize(
    ("ends", "lines"),
    [
        ([], []),
        ([("a", 0, ""), ("b", 0, "")], []),
        ([("n1", 3, ""), ("n2", 0, ""), ("n3", 3, "")], ["exit 3: n[1,3]"]),
        ([("a", None, ""), ("b", 9, ""), ("c", 4, "")], ["exit 4: c", "exit 9: b", "exit unknown: a"]),
        (
            [("a", 1, ""), ("b", 2, ""), ("c", 1, "lost")],
            ["exit 1: a (the command's own)", "exit 1 (lost): c", "exit 2: b (the command's own)"],
        ),
        (
            [("a", 255, "lost"), ("b", 255, ""), ("c", 0, "")],
            ["exit 0: c", "exit 255: b (the command's own)", "exit 255 (lost): a"],
        ),
        ([("a\x1b", 1, "\x07")], ["exit 1 (\\x07): a\\x1b"]),
    ],
)
def test_a_line_a_code(ends: list[tuple[str, int | None, str]], lines: list[str]) -> None:
    assert exit_lines(ends) == lines


def test_no_name_is_left_out() -> None:
    (line,) = exit_lines((name, 3, "") for name in NAMES)
    assert all(name.rpartition("-x")[0] in line for name in NAMES)
    assert len(line) > 20_000
    where = outstanding(NAMES, 0, 900)
    assert all(name.rpartition("-x")[0] in where for name in NAMES)


@pytest.mark.parametrize(
    ("running", "line"),
    [
        ([], "the command has ended on 2 of 5, and runs on no hosts"),
        (["a"], "the command has ended on 2 of 5, and runs on 1 host: a"),
        (["n1", "n2", "x\x1b"], "the command has ended on 2 of 5, and runs on 3 hosts: n[1-2],x\\x1b"),
    ],
)
def test_where_it_runs(running: list[str], line: str) -> None:
    assert outstanding(running, 2, 5) == line
