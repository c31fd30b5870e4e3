"""The page of lines that are typed by mistake: each is typed, and prints what stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.run_mpboot import environment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "typing.md"
ROWS = [
    re.split(r" (?<!\\)\| ", line.strip("| "))
    for line in PAGE.read_text().splitlines()
    if line.startswith("| `")
]  # fmt: skip


def bare(cell: str) -> str:
    """What a cell stands for."""
    return cell.strip("`").strip().replace("\\|", "|")


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The directory in which the lines are typed, with the command in PATH."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "mpboot"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mpboot "$@"\n')
    command.chmod(0o755)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "hosts").write_text("node1\nnode2\nnode3\n")
    return tmp_path / "here"


def test_there_are_many() -> None:
    assert len(ROWS) >= 50
    assert all(len(row) == 3 for row in ROWS)
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("typed", "printed", "code"), ROWS, ids=[row[0].strip("`") for row in ROWS])
def test_it_prints_what_stands_there(there: Path, typed: str, printed: str, code: str) -> None:
    run = subprocess.run(
        ["sh", "-c", bare(typed)], cwd=there, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
        env=environment(
            PATH=f"{there.parent / 'bin'}:{os.environ['PATH']}", XDG_RUNTIME_DIR=str(there.parent),
            PYTHONPATH=os.pathsep.join(filter(None, sys.path)),
        ),
    )  # fmt: skip
    assert run.stdout.splitlines() == [bare(line) for line in printed.split("<br>")]
    assert run.returncode == int(code)
    assert all(line.isprintable() for line in run.stdout.splitlines())
