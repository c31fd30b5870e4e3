"""A host on which logins hang: the report says that shells stay there; what it says to type ends them, and no agent."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from mpboot.head.report import CLEAR
from tests.support.cluster import Cluster, account, need_programs, wait_for
from tests.support.run_mpboot import MPBOOT
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.sshd]
WAIT = "sleep 4711"  # of the login file
RUN = "sleep 4712"  # of a command that runs there


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    need_programs("bash", "pgrep", "pkill", "xargs")
    with Cluster(3, mode="ssh") as made:
        for host in made.names[:2]:
            account(made, host, "bash", {".bash_profile": WAIT + "\n"})
        yield made


def running(cluster: Cluster, host: str) -> list[str]:
    return [" ".join(process.command) for process in cluster.processes(host) if process.state != "Z"]


@pytest.mark.long
def test_shells_that_stay_are_told_and_can_be_ended(cluster: Cluster) -> None:
    host, *_ = cluster.names
    words = [*MPBOOT, "--hosts", host, "--shell-probe", "none", "--quiet", "--", *RUN.split()]
    with cluster.popen("head", words, stdout=subprocess.DEVNULL) as other:
        wait_for(cluster, host, RUN)
        before = len(running(cluster, host))
        done = cluster.run("head", [*MPBOOT, str(cluster.hostfile), "--timeout", "3", "--retries", "1"])
        assert done.returncode == 1
        lines = done.stderr.splitlines()
        assert lines[lines.index(f"mpboot: {CLEAR}") - 1].startswith("mpboot: h[001-002]: a login shell may hang there")
        assert running(cluster, host).count(WAIT) == 2, "one for each attempt"
        cleared = cluster.run("head", ["ssh", "-n", host, CLEAR])
        assert (cleared.returncode, cleared.stdout, cleared.stderr) == (0, "", "")
        until(lambda: len(running(cluster, host)) == before, 5.0, lambda: f"left: {running(cluster, host)}")
        assert RUN in running(cluster, host), "an agent, and its command, are no login shells"
        assert WAIT not in running(cluster, host)
        again = cluster.run("head", ["ssh", "-n", host, CLEAR])
        assert (again.returncode, again.stdout, again.stderr) == (0, "", ""), "nothing to end is no error"
        other.terminate()
