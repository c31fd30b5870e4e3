"""Agents that die, fall silent or vanish: what was done is kept, the rest is done by others, and nothing is left."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusterlib import faults

from mpboot.net.commands import PACES
from mpboot.net.patience import LONG
from tests.support.chaos import (
    Boot,
    Held,
    agents,
    clear,
    kill,
    nothing_left,
    settled,
)
from tests.support.cluster import Cluster
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(150)]

HOSTS = 14
SILENCE = 4.0  # seconds, instead of ten
PATIENCE = LONG * SILENCE  # with who says nothing, though its kernel answers
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
    clear(cluster)


@pytest.mark.long
@BOTH
def test_leaf_while_others_are_launched(cluster: Cluster, number: int) -> None:
    faults.set_fault(cluster.state, "h005", "slow", "6")
    leaf = "h006"  # its parent waits for the slow one
    with Boot(cluster, *TREE, silence=SILENCE) as boot:
        boot.until_said(f" {leaf} up\n")
        victim = agents(cluster)[leaf][0]
        kill(cluster, leaf, victim, number)
        boot.end()
        settled(cluster, boot, {leaf: victim}, PATIENCE)


@pytest.mark.long
@BOTH
def test_parent_in_the_middle_of_its_work(cluster: Cluster, number: int) -> None:
    with Boot(cluster, *TREE, silence=SILENCE) as boot:
        boot.until_said(" h001 up\n")
        boot.until(lambda said: said.count(" up\n") >= 4)
        was_up = {line.split()[2] for line in boot.text.splitlines() if line.endswith(" up")} - {"h001"}
        victim = agents(cluster)["h001"][0]
        kill(cluster, "h001", victim, number)
        boot.end(PATIENCE + 40)
        assert boot.code == 0
        assert boot.hosts["h001"]["attempts"] == 2
        again = {host for host in was_up if boot.hosts[host]["attempts"] > 1}
        assert not again, "they were up, and were booted once more"
        settled(cluster, boot, {"h001": victim}, PATIENCE)


@pytest.mark.long
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
        settled(cluster, boot, {}, SILENCE, {"h001": "lost"})


@pytest.mark.long
def test_hosts_that_vanish_while_a_command_runs(cluster: Cluster) -> None:
    """Switched off, cable pulled, frozen: silence tells. The others don't notice.

    A kernel that answers, as that of the frozen host does here, has more patience with it.
    """
    held = Held(cluster)
    with Boot(cluster, *TREE, command=held.command, silence=SILENCE) as boot:
        boot.until_said(" runs\n", HOSTS)
        gone = {"h003": "poweroff", "h005": "down", "h009": "freeze"}
        for host, kind in gone.items():
            faults.set_fault(cluster.state, host, kind)
        for host in gone:
            seconds = (PATIENCE if host == "h009" else SILENCE) + 20
            boot.until_said(f"{host} failed: lost", seconds=seconds)
        frozen = {("h009", process.pid) for process in cluster.processes("h009")}
        until(lambda: not cluster.processes("h005"), SILENCE + 8, lambda: f"runs on: {cluster.processes('h005')}")
        held.release()
        boot.end()
        done = {host for host, report in boot.hosts.items() if report.get("exit") == 0}
        assert done == set(cluster.names) - gone.keys()
    boot.check_numbers()
    assert boot.causes() == dict.fromkeys(gone, "lost")
    nothing_left(cluster, but=lambda host, process: (host, process.pid) in frozen)
    faults.clear(cluster.state, "h009")
    nothing_left(cluster)


@pytest.mark.long
def test_one_that_hears_nothing_and_is_heard_is_gone(cluster: Cluster) -> None:
    """What its kernel sends again and again is no answer."""
    held = Held(cluster)
    deaf = cluster.names[-1]
    with Boot(cluster, *TREE, command=held.command) as boot:
        boot.until_said(" runs\n", HOSTS)
        assert cluster.run(deaf, ["iptables", "-A", "INPUT", "-p", "tcp", "-j", "DROP"]).returncode == 0
        boot.until_said(f"{deaf} failed: lost", seconds=40)
        held.release()
        boot.end()
    silent = re.search(r"silent for (\d+) s", boot.hosts[deaf]["detail"])
    assert silent is not None
    assert int(silent[1]) < 19  # of the times after which its kernel sends again, those are 13 and 26 s long
    assert cluster.run(deaf, ["iptables", "-F"]).returncode == 0
    nothing_left(cluster)


@pytest.mark.long
def test_commands_that_end_below_a_silent_parent(cluster: Cluster) -> None:
    """What they ended with is told to a parent that does not listen any more, and so again to the next."""
    held = Held(cluster)
    with Boot(cluster, *TREE, command=held.command, silence=SILENCE) as boot:
        boot.until_said(" runs\n", HOSTS)
        (agent,) = agents(cluster)["h001"]
        kill(cluster, "h001", agent, STOP)
        held.release()
        boot.end(PATIENCE + 30)
        assert boot.causes() == {"h001": "lost"}
        assert {boot.hosts[name].get("exit") for name in cluster.names if name != "h001"} == {0}
        kill(cluster, "h001", agent, CONT)
        nothing_left(cluster)


@pytest.mark.long
@pytest.mark.parametrize("seconds", [6, 18])
def test_who_is_only_slow_is_waited_for(cluster: Cluster, seconds: int, tmp_path: Path) -> None:
    """An agent with others below it is stopped while commands end on and below it: nothing of that is lost."""
    script = f"echo begin; sleep {seconds}; echo end; : >{tmp_path}/$MPBOOT_HOST; exit 7"
    with Boot(cluster, *TREE, command=("sh", "-c", script), silence=SILENCE) as boot:
        boot.until_said(": begin\n", HOSTS)
        before = agents(cluster)
        kill(cluster, "h001", before["h001"][0], STOP)
        boot.until_said(f" h001 {PACES[True]}\n", seconds=SILENCE + 15)
        until(lambda: {one.name for one in tmp_path.iterdir()} == set(cluster.names), seconds + 20, lambda: "they run")
        assert agents(cluster) == before
        kill(cluster, "h001", before["h001"][0], CONT)
        boot.end()
        assert {report.get("exit") for report in boot.hosts.values()} == {7}
        assert {name: boot.text.count(f"{name}: end\n") for name in cluster.names} == dict.fromkeys(cluster.names, 1)
        assert [(one["what"], one["hosts"]) for one in boot.report["notes"]] == [("slow", ["h001"])]
        assert f"slow: h001: {PACES[True]}" in boot.text
        settled(cluster, boot, {}, SILENCE)
