"""The lines at the end of a boot that is to be kept."""

from __future__ import annotations

import pytest

from mpboot.cli.telling import after_boot
from mpboot.head.report import BootReport
from mpboot.tree import causes

BY_DEADLINE = "the deadline ended the boot, so no session is kept: --timeout gives up slow hosts one by one"


@pytest.mark.parametrize(
    ("ended_by", "lines"),
    [
        ("", ["no host is up: session s has ended"]),
        (
            causes.DEADLINE,
            ["the deadline ended the boot, so no session is kept: --timeout gives up slow hosts one by one"],
        ),
        (causes.INTERRUPTED, []),
    ],
)
def test_none_is_kept(ended_by: str, lines: list[str]) -> None:
    report = BootReport.__new__(BootReport)
    report.ended_by = ended_by
    assert after_boot("s", False, report, False) == lines
    assert after_boot("s", False, report, True) == lines


def test_one_is_kept() -> None:
    report = BootReport.__new__(BootReport)
    first = after_boot("s", True, report, False)[0]
    assert first == "session s is kept: mpboot exec --name s -- COMMAND runs one, mpboot halt --name s ends it"
    assert after_boot("s", True, report, True) == []
