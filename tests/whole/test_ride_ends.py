"""Programs that ride and end badly, by themselves or with a host: nobody waits for ever, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.cluster import need_programs, wait_for
from tests.support.riding import Riding, riding
from tests.support.waiting import until

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(120)]

FIRM = ["--allow-run-as-root"] if not os.getuid() else []
STARTERS = {
    "mpiexec.openmpi": ["mpiexec.openmpi", *FIRM, "--map-by", "node", "-n", "4", "--hostfile"],
    "mpiexec.hydra": ["mpiexec.hydra", "-n", "4", "-f"],
}


@pytest.fixture
def ride() -> Iterator[Riding]:
    """Four hosts whose sshds are stopped, and what rides a session of them."""
    with riding(4) as made:
        yield made


def left(ride: Riding) -> list[str]:
    """What runs for a starter on the hosts."""
    found = [" ".join(one.command) for host in ride.hosts for one in ride.cluster.processes(host)]
    return [command for command in found if any(word in command for word in ("orted", "hydra_pmi", "sleep 600"))]


@pytest.mark.parametrize("name", STARTERS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_of_who_started_a_job(ride: Riding, name: str, number: signal.Signals) -> None:
    need_programs(name)
    process = ride.start(*STARTERS[name], ride.cluster.hostfile, "sleep", "600")
    for host in ride.hosts:
        wait_for(ride.cluster, host, "sleep 600")
    (pid,) = [one.pid for one in ride.cluster.processes("head") if one.command[0] == name]
    assert ride.plain("kill", f"-{number.name[3:]}", pid).returncode == 0
    process.wait(30)
    until(lambda: not left(ride), 15.0, lambda: f"left: {left(ride)}")
    until(lambda: ride.mpboot("jobs").stdout == "", 10.0)


def lose(ride: Riding, host: str) -> None:
    """The agent of a host dies."""
    nodes = json.loads(ride.mpboot("nodes", "--json", "-").stdout)["hosts"]
    assert ride.cluster.run(host, ["kill", "-KILL", nodes[host]["pid"]]).returncode == 0


@pytest.mark.parametrize("name", STARTERS)
def test_of_a_host_under_a_job(ride: Riding, name: str) -> None:
    need_programs(name)
    process = ride.start(*STARTERS[name], ride.cluster.hostfile, "sleep", "600")
    for host in ride.hosts:
        wait_for(ride.cluster, host, "sleep 600")
    lose(ride, "h003")
    assert process.wait(30) != 0
    until(lambda: not left(ride), 15.0, lambda: f"left: {left(ride)}")


def test_of_a_host_under_a_copy(ride: Riding) -> None:
    """One that is slow enough to be met in its middle."""
    need_programs("rsync")
    (ride.directory / "large").write_bytes(bytes(50_000_000))
    words = ["rsync", "-W", "--inplace", "--bwlimit=5000", ride.directory / "large", f"h003:{ride.directory}/there"]
    process = ride.start(*words, stderr=subprocess.PIPE)
    until(lambda: (ride.directory / "there").exists() and (ride.directory / "there").stat().st_size > 0, 30.0)
    lose(ride, "h003")
    _, errors = process.communicate(timeout=30)
    assert process.returncode in (10, 12, 255), errors  # whichever it notices first: a write, a read, its ssh's end
    assert "mpboot: h003: lost" in errors
