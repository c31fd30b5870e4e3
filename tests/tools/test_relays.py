"""What tools/relays does: a relay dies in the middle of a push, and the others have all of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cluster import need

TOOL = Path(__file__).resolve().parents[2] / "tools" / "relayslib.py"


@pytest.mark.long
def test_a_relay_that_dies_at_half() -> None:
    need("namespaces")
    done = subprocess.run(
        [sys.executable, str(TOOL), "--runs", "1", "--hosts", "6", "--megabytes", "48"], env={**os.environ},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    first, last = done.stdout.splitlines()
    assert "with h1 killed " in first
    assert last.endswith("; 0 of 1 wrong")
