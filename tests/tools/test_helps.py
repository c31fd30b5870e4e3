"""Each tool tells how it is used, without anything installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
PYTHON = [path.name for path in sorted(TOOLS.iterdir()) if path.is_file() and "env python" in path.read_text()[:40]]


@pytest.mark.parametrize("name", PYTHON)
def test_its_help_needs_no_library(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", TOOLS / name, "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"tools/{name}" in done.stdout or f"usage: {name}" in done.stdout
