"""Hosts that only the head can reach, with real ssh and sshd: they are up all the same, and soon."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.chaos import Boot, nothing_left
from tests.support.cluster import Cluster

pytestmark = [
    pytest.mark.sshd,
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.getuid() != 0, reason="only root can have a firewall, or other files in /etc, on a host"),
]

HEAD = "10.77.0.1"
TIMEOUT = 6.0  # seconds of a launch
SILENT = """
import socket
server, held = socket.create_server(("", 2222)), []
print("here", flush=True)
while True:
    held.append(server.accept())
"""
OTHERS = ("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "22", "!", "-s", HEAD)
WAYS = {
    "refuse": [*OTHERS, "-j", "REJECT", "--reject-with", "tcp-reset"],
    "drop": [*OTHERS, "-j", "DROP"],
    "silent": ["iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "22", "!", "-s", HEAD,
               "-j", "REDIRECT", "--to-ports", "2222"],
}  # fmt: skip


@pytest.fixture(params=sorted(WAYS))
def guarded(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Six hosts, of which the last four let nobody in but the head."""
    with Cluster(6, "ssh") as cluster:
        listeners = []
        for name in cluster.names[2:]:
            if request.param == "silent":
                listeners.append(cluster.popen(name, ["python3", "-c", SILENT], stdout=-1))
                assert listeners[-1].stdout is not None
                assert listeners[-1].stdout.readline() == "here\n"
            done = cluster.run(name, WAYS[request.param])
            assert done.returncode == 0, done.stderr
        yield cluster
        for listener in listeners:
            listener.kill()
            listener.communicate()


@pytest.mark.long
@pytest.mark.parametrize("retries", [0, 1])
def test_the_head_has_one_of_the_attempts(guarded: Cluster, retries: int) -> None:
    """The two hosts at the top are given two each, and can launch neither."""
    words = ("--children", 2, "--timeout", TIMEOUT, "--retries", retries)
    with Boot(guarded, *words) as run:
        assert run.end().code == 0, run.text
    assert run.report["up"] == 6
    hosts = run.hosts
    assert {hosts[name]["parent"] for name in guarded.names[2:]} == {"head"}
    assert max(host["up"] for host in hosts.values()) < TIMEOUT + 5.0, "an attempt in vain, and then the head's"
    assert "can't launch other hosts" in run.text


@pytest.fixture
def mute() -> Iterator[Cluster]:
    """Three hosts; nobody answers the first's questions for names, nor are the others in its /etc/hosts."""
    with Cluster(3, "ssh") as cluster:
        yield cluster


def look_up_in(cluster: Cluster, host: str, **files: str) -> None:
    """Have a host read these files of /etc instead of its own."""
    place = cluster.state.parent / f"{host}.etc"
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text)
        done = cluster.run(host, ["nsenter", "-t", "1", "-m", "mount", "--bind", place / name, f"/etc/{name}"])
        assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_a_name_that_means_the_parent_itself_there(mute: Cluster) -> None:
    """As in an /etc/hosts that was copied: no command runs twice on one host, and on another not at all."""
    look_up_in(mute, "h001", hosts="127.0.0.1 localhost\n127.0.1.1 h002 h003\n10.77.0.1 head\n")
    with Boot(mute, "--topology", "ring", "--timeout", TIMEOUT, command=["uname", "-n"]) as run:
        assert run.end().code == 0, run.text
    assert {line for line in run.text.splitlines() if line.startswith("h00")} == {
        f"{name}: {name}" for name in mute.names
    }
    assert run.report["up"] == 3
    assert run.hosts["h002"]["parent"] == "head"
    nothing_left(mute)


def ask_nobody(cluster: Cluster, host: str) -> None:
    """Its name server is the last host, which takes no notice."""
    server = "nameserver 10.77.1.3\noptions timeout:30 attempts:1\n"
    look_up_in(cluster, host, **{"resolv.conf": server, "hosts": "127.0.0.1 localhost\n"})
    done = cluster.run(cluster.names[-1], ["iptables", "-A", "INPUT", "-p", "udp", "--dport", "53", "-j", "DROP"])
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.parametrize("wait", [0, 60])
def test_a_parent_without_a_name_server_costs_nobody_a_host(mute: Cluster, wait: int) -> None:
    """Nor a launch's time: neither the one that it tries nor, however long the boot waits, another behind that."""
    ask_nobody(mute, mute.names[0])
    with Boot(mute, "--topology", "ring", "--timeout", 5 * TIMEOUT, "--wait-for", wait) as run:
        assert run.end().code == 0, run.text
    assert run.report["up"] == 3
    assert run.text.count(" resolve: no answer from the name server") == 1
    assert max(host["up"] for host in run.hosts.values()) < 3 * TIMEOUT, "it gave up long before the timeout"


@pytest.mark.long
def test_a_head_without_a_name_server_says_so(mute: Cluster) -> None:
    ask_nobody(mute, "head")
    with Boot(mute, "--timeout", TIMEOUT, "--retries", 0) as run:
        assert run.end().code == 1
    for host in run.hosts.values():
        assert (host["cause"], host["phase"]) == ("resolve", "connect")
        assert "no answer from the name server 10.77.1.3:53" in host["detail"]


@pytest.mark.long
@pytest.mark.parametrize("topology", ["flat", "ring"])
def test_what_passes_is_waited_for(topology: str) -> None:
    """A name that is not yet known, a key that is not yet installed, a host that does not listen yet."""
    with Cluster(4, "ssh") as cluster:
        for host, fault in zip(cluster.names[1:], ("unresolved", "auth", "refuse")):
            cluster.fault(host, fault)
        with Boot(cluster, "--wait-for", 60, "--retries", 0, "--topology", topology) as run:
            run.until(lambda text: all(f" {cause}: " in text for cause in ("resolve", "auth", "refused")), 30.0)
            for host in cluster.names[1:]:
                cluster.fault(host, "none")
            assert run.end().code == 0, run.text
        assert run.report["up"] == 4
        nothing_left(cluster)
