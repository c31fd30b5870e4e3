"""Ctrl-C, TERM and HUP while the command's modules load: it ends by 130, 143 or 129, and shows no traceback."""

from __future__ import annotations

import signal
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
            os.kill(os.getpid(), {number})

at = int(sys.argv.pop(1))
sys.argv[0] = "mpboot"
signal.signal(signal.SIGINT, {handler})
sys.meta_path.insert(0, Finder())
entry.main()
"""


def run(at: int, handler: str, number: int = signal.SIGINT) -> subprocess.CompletedProcess[str]:
    """Run the command, to which a signal comes at its import of this number; ``handler``: SIGINT's before."""
    words = ["--hosts", "a", "--rsh", "sh -c 'sleep 1'", "--retries", "0", "--quiet"]
    code = CODE.replace("{handler}", handler).replace("{number}", f"{number:d}")
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


UNHEARD = """
import os, sys
import mpboot.__main__ as entry
import mpboot.cli.main as cli
from mpboot.head.signals import heeded_early

class Dying:
    def __del__(self):
        os.kill(os.getpid(), {number})

def run():
    with heeded_early():
        Dying()
        print("went on")

cli.main = run
entry.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_where_python_lets_no_exception_out(number: signal.Signals) -> None:
    """It prints "Exception ignored in", a traceback, and goes on: modules that load have such places."""
    done = subprocess.run(
        [sys.executable, "-c", UNHEARD.format(number=int(number))],
        capture_output=True, text=True, env=environment(), timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("at", [1, 20, 80])
def test_other_signals_while_modules_load(at: int, number: signal.Signals) -> None:
    done = run(at, "signal.default_int_handler", number)
    assert (done.returncode, done.stdout, done.stderr) == (-number, "", ""), "as a shell has it: 128 and the number"


def imported(argv: str) -> subprocess.CompletedProcess[str]:
    """SIGINT comes right behind the import of the command's module, in a program that was started as ``argv``."""
    code = f"import os, sys; sys.argv[0] = {argv!r}; import mpboot.__main__; os.kill(os.getpid(), 2); print('on')"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=30, check=False
    )


def test_before_the_script_calls_main() -> None:
    done = imported("/usr/local/bin/mpboot")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_signals_of_another_program_are_its_own() -> None:
    assert "KeyboardInterrupt" in imported("/usr/bin/pydoc").stderr


def test_the_library_loads_nothing_before_it_is_needed() -> None:
    code = "import sys; before = set(sys.modules); import mpboot; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout == "['mpboot']\n", "meanwhile Ctrl-C is a traceback"


def test_what_is_ignored_stays_ignored_while_modules_load() -> None:
    assert run(10, "signal.SIG_IGN").returncode == 1
