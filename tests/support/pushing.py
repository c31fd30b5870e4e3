"""What a push has left, and what it has said of each host."""

from __future__ import annotations

import json
from pathlib import Path


def left_over(path: Path) -> list[Path]:
    """Files that are not complete."""
    return [one for one in path.rglob("*") if "mpboot-" in one.name]


def outcomes(tmp_path: Path) -> dict[str, dict[str, str]]:
    return dict(json.loads((tmp_path / "report").read_text())["hosts"])
