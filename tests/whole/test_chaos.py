"""A short piece of what `tools/chaos` does a hundred times."""

from __future__ import annotations

import pytest
from chaoslib import Chaos

from tests.support.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]


@pytest.mark.long
@pytest.mark.parametrize(("seed", "root"), [(1, False), (6, False), (11, True)])
def test_a_little_chaos(seed: int, root: bool) -> None:
    with Cluster(16, latency=0.3) as few:
        assert " up " in Chaos(few, root).run(seed)
