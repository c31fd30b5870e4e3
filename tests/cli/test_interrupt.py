"""Ctrl-C while the command's modules load: it ends, by 130, and shows no traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.run_mpboot import environment

CODE = """
import os, signal, sys
import mpboot.__main__ as entry

class Finder:
    count = 0
    def find_spec(self, name, path=None, target=None):
        Finder.count += 1
        if Finder.count == at:
            os.kill(os.getpid(), signal.SIGINT)

at = int(sys.argv.pop(1))
sys.argv[0] = "mpboot"
signal.signal(signal.SIGINT, {handler})
sys.meta_path.insert(0, Finder())
entry.main()
"""


def run(at: int, handler: str) -> subprocess.CompletedProcess[str]:
    """Run the command, to which SIGINT comes at its import of this number."""
    words = ["--hosts", "a", "--rsh", "sh -c 'sleep 1'", "--retries", "0", "--quiet"]
    code = CODE.replace("{handler}", handler)
    return subprocess.run(
        [sys.executable, "-c", code, str(at), *words],
        capture_output=True, text=True, env=environment(), timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("at", [1, 2, 5, 10, 20, 40, 60, 80, 100])
def test_while_modules_load(at: int) -> None:
    done = run(at, "signal.default_int_handler")
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
    assert "KeyboardInterrupt" not in done.stderr


def test_what_is_ignored_stays_ignored_while_modules_load() -> None:
    assert run(10, "signal.SIG_IGN").returncode == 1
