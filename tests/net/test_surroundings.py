"""The environment that a process was started with, in real processes with and without a locale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mpboot
from mpboot.net import surroundings

CODE = """import os, sys; sys.path.insert(0, sys.argv[1])
from mpboot.net.surroundings import environment
pid = os.fork()
if not pid:
    print(environment(os.environb).get(b"LC_CTYPE"), environment({b"A": b"b"}))
    sys.exit()
os.waitpid(pid, 0)
"""


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, None),
        ({"LC_CTYPE": "C.UTF-8"}, b"C.UTF-8"),
        ({"XLC_CTYPE": "1"}, None),
        ({"LC_CTYPE": "fr_FR", "LC_ALL": "C"}, b"fr_FR"),
    ],
)
def test_what_python_added_is_not_kept(given: dict[str, str], kept: bytes | None) -> None:
    """…and what there was stays, also in what is forked."""
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CODE, str(Path(mpboot.__file__).parents[1])],
        env={"A": "b", **given}, capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    assert run.stdout == f"{kept!r} {{b'A': b'b'}}\n"


def test_where_nobody_can_tell_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setitem(vars(surroundings), "open", refuse)
    assert surroundings.environment({b"LC_CTYPE": b"C.utf8"}) == {b"LC_CTYPE": b"C.utf8"}
