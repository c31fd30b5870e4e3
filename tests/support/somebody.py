"""A user who may not do everything, and a directory of his."""

from __future__ import annotations

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SOMEBODY = 4321  # a user who is in no file


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory of somebody's; pytest's own are closed to others."""
    made = Path(tempfile.mkdtemp(prefix="placing-"))
    made.chmod(0o777)
    yield made
    for one in made.rglob("*"):
        if one.is_dir():
            one.chmod(0o700)
    shutil.rmtree(made)


def as_somebody(act: Callable[[], None]) -> None:
    """Do it in a process without root's rights; it fails as that does."""
    pid = os.fork()
    if not pid:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(SOMEBODY, SOMEBODY, SOMEBODY)
                os.setresuid(SOMEBODY, SOMEBODY, SOMEBODY)
            act()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
