"""Deaths in the tree, at moments that hurt: what was done is kept, the rest is done by others, and nothing is left."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from clusterlib import faults

from tests.support.chaos import (
    GONE,
    Boot,
    Held,
    agents,
    below,
    fork_server,
    kill,
    nothing_left,
    root_of,
    stopped_with,
    until,
)
from tests.support.cluster import Cluster

from chaoslib import Chaos  # isort: skip

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]

HOSTS = 14
SILENCE = 4.0  # seconds, instead of ten
TREE = ("--topology", "tree", "--children", 2, "--timeout", 8)
KILL, STOP, CONT = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT
BOTH = pytest.mark.parametrize("number", [KILL, STOP], ids=["kill", "stop"])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(HOSTS, latency=0.5) as made:
        yield made


@pytest.fixture(autouse=True)
def clean(cluster: Cluster) -> Iterator[None]:
    """Whatever a test did to the hosts is undone, and the next finds none of its processes."""
    yield
    for host in cluster.names:
        faults.clear(cluster.state, host)
    for host, processes in cluster.all_processes().items():
        for process in processes:
            kill(cluster, host, process.pid)


def settled(cluster: Cluster, boot: Boot, victims: dict[str, int], but: dict[str, str] | None = None) -> None:
    """The boot has ended, all is up ``but`` those, and nothing is left once the ``victims`` that are stopped go on."""
    boot.check_numbers()
    assert boot.causes() == (but or {})
    nothing_left(cluster, SILENCE + GONE, but=stopped_with(cluster, victims.items()))
    for host, pid in victims.items():
        kill(cluster, host, pid, CONT)
    nothing_left(cluster)


@BOTH
def test_leaf_while_others_are_launched(cluster: Cluster, number: int) -> None:
    faults.set_fault(cluster.state, "h005", "slow", "6")
    leaf = "h006"  # its parent waits for the slow one
    with Boot(cluster, *TREE, silence=SILENCE) as boot:
        boot.until_said(f" {leaf} up\n")
        victim = agents(cluster)[leaf][0]
        kill(cluster, leaf, victim, number)
        boot.end()
        settled(cluster, boot, {leaf: victim})


@BOTH
def test_parent_in_the_middle_of_its_work(cluster: Cluster, number: int) -> None:
    with Boot(cluster, *TREE, silence=SILENCE) as boot:
        boot.until_said(" h001 up\n")
        boot.until(lambda said: said.count(" up\n") >= 4)
        was_up = {line.split()[2] for line in boot.text.splitlines() if line.endswith(" up")} - {"h001"}
        victim = agents(cluster)["h001"][0]
        kill(cluster, "h001", victim, number)
        boot.end()
        assert boot.code == 0
        assert boot.hosts["h001"]["attempts"] == 2
        again = {host for host in was_up if boot.hosts[host]["attempts"] > 1}
        assert not again, "they were up, and were booted once more"
        settled(cluster, boot, {"h001": victim})


def test_parent_dies_while_a_command_runs(cluster: Cluster) -> None:
    held = Held(cluster)
    with Boot(cluster, *TREE, command=held.command) as boot:
        boot.until_said(" runs\n", HOSTS)
        before = agents(cluster)
        kill(cluster, "h001", before["h001"][0])
        boot.until_said(" h001 lost: ")
        until(lambda: not cluster.processes("h001"), 5.0, lambda: "its command runs on")
        assert agents(cluster) == {host: pids for host, pids in before.items() if host != "h001"}
        held.release()
        boot.end()
        assert [report.get("exit") for host, report in boot.hosts.items() if host != "h001"] == [0] * (HOSTS - 1)
        settled(cluster, boot, {}, {"h001": "lost"})


@BOTH
def test_worker_and_rsh(cluster: Cluster, number: int) -> None:
    faults.set_fault(cluster.state, "h001", "slow", "4")
    faults.set_fault(cluster.state, "h002", "slow", "4")
    with Boot(cluster, *TREE, "--timeout", 3, silence=SILENCE) as boot:
        boot.until(lambda said: " h001 started, " in said and " h002 started, " in said)
        server = fork_server(cluster)
        workers = [process.pid for process in below(cluster, "head", server)]
        rsh = {process.command[-2]: process for pid in workers for process in below(cluster, "head", pid)}
        victims = [rsh["h001"].parent, rsh["h002"].pid]
        for pid in victims:
            kill(cluster, "head", pid, number)
        boot.end()
        assert boot.code == 0
        assert [boot.hosts[host]["attempts"] for host in ("h001", "h002")] in ([2, 2], [1, 2])  # a stopped worker: 1
        settled(cluster, boot, {})


@BOTH
def test_fork_server(cluster: Cluster, number: int) -> None:
    """Its workers live on, and another makes those that are still wanted; nobody's launch fails of it."""
    faults.set_fault(cluster.state, "h001", "slow", "8")
    few = ("--hosts", "h[001-003]", "--topology", "linear")
    with Boot(cluster, *few, silence=SILENCE, hostfile="--quiet") as boot:
        boot.until_said(" h001 started, ")
        kill(cluster, "head", fork_server(cluster), number)
        boot.end()
        assert boot.code == 0
        assert {host["attempts"] for host in boot.hosts.values()} == {1}
    with Boot(cluster, "--topology", "flat", silence=SILENCE) as boot:
        kill(cluster, "head", until(lambda: fork_server(cluster), 10.0, lambda: "there is no fork server"), number)
        boot.end()
        assert boot.code == 0
        settled(cluster, boot, {})


def watcher(cluster: Cluster) -> int:
    """The only one of the head's processes that loads psutil beside the front door; 0 as long as there is none."""
    script = "grep -l _psutil_linux /proc/[0-9]*/maps 2>/dev/null | cut -d/ -f3"
    pids = map(int, cluster.run("head", ["sh", "-c", script]).stdout.split())
    return next((pid for pid in pids if pid != root_of(cluster)), 0)


def test_watcher(cluster: Cluster) -> None:
    """Killed, another takes its place; stopped, the workers see to the timeout themselves."""
    faults.set_fault(cluster.state, "h001", "hang")
    with Boot(cluster, "--timeout", 5, "--retries", 0) as boot:
        first = until(lambda: watcher(cluster), 10.0, lambda: "there is no watcher")
        kill(cluster, "head", first)
        kill(cluster, "head", until(lambda: watcher(cluster), 10.0, lambda: "there is no other watcher"), STOP)
        boot.end()
        assert boot.report["seconds"] < 5 + 3
        settled(cluster, boot, {}, {"h001": "shell-hang"})


@pytest.mark.parametrize("whom", ["root", "front door"])
@pytest.mark.parametrize("when", ["booting", "running"])
def test_the_top(cluster: Cluster, whom: str, when: str) -> None:
    held = Held(cluster)
    with Boot(cluster, *TREE, command=held.command) as boot:
        if when == "booting":
            boot.until(lambda said: said.count(" up\n") >= 5)
        else:
            boot.until_said(" runs\n", HOSTS)
        if whom == "root":
            kill(cluster, "head", root_of(cluster))
        else:
            boot.process.kill()
        boot.end(10)
        nothing_left(cluster)
        if whom == "root":
            boot.check_numbers()
            assert boot.report["failed"] == 0 if when == "running" else boot.code == 1


def test_root_is_stopped(cluster: Cluster) -> None:
    held = Held(cluster)
    with Boot(cluster, *TREE, command=held.command, silence=SILENCE) as boot:
        boot.until(lambda said: said.count(" up\n") >= 5)
        kill(cluster, "head", root_of(cluster), STOP)
        boot.end(SILENCE + 15)
        boot.check_numbers()
        nothing_left(cluster, SILENCE + 5)


def test_hosts_that_vanish_while_a_command_runs(cluster: Cluster) -> None:
    """Switched off, cable pulled, frozen: silence tells. The others don't notice."""
    held = Held(cluster)
    with Boot(cluster, *TREE, command=held.command, silence=SILENCE) as boot:
        boot.until_said(" runs\n", HOSTS)
        gone = {"h003": "poweroff", "h005": "down", "h009": "freeze"}
        for host, kind in gone.items():
            faults.set_fault(cluster.state, host, kind)
        for host in gone:
            boot.until_said(f"{host} failed: lost", seconds=SILENCE + 20)
        frozen = {("h009", process.pid) for process in cluster.processes("h009")}
        until(lambda: not cluster.processes("h005"), SILENCE + 5, lambda: f"runs on: {cluster.processes('h005')}")
        held.release()
        boot.end()
        done = {host for host, report in boot.hosts.items() if report.get("exit") == 0}
        assert done == set(cluster.names) - gone.keys()
    boot.check_numbers()
    assert boot.causes() == dict.fromkeys(gone, "lost")
    nothing_left(cluster, but=lambda host, process: (host, process.pid) in frozen)
    faults.clear(cluster.state, "h009")
    nothing_left(cluster)


def test_commands_that_end_below_a_silent_parent(cluster: Cluster) -> None:
    """What they ended with is told to a parent that does not listen any more, and so again to the next."""
    held = Held(cluster)
    with Boot(cluster, *TREE, command=held.command, silence=SILENCE) as boot:
        boot.until_said(" runs\n", HOSTS)
        (agent,) = agents(cluster)["h001"]
        kill(cluster, "h001", agent, STOP)
        held.release()
        boot.end(SILENCE + 20)
        assert boot.causes() == {"h001": "lost"}
        assert {boot.hosts[name].get("exit") for name in cluster.names if name != "h001"} == {0}
        kill(cluster, "h001", agent, CONT)
        nothing_left(cluster)


def test_nothing_is_left_by_ctrl_c_before_anything_is_up(cluster: Cluster) -> None:
    """Not even a worker that is stopped, which can't end its rsh itself."""
    for host in cluster.names:
        faults.set_fault(cluster.state, host, "never")
    with Boot(cluster, "--topology", "flat") as boot:
        boot.until(lambda said: said.count(" started, ") == HOSTS)
        worker = below(cluster, "head", fork_server(cluster))[0]
        kill(cluster, "head", worker.pid, STOP)
        boot.process.send_signal(signal.SIGINT)
        assert boot.end(10).code == 130
        nothing_left(cluster)


def test_agents_are_never_left_by_a_second_ctrl_c(cluster: Cluster) -> None:
    with Boot(cluster, *TREE, command=("sleep", "1000")) as boot:
        boot.until(lambda said: said.count(" up\n") >= 5)
        boot.process.send_signal(signal.SIGINT)
        boot.process.send_signal(signal.SIGINT)
        assert boot.end(10).code == 130
        nothing_left(cluster)


def test_a_little_chaos() -> None:
    """What `tools/chaos` does a hundred times."""
    with Cluster(16, latency=0.3) as few:
        for seed, root in ((1, False), (6, False), (11, True)):
            Chaos(few, root).run(seed)
