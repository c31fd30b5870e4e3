"""A short piece of what `tools/chaos sessions` does a hundred times."""

from __future__ import annotations

import pytest
from sessionchaos.main import run

pytestmark = pytest.mark.timeout(90)


@pytest.mark.parametrize(("seed", "end"), [(1, "kill-daemon"), (4, "kill-root"), (10, "halt-under-jobs")])
def test_a_little_chaos_in_a_session(seed: int, end: str) -> None:
    assert run(seed, hosts=12).endswith(end)


@pytest.mark.sshd
@pytest.mark.cluster
def test_a_little_chaos_over_a_real_ssh() -> None:
    assert run(1, hosts=12, ssh=True).endswith("kill-daemon")
