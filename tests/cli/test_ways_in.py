"""The ways in which the command is started: as a module, as one file, beside names that stand in its way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest

import mpboot
from tests.support.run_mpboot import environment

PACKAGE = Path(mpboot.__file__).parent
VERSION = "9.8.7"  # of the copy, which tells it from the one that is installed


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command as one file; what it needs is found where this Python has it."""
    scratch = tmp_path_factory.mktemp("archive")
    shutil.copytree(PACKAGE, scratch / "app" / "mpboot", ignore=shutil.ignore_patterns("__pycache__"))
    (scratch / "app" / "mpboot" / "_version.py").write_text(f'"""Another."""\n\n__version__ = "{VERSION}"\n')
    zipapp.create_archive(scratch / "app", scratch / "mpboot.pyz", sys.executable, "mpboot.__main__:main")
    return scratch / "mpboot.pyz"


def run(*argv: object, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, argv)], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        env=environment(XDG_RUNTIME_DIR=str(cwd), **more), check=False,
    )  # fmt: skip


def test_one_file_boots(archive: Path) -> None:
    assert run(archive, "--version", cwd=archive.parent).stdout == f"mpboot {VERSION}\n"
    done = run("./mpboot.pyz", "-w", "a,b", "--rsh", "local", "--quiet", "--", "echo", "x", cwd=archive.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == ["a: x", "b: x"]


def test_one_file_explains(archive: Path) -> None:
    done = run(archive, "explain", "auth", cwd=archive.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("auth\n\n")


@pytest.mark.long
def test_one_file_keeps_a_session(archive: Path, tmp_path: Path) -> None:
    relative = os.path.relpath(archive, tmp_path)
    try:
        assert run(sys.executable, relative, "-w", "a,b", "--rsh", "local", "--keep", cwd=tmp_path).returncode == 0
        done = run(sys.executable, relative, "exec", "-b", "--", "echo", "x", cwd=tmp_path)
        assert done.stdout.splitlines()[-1] == "x"
        (tmp_path / "file").write_text("y")
        assert run(sys.executable, relative, "push", "file", tmp_path / "other", cwd=tmp_path).returncode == 0
        assert (tmp_path / "other").read_text() == "y"
    finally:
        done = run(sys.executable, relative, "halt", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_psutil_that_can_not_be_loaded_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "psutil").mkdir()
    (tmp_path / "psutil" / "__init__.py").write_text("from psutil import _psutil_linux\n")
    done = run(sys.executable, "-m", "mpboot", "inspect", cwd=Path.cwd(), PYTHONPATH=str(tmp_path))
    line = f"mpboot: inspect needs psutil, which can't be loaded: install it for {sys.executable}\n"
    assert (done.returncode, done.stderr) == (2, line)
    done = run(sys.executable, "-m", "mpboot", "--show-completion", cwd=Path.cwd(), PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_module_beside_names_that_stand_in_its_way(tmp_path: Path) -> None:
    for name in ("typing.py", "typer.py", "mpboot.py", "signal.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong one')\n")
    (tmp_path / "mpboot.py").unlink()
    done = run(sys.executable, "-m", "mpboot", "-w", "a", "--rsh", "local", "--quiet", "--", "echo", "x",
               cwd=tmp_path)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "a: x\n", "")
