"""tools/demo does what it shows, and leaves no process and no file behind, also when it is interrupted."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

Demo = Callable[..., "subprocess.Popen[str]"]

ROOT = Path(__file__).resolve().parents[2]
GONE = 5.0  # seconds in which everything must have ended


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Starts tools/demo with a directory of its own for temporary files; afterwards nothing may be left."""
    token = f"MPBOOT_TEST={os.urandom(8).hex()}"
    name, value = token.split("=")
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(ROOT / "tools" / "demo"), *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "TMPDIR": str(tmp_path), name: value}, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    assert left(token.encode()) == []
    assert list(tmp_path.iterdir()) == []


def left(token: bytes) -> list[bytes]:
    """Command lines of the processes with the token in their environment that are still there in GONE seconds."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit() or token not in (entry / "environ").read_bytes():
                continue
            fd = os.pidfd_open(int(entry.name))
        except OSError:
            continue
        try:
            if not select.select([fd], [], [], GONE)[0]:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ")[:200])
        finally:
            os.close(fd)
    return found


@pytest.mark.long
def test_demo_shows_three_boots(demo: Demo) -> None:
    process = demo("8")
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 0, said
    assert said.count("\n$ mpboot hosts ") == 3
    for rank in range(8):
        assert f"rank {rank} of 8" in said
    assert "refused" in said
    assert "auth" in said
    left = re.fullmatch(r"What is left is (.*), where it ran: .*", said.splitlines()[-1])
    assert left is not None
    assert (Path(left[1]) / "bin" / "mpboot").exists()


def test_demo_says_what_it_leaves(demo: Demo) -> None:
    said, _ = demo("--help").communicate(timeout=20)
    assert ".venv" in said.partition("What it leaves")[2]


def test_demo_interrupted_leaves_nothing(demo: Demo) -> None:
    process = demo("10")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("$ mpboot hosts --rsh ./trouble-rsh"):
            break
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode in (130, -signal.SIGINT)


def test_demo_that_nobody_reads_any_more_leaves_nothing(demo: Demo) -> None:
    process = demo("4")
    assert process.stdout is not None
    while not process.stdout.readline().startswith("$ mpboot hosts "):
        pass
    process.stdout.close()
    assert process.wait(30) in (141, -signal.SIGPIPE)


@pytest.mark.parametrize("words", [["0"], ["-3"], ["many"], ["100000"]])
def test_demo_refuses_a_number_that_is_none(demo: Demo, words: list[str]) -> None:
    process = demo(*words)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert len(said.splitlines()) == 1


def test_a_picture_without_its_library() -> None:
    """--help tells what it needs; without that a line says what to do."""
    bare = [sys.executable, "-I", "-S", str(ROOT / "tools" / "picture")]
    assert "pyte" in subprocess.run([*bare, "--help"], capture_output=True, text=True, check=True, timeout=30).stdout
    done = subprocess.run(bare, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "tools/picture: no pyte: run it with .venv/bin/python (tools/test makes that)\n"
