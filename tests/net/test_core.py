"""Cores: none of a process that knows keys, and what it starts may leave one if the user's limit lets it."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

UNLIMITED = resource.RLIM_INFINITY
CODE = """
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


@pytest.mark.parametrize(
    ("soft", "hard", "none"),
    [(0, 0, 0), (0, UNLIMITED, 1), (UNLIMITED, UNLIMITED, 1), (1 << 20, 1 << 30, 1), (1, 1, 1), (0, 1, 1)],
)
def test_the_limit(soft: int, hard: int, none: int) -> None:
    """The hard limit stays, or the soft one could not come back. A program gets the core even where that is 0."""
    if hard > resource.getrlimit(resource.RLIMIT_CORE)[1] >= 0:
        pytest.skip("the hard limit is lower here")
    argv = [sys.executable, "-c", CODE, str(soft), str(hard)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    first, limits, last = done.stdout.splitlines()
    assert (first, last) == ("True", "True"), done.stderr
    assert limits == f"{none} {hard}"
