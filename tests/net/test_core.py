"""Cores: no key in one of a process that knows keys, and what it starts may leave one as the user has set it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from mpboot.net import core

UNLIMITED = resource.RLIM_INFINITY
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
HARD = resource.getrlimit(resource.RLIMIT_CORE)[1]


def stays_here() -> bool:
    """Is a core a file in the process's working directory?"""
    return CORE_PATTERN.exists() and not {"/", "|"} & set(CORE_PATTERN.read_text())


has_filter = pytest.mark.skipif(not Path(core.FILTER).exists(), reason="a process can't choose here")
WITHOUT_PROC = """
import posix
really = posix.open
def refuse(path, *more):
    if path == "/proc/self/coredump_filter":
        raise FileNotFoundError(path)
    return really(path, *more)
posix.open = refuse
"""
LIMITS = """
import resource, sys
limits = tuple(map(int, sys.argv[1:]))
resource.setrlimit(resource.RLIMIT_CORE, limits)
from mpboot.net import core
print(resource.getrlimit(resource.RLIMIT_CORE) == limits)
core.none()
print(*resource.getrlimit(resource.RLIMIT_CORE))
core.none()
core.as_before()
print(resource.getrlimit(resource.RLIMIT_CORE) == limits)
"""


def run(code: str, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    home = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ["PATH"]}
    argv = [sys.executable, "-c", code, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30, cwd=cwd, env=home)


@pytest.mark.parametrize(
    ("soft", "hard", "none"),
    [(0, 0, 0), (0, UNLIMITED, 1), (UNLIMITED, UNLIMITED, 1), (1 << 20, 1 << 30, 1), (1, 1, 1), (0, 1, 1)],
)
@pytest.mark.parametrize("proc", [pytest.param(True, marks=has_filter), False])
def test_the_limit(soft: int, hard: int, none: int, proc: bool) -> None:
    """It changes only where /proc can't say it. The hard one stays, or the soft one could not come back.

    A program gets the core even where the limit is 0.
    """
    if hard > HARD >= 0:
        pytest.skip("the hard limit is lower here")
    done = run(("" if proc else WITHOUT_PROC) + LIMITS, str(soft), str(hard))
    first, limits, last = done.stdout.splitlines()
    assert (first, last) == ("True", "True"), done.stderr
    assert limits == f"{soft if proc else none} {hard}"


# -- a real core -----------------------------------------------------------------------------------

CRASH = """
import os, resource, signal, sys
resource.setrlimit(resource.RLIMIT_CORE, 2 * (resource.getrlimit(resource.RLIMIT_CORE)[1],))
from mpboot.net import core
for word in sys.argv[1:]:
    getattr(core, word)()
key = os.urandom(16)
kept = [bytes(bytearray(key)) for _ in range(100)]
print(key.hex(), flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.mark.skipif(not stays_here(), reason="cores are not where the process is")
@pytest.mark.skipif(0 <= HARD < 1 << 27, reason="the hard limit is too low")
@pytest.mark.parametrize(
    ("proc", "words", "leaves"),
    [
        pytest.param(True, ("none",), False, marks=has_filter),
        pytest.param(True, ("none", "as_before"), True, marks=has_filter),
        pytest.param(True, ("none", "as_before", "none"), False, marks=has_filter),
        (False, ("none",), False),
        (False, ("none", "as_before"), True),
    ],
)
def test_a_core_has_no_key(proc: bool, words: tuple[str, ...], leaves: bool, tmp_path: Path) -> None:
    done = run(("" if proc else WITHOUT_PROC) + CRASH, *words, cwd=tmp_path)
    assert done.returncode == -11, done.stderr
    cores = list(tmp_path.iterdir())
    assert len(cores) == (proc or leaves)  # one without memory is still a file
    assert any(bytes.fromhex(done.stdout) in path.read_bytes() for path in cores) is leaves


# -- what is started -------------------------------------------------------------------------------

START = """
import os, resource, sys
from mpboot.net import core
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
argv = ["/bin/sh", "-c", "cat /proc/$$/coredump_filter; ulimit -c; ulimit -n"]
core.none()
core.limit(resource.RLIMIT_NOFILE, 99, hard)
core.limit(resource.RLIMIT_NOFILE, 98, hard)
if sys.argv[1] == "spawn":
    core.as_before()
    pid = os.posix_spawn("/bin/sh", argv, os.environ)
    core.none()
else:
    pid = os.fork()
    if not pid:
        core.as_before()
        os.execv("/bin/sh", argv)
os.waitpid(pid, 0)
print(open("/proc/self/coredump_filter").read(), end="")
"""


@has_filter
@pytest.mark.parametrize("way", ["spawn", "fork"])
@pytest.mark.parametrize("mine", ["00000033", "0000007f", "00000000"])
def test_what_is_started_has_what_the_user_has_set(mine: str, way: str) -> None:
    by = "import os,sys\nopen('/proc/self/coredump_filter','w').write(sys.argv.pop(1))\n"
    by += (
        "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))\n"
    )
    by += "resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
    done = run(by + START, "0x" + mine, way)
    assert done.stdout.splitlines() == [mine, "0", "100", "00000000"], done.stderr
