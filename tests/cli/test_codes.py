"""Exit codes: those that the documentation promises."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from mpboot.cli import codes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mpboot.md"


def test_the_documentation_has_them() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| ([^|;:]*)", PAGE.read_text(), re.MULTILINE))
    assert rows[str(codes.USAGE_CODE)].startswith("wrong usage")
    assert rows[str(codes.UNREAD_CODE)].startswith("nobody reads")


def test_an_output_that_nobody_reads_is_what_a_shell_makes_of_it() -> None:
    assert codes.UNREAD_CODE == 128 + signal.SIGPIPE
