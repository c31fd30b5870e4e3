"""Whole boots of an emulated cluster: real ssh, real rsh, every topology, a command on each host."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpboot.head.boot import Boot
from mpboot.head.observer import Observer
from mpboot.head.options import Options
from mpboot.hosts.sources import parse_hosts_option
from tests.support.chaos import nothing_left
from tests.support.cluster import Cluster

HOSTS = 32
MPBOOT = [sys.executable, "-m", "mpboot"]


def boot(cluster: Cluster, *options: str, timeout: float = 100) -> dict[str, Any]:
    """`mpboot hosts …` on the head; its report, and the exit code and output under other names."""
    target = cluster.state / "report.json"
    done = cluster.run("head", [*MPBOOT, str(cluster.hostfile), "--json", str(target), *options], timeout=timeout)
    report: dict[str, Any] = json.loads(target.read_text())
    target.unlink()
    return {**report, "code": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def children_of(report: dict[str, Any]) -> Counter[str]:
    return Counter(host["parent"] for host in report["hosts"].values())


def check_tree(report: dict[str, Any]) -> None:
    """Every host is up, and one level below its parent."""
    assert (report["code"], report["up"], report["failed"]) == (0, HOSTS, 0), report["stderr"]
    for host in report["hosts"].values():
        parent = report["hosts"].get(host["parent"], {"level": 0, "up": 0.0})
        assert host["level"] == parent["level"] + 1
        assert parent["up"] <= host["launched"] < host["up"] <= report["seconds"]


@pytest.fixture(scope="module")
def ssh() -> Iterator[Cluster]:
    with Cluster(HOSTS, mode="ssh") as cluster:
        yield cluster


@pytest.mark.sshd
class TestRealSsh:
    def test_tree(self, ssh: Cluster) -> None:
        report = boot(ssh, "--children", "4", "--timeout", "30")
        check_tree(report)
        assert report["topology"] == "tree"
        assert {host["level"] for host in report["hosts"].values()} == {1, 2, 3}
        assert max(children_of(report).values()) <= 4
        nothing_left(ssh)

    @pytest.mark.long
    def test_ring(self, ssh: Cluster) -> None:
        report = boot(ssh, "--topology", "ring")
        check_tree(report)
        assert sorted(host["level"] for host in report["hosts"].values()) == list(range(1, HOSTS + 1))

    @pytest.mark.long
    @pytest.mark.parametrize("topology", ["linear", "flat"])
    def test_all_from_the_head(self, ssh: Cluster, topology: str) -> None:
        report = boot(ssh, "--topology", topology)
        check_tree(report)
        assert children_of(report) == {"head": HOSTS}
        if topology == "linear":
            hosts = sorted(report["hosts"].values(), key=lambda host: host["launched"])
            assert all(one["up"] <= other["launched"] for one, other in zip(hosts, hosts[1:]))

    def test_adaptive_is_the_default(self, ssh: Cluster) -> None:
        report = boot(ssh)
        check_tree(report)
        assert report["topology"] == "adaptive"

    def test_command(self, ssh: Cluster) -> None:
        report = boot(ssh, "--", "sh", "-c", "echo $MPBOOT_RANK of $MPBOOT_SIZE on $(hostname)")
        check_tree(report)
        lines = {f"{name}: {rank} of {HOSTS} on {name}" for rank, name in enumerate(ssh.names)}
        assert set(report["stdout"].splitlines()) == lines
        assert all(host["exit"] == 0 for host in report["hosts"].values())

    def test_command_that_fails_on_one_host(self, ssh: Cluster) -> None:
        report = boot(ssh, "--", "sh", "-c", f"[ $(hostname) != {ssh.names[5]} ] || exit 7")
        assert report["code"] == 7
        assert [name for name, host in report["hosts"].items() if host["exit"]] == [ssh.names[5]]

    def test_users_and_the_separate_probe(self, ssh: Cluster) -> None:
        report = boot(ssh, "--shell-probe", "separate", "--children", "3")
        check_tree(report)

    def test_attach(self, ssh: Cluster) -> None:
        check_tree(boot(ssh, "--attach", "--", "true"))
        nothing_left(ssh)


@pytest.mark.long
@pytest.mark.rsh
def test_real_rsh() -> None:
    with Cluster(HOSTS, mode="rsh") as cluster:
        report = boot(cluster, "--rsh", "rsh", "--children", "4")
        check_tree(report)
        assert max(children_of(report).values()) <= 4
        nothing_left(cluster)
        options = ("-w", f"nobody-{os.getpid()}@{cluster.names[0]}", "--rsh", "rsh", "--retries", 0)
        run = cluster.run("head", [*MPBOOT, *options])
        advised = [line for line in run.stderr.splitlines() if line.startswith("    -> ")]
        assert (run.returncode, advised[1:]) == (1, ["    -> more: mpboot explain rsh-failed"])
        assert ".rhosts" in advised[0] or "rsh HOST true" in advised[0]
        assert "ssh" not in advised[0]


@pytest.mark.cluster
class TestConnectionsBack:
    def test_a_head_whose_name_is_loopback(self) -> None:
        with Cluster(4) as cluster:
            name = cluster.run("head", ["getent", "hosts", "head"]).stdout
            assert name.startswith("127.")
            assert boot(cluster, "--transport", "tcp")["up"] == 4

    @pytest.mark.long
    def test_stdio_carries_the_boot_where_they_are_blocked(self) -> None:
        with Cluster(HOSTS) as cluster:
            for name in cluster.names:
                cluster.fault(name, "callback", "drop")
            report = boot(cluster, "--children", "4", "--", "hostname")
            check_tree(report)
            assert sorted(report["stdout"].splitlines()) == [f"{name}: {name}" for name in cluster.names]
            nothing_left(cluster)

    def test_tcp_alone_names_the_cause(self) -> None:
        with Cluster(2) as cluster:
            cluster.fault(cluster.names[1], "callback", "reject")
            report = boot(cluster, "--transport", "tcp", "--retries", "0")
            assert report["hosts"][cluster.names[0]]["state"] == "up"
            assert report["hosts"][cluster.names[1]]["cause"] == "callback-blocked"


class Spy(Observer):
    """Looks through every process's command line and environment while commands run."""

    def __init__(self, secrets: list[bytes]) -> None:
        self.secrets = secrets
        self.looked = 0
        self.seen: list[str] = []

    def output(self, host: str, stream: int, line: bytes) -> None:  # noqa: ARG002
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            for file in (place, place.with_name("environ")):
                try:
                    text = file.read_bytes()
                except OSError:
                    continue
                self.looked += 1
                self.seen += [str(file) for secret in self.secrets if secret in text]


def test_nothing_shows_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = bytes(range(100, 132))
    monkeypatch.setattr(os, "urandom", lambda count: secret[:count])
    spy = Spy([secret, secret.hex().encode(), base64.b64encode(secret)])
    # The agents' own urandom is another process's; only the secret is known here.
    options = Options(rsh="local", topology="tree", children=2, command=["sh", "-c", "echo here; sleep 0.3"])
    assert Boot(parse_hosts_option("h[1-6]").hosts, options, spy).run().up == 6
    assert spy.looked > 100
    assert not spy.seen


@pytest.mark.parametrize(("files", "topology", "hosts"), [(256, "flat", 60), (256, "", 60)])
def test_few_descriptors_are_enough(tmp_path: Path, files: int, topology: str, hosts: int) -> None:
    """What does not fit this machine waits until launches have ended, or is launched by others."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}));"
        f"import mpboot; report = mpboot.boot('h[1-{hosts}]', rsh='local', topology='{topology}'); print(report.up)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False,
                          env={**os.environ, "HOME": str(tmp_path)}, timeout=100)  # fmt: skip
    assert done.stdout.strip() == str(hosts), done.stderr
