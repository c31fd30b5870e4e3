"""tools/cluster with real services: what ssh says to sshd's hosts and their faults, rsh to in.rshd's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster, wait_for

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def ssh_cluster() -> Iterator[Cluster]:
    with Cluster(4, mode="ssh") as made:
        yield made


def ssh(cluster: Cluster, host: str, command: str = "hostname") -> subprocess.CompletedProcess[str]:
    return cluster.run("head", ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=1", host, command])


@pytest.mark.sshd
class TestSsh:
    def test_from_head_and_from_host_to_host(self, ssh_cluster: Cluster) -> None:
        done = ssh(ssh_cluster, "h001", "hostname; ssh h002 'hostname; echo $SSH_CONNECTION'; exit 3")
        assert done.stdout.split()[:3] == ["h001", "h002", "10.77.1.1"]
        assert done.returncode == 3

    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("auth", "Permission denied"),
            ("host-key", "Host key verification failed"),
            ("sshd-kill", "Connection refused"),
            ("sshd-stop", "timed out"),
            ("blackhole", "timed out"),
            ("refuse", "Connection refused"),
            ("never", "timed out"),
            ("unresolved", "Could not resolve"),
        ],
    )
    def test_faults_are_real(self, ssh_cluster: Cluster, kind: str, said: str) -> None:
        ssh_cluster.fault("h003", kind)
        done = ssh(ssh_cluster, "h003")
        assert (done.returncode, said in done.stderr) == (255, True), done.stderr
        ssh_cluster.fault("h003", "none")
        assert ssh(ssh_cluster, "h003").stdout == "h003\n"

    def test_noisy_and_hanging_shells(self, ssh_cluster: Cluster) -> None:
        ssh_cluster.fault("h004", "noisy")
        done = ssh(ssh_cluster, "h004")
        assert done.stdout.startswith("Welcome")
        assert done.stdout.endswith("\nh004\n")
        ssh_cluster.fault("h004", "none")
        ssh_cluster.fault("h004", "hang")
        running = ssh_cluster.popen("head", ["ssh", "h004", "hostname"], stdout=subprocess.PIPE)
        wait_for(ssh_cluster, "h004", "sleep 1000000000")
        running.kill()
        assert running.communicate()[0] == ""
        ssh_cluster.fault("h004", "none")
        assert ssh(ssh_cluster, "h004").stdout == "h004\n"


@pytest.mark.rsh
def test_real_rsh() -> None:
    with Cluster(3, mode="rsh") as made:
        done = made.run("head", ["rsh", "h001", "hostname; rsh h002 hostname"])
        assert done.stdout == "h001\nh002\n", done.stderr
