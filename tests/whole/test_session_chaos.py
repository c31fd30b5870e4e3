"""A short piece of what `tools/chaos sessions` does a hundred times."""

from __future__ import annotations

import pytest
from sessionchaos.main import run

pytestmark = pytest.mark.timeout(120)


@pytest.mark.long
@pytest.mark.parametrize(("seed", "end"), [(1, "kill-root"), (15, "halt-under-growth")])
def test_a_little_chaos_in_a_session(seed: int, end: str) -> None:
    assert run(seed, hosts=12, rounds=2).endswith(end)


@pytest.mark.long
@pytest.mark.sshd
@pytest.mark.cluster
def test_a_little_chaos_over_a_real_ssh() -> None:
    assert run(12, hosts=12, ssh=True, rounds=2).endswith("halt")
