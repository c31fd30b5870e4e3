"""A short piece of what `tools/field` does two hundred times."""

from __future__ import annotations

import os

import pytest
from fieldkinds import KINDS
from fieldlib import run

pytestmark = [
    pytest.mark.sshd, pytest.mark.alone, pytest.mark.timeout(240),
    pytest.mark.skipif(os.getuid() != 0, reason="only root can have a firewall on an emulated host"),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 100])
def test_a_little_of_the_field(seed: int) -> None:
    told = run(seed)
    assert len(set(told.kinds)) == 6
    assert {KINDS[kind].group for kind in told.kinds} >= {"reach", "old", "own"}
