"""What the head's user has set for ssh, with real ssh and sshd: who launches whom, as whom, and what is read of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from clusterlib import faults
from clusterlib.services import find

from tests.support.chaos import Boot
from tests.support.cluster import USER, Cluster, configured, sshd

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
        with made.popen("head", command) as process:
            made.run("head", ["sh", "-c", "until ssh localhost true; do sleep 0.1; done"])
            try:
                yield made
            finally:
                process.terminate()


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


ALIASES = """
Host one
    HostName h001
Host two thr*
    User {user}
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
    with configured(cluster, ALIASES.format(user=USER)), sshd(cluster, "h002", 2222):
        made = boot(cluster, "one,two,three,keyed,here,h003,h004")
    found = parents(made)
    assert len(found) == 7
    assert found["two"] not in ("head", "two")
    assert {name for name, parent in found.items() if parent == "head"} >= {"three", "keyed", "here"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can have a file that is another user's")
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


OLD = (
    "Host old\n  HostName h002\n  Port 2300\n  KexAlgorithms +diffie-hellman-group14-sha1\nHost few\n  HostName h002\n"
)


@pytest.mark.parametrize("hosts", ["old,few,h001", "h001,few,old"])
def test_a_key_exchange_of_an_old_hosts_own_is_left_to_it(cluster: Cluster, hosts: str) -> None:
    old, few = "KexAlgorithms=diffie-hellman-group14-sha1", "KexAlgorithms=diffie-hellman-group14-sha256"
    with (
        configured(cluster, OLD + "  Port 2301\n"), sshd(cluster, "h002", 2300, old),
        sshd(cluster, "h002", 2301, few),
    ):  # fmt: skip
        assert boot(cluster, hosts, "--topology", "flat").causes() == {}


BANNER = "Connection refused. Host key verification failed. Permission denied to strangers.\n"
OWN = {
    "quiet": "LogLevel QUIET", "fatal": "LogLevel FATAL", "error": "LogLevel ERROR", "verbose": "LogLevel VERBOSE",
    "debug": "LogLevel DEBUG3", "picture": "VisualHostKey yes", "command": "RemoteCommand echo its own",
    "terminal": "RequestTTY force", "none": "SessionType none", "deaf": "StdinNull yes",
    "background": "ForkAfterAuthentication yes",
}  # fmt: skip


@pytest.mark.parametrize(
    ("own", "rsh"),
    [*((text, "ssh") for text in OWN.values()),
     *(("", rsh) for rsh in ("ssh -q", "ssh -v", "ssh -vv", "ssh -vvv", "ssh -o LogLevel=QUIET", "ssh -qnE /dev/null")),
     ("", "ssh {host} env A=b"), ("LogLevel QUIET", f"ssh -vvv {{user}}{USER}@{{host}}")],
    ids=str,
)  # fmt: skip
def test_causes_are_told_right_whatever_is_set(cluster: Cluster, own: str, rsh: str) -> None:
    banner = cluster.state.parent / "banner"
    banner.write_text(BANNER)
    config = f"Host locked\n  HostName h003\n  Port 2302\nHost closed\n  HostName h003\n  Port 1\nHost *\n  {own}\n"
    if not own:
        config = config.replace("Host *\n", "")
    options = (f"Banner={banner}", "AuthorizedKeysFile=none")
    with configured(cluster, config), sshd(cluster, "h003", 2302, *options):
        made = boot(cluster, "locked,closed,nosuch,h001", "--topology", "flat", "--rsh", rsh)
    assert made.causes() == {"locked": "auth", "closed": "refused", "nosuch": "resolve"}, made.text
    assert "Permission denied (" in made.hosts["locked"]["detail"]
    assert made.up() == {"h001"}
