"""What the head's user has set for ssh, with real ssh and sshd: who launches whom, as whom, and what is read of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from clusterlib import faults
from clusterlib.services import find

from tests.support.chaos import Boot
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Hosts, and an sshd on the head as well."""
    with Cluster(4, mode="ssh") as made:
        made.state.parent.chmod(0o755)  # for others than root
        empty = made.state.parent / "empty"
        empty.mkdir()
        for name in made.names:
            faults.set_fault(made.state, name, "home", str(empty))  # what stands in ~/.ssh is the head's alone
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


@contextlib.contextmanager
def configured(cluster: Cluster, text: str) -> Iterator[None]:
    """The head's user has this in ~/.ssh/config."""
    path = cluster.home / ".ssh" / "config"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    yield
    path.unlink()


def parents(made: Boot) -> dict[str, str]:
    """Who launched each host that is up."""
    return {name: host["parent"] for name, host in made.hosts.items() if host["state"] == "up"}


def test_localhost_is_the_heads_whoever_else_is_up(cluster: Cluster) -> None:
    made = boot(cluster, "h001,localhost,127.0.0.1,h002,127.1")
    head = dict.fromkeys(["localhost", "127.0.0.1", "127.1"], "head")
    assert parents(made).items() >= {**head, "h001": "head"}.items()
    assert parents(made)["h002"] != "head"


ALIASES = """
Host one
    HostName h001
Host two thr*
    User root
Host two
    HostName h002
    Port 2222
Host three
    HostName h003
    ProxyJump h001
Host keyed
    HostName h004
    IdentityFile ~/.ssh/another
Host here
    HostName localhost
"""


def test_names_that_the_heads_ssh_alone_knows_are_reached_as_it_would(cluster: Cluster) -> None:
    with configured(cluster, ALIASES):
        config = str(cluster.state / "ssh" / "sshd_config")
        with cluster.popen("h002", [find("sshd"), "-D", "-f", config, "-p", "2222"]) as sshd:
            cluster.run("head", ["sh", "-c", "until ssh two true; do sleep 0.1; done"])
            made = boot(cluster, "one,two,three,keyed,here,h003,h004")
            sshd.terminate()
    found = parents(made)
    assert len(found) == 7
    assert found["two"] not in ("head", "two")
    assert {name for name, parent in found.items() if parent == "head"} >= {"three", "keyed", "here"}


def test_whoever_launches_it_a_host_is_logged_in_to_as_the_heads_user(cluster: Cluster) -> None:
    passwd = cluster.state / "mounts" / "h001.passwd"
    with passwd.open("a") as file:
        file.write(f"joe:*:1234:1234::{cluster.state.parent / 'empty'}:/bin/sh\n")
    key = cluster.state / "ssh" / "client_key"
    os.chown(key, 1234, -1)
    for path in (cluster.state, key.parent, key.with_name("authorized_keys"), key.with_name("known_hosts")):
        path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else 0o644)
    try:
        with Boot(
            cluster, "--hosts", "joe@h001,h002", "--topology", "ring", "--retries", 0, hostfile="--quiet",
            command=["id", "-un"],
        ) as made:  # fmt: skip
            made.end()
    finally:
        os.chown(key, os.getuid(), -1)
    assert parents(made) == {"h001": "head", "h002": "h001"}, made.text
    assert {"h001: joe", "h002: root"} <= set(made.text.splitlines())
