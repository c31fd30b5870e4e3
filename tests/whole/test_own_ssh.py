"""What the head's user has set for ssh, with real ssh and sshd: who launches whom, as whom, and what is read of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from clusterlib.services import find

from tests.support.chaos import Boot
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Hosts, and an sshd on the head as well."""
    with Cluster(4, mode="ssh") as made:
        config = str(made.state / "ssh" / "sshd_config")
        command = [find("sshd"), "-D", "-f", config, "-p", "2200", "-p", "22"]
        with made.popen("head", command) as sshd:
            made.run("head", ["sh", "-c", "until ssh localhost true; do sleep 0.1; done"])
            yield made
            sshd.terminate()


def boot(cluster: Cluster, hosts: str, *words: Any) -> Boot:
    """A boot to its end; each host in a ring is launched by the one before it, where nothing speaks against that."""
    with Boot(cluster, "--hosts", hosts, "--topology", "ring", *words, "--retries", 0, hostfile="--quiet") as made:
        return made.end()


def parents(made: Boot) -> dict[str, str]:
    """Who launched each host that is up."""
    return {name: host["parent"] for name, host in made.hosts.items() if host["state"] == "up"}


def test_localhost_is_the_heads_whoever_else_is_up(cluster: Cluster) -> None:
    made = boot(cluster, "h001,localhost,127.0.0.1,h002,127.1")
    head = dict.fromkeys(["localhost", "127.0.0.1", "127.1"], "head")
    assert parents(made).items() >= {**head, "h001": "head"}.items()
    assert parents(made)["h002"] != "head"
