"""The manual pages: as the texts of today have them, understood by what shows them, and installed with the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import COMMANDS
from tests.support.run_mpboot import environment

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "manpages"
PAGES = sorted((ROOT / "docs" / "man").glob("*.1"))


def run(*argv: object, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False, env=environment(), **more)


def test_they_are_of_today() -> None:
    done = run(sys.executable, TOOL, "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_there_is_one_for_each_command() -> None:
    assert [path.name for path in PAGES] == sorted(["mpboot.1", *(f"mpboot-{name}.1" for name in COMMANDS)])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "viewer",
    [
        ("man", "--warnings", "-E", "UTF-8", "-P", "cat", "-l"),
        ("groff", "-man", "-ww", "-z"),
        ("mandoc", "-Tlint", "-Wwarning"),
    ],
    ids=lambda words: words[0],
)
def test_it_is_shown_without_a_warning(viewer: tuple[str, ...], path: Path) -> None:
    if shutil.which(viewer[0]) is None:
        pytest.skip(f"{viewer[0]} is not installed")
    done = run(*viewer, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert viewer[0] == "man" or done.stdout == ""


def test_a_page_has_what_help_has() -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    shown = run("man", "-P", "cat", "-l", ROOT / "docs" / "man" / "mpboot-exec.1").stdout
    for text in ("--command-timeout", "MPBOOT_COMMAND_TIMEOUT", "EXIT STATUS", "255", "sh -c 'uname -a | wc -l'"):
        assert text in shown


def test_what_is_not_of_today_is_named_and_made(tmp_path: Path) -> None:
    done = run(sys.executable, TOOL, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in PAGES]
    assert all((tmp_path / path.name).read_bytes() == path.read_bytes() for path in PAGES)
    (tmp_path / "mpboot-old.1").write_text("")
    (tmp_path / "mpboot-exec.1").write_text("")
    assert run(sys.executable, TOOL, tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in PAGES]


def test_its_own_help_needs_nothing() -> None:
    done = run(sys.executable, "-S", "-I", TOOL, "--help")
    assert done.returncode == 0
    assert "usage: tools/manpages" in done.stdout
    done = run(sys.executable, "-S", "-I", TOOL)
    assert done.returncode == 2
    assert "run it with .venv/bin/python" in done.stderr


@pytest.mark.long
def test_a_wheel_has_them(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("mpboot", "docs/man"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", "out", ".", cwd=tmp_path)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("there is no setuptools to be had")
    assert done.returncode == 0, done.stderr[-2000:]
    wheel = next((tmp_path / "out").glob("*.whl"))
    names = {name.partition(".data/data/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    assert {f"share/man/man1/{path.name}" for path in PAGES} <= names
