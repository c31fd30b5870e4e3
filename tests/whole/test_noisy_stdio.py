"""A connection through rsh's stdio, and a job of a start-up file that prints into it all the time, by a real sshd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chaos import Boot, nothing_left
from tests.support.cluster import Cluster, account

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(90)]

NOISY, LOUD, QUIET = NAMES = ["h001", "h002", "h003"]
BASHRC = {
    NOISY: "(for i in $(seq 300); do printf 'no line'; echo; echo the job goes on; sleep 0.01; done) &\n",
    LOUD: "(for i in $(seq 200); do head -c 20000 /dev/zero; sleep 0.01; done) &\n",
}
LINES = 4000
COMMAND = ["sh", "-c", f"seq {LINES}; sleep 1; echo at last"]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(len(NAMES), mode="ssh") as made:
        for host, text in BASHRC.items():
            account(made, host, "bash", {".bashrc": text})
        yield made


@pytest.mark.long
@pytest.mark.parametrize("topology", ["flat", "ring"])
def test_noise_between_frames_is_skipped(cluster: Cluster, topology: str) -> None:
    words = ["--transport", "stdio", "--topology", topology, "--retries", 0]
    with Boot(cluster, *words, command=COMMAND) as boot:
        boot.end()
        assert boot.up() == set(NAMES), boot.hosts
        assert boot.code == 0
        for host in NAMES:
            said = [line for line in boot.text.splitlines() if line.startswith(f"{host}: ")]
            assert said == [f"{host}: {number}" for number in range(1, LINES + 1)] + [f"{host}: at last"]
    nothing_left(cluster)
