"""`mpboot inspect` names right what ssh sessions do that mpboot did not start: real ssh, real sshd, real terminals.

Ten sessions of each kind are under way at once, and each must be named right in each of two runs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from tests.support.cluster import Cluster
from tests.support.run_mpboot import MPBOOT, mpboot
from tests.support.ssh_sessions import Kinds, sessions

TIMES = 10
ROOT = os.getuid() == 0
ASK_KEY = ["-oStrictHostKeyChecking=ask", "-oUserKnownHostsFile=/dev/null", "-oGlobalKnownHostsFile=/dev/null"]
ASK_PASSWORD = ["-oPubkeyAuthentication=no", "-oPasswordAuthentication=yes", "-oKbdInteractiveAuthentication=no"]
KINDS: Kinds = {
    "blackhole": (False, "", ["ssh", "h002", "true"]),
    "stopped sshd": (False, "", ["ssh", "h003"]),
    "password": (True, "password:", ["ssh", *ASK_PASSWORD, "h004"]),
    "host key": (True, "(yes/no", ["ssh", *ASK_KEY, "h005"]),
    "sleep": (False, "here", ["ssh", "h001", "echo here; sleep 1000"]),
    "silent sleep": (False, "here", ["ssh", "-n", "h001", "echo here; exec >/dev/null 2>&1; sleep 1000"]),
    "busy": (False, "here", ["ssh", "h001", "while echo here; do sleep 0.2; done"]),
    "tunnel": (False, "", ["ssh", "-N", "-L", "0.0.0.0:{port}:localhost:22", "h001"]),
    "jump to a blackhole": (False, "", ["ssh", "-J", "h002", "h001", "true"]),
    **({"shell": (True, "# ", ["ssh", "-tt", "h001"])} if ROOT else {}),  # sshd gives no terminal but as root
    **({"hanging shell": (True, "", ["ssh", "-tt", "h006"])} if ROOT else {}),
}
EXPECTED = {
    "blackhole": ("connect-timeout", "connect"),
    "stopped sshd": ("handshake-timeout", "handshake"),
    "password": ("password-prompt", "handshake"),
    "host key": ("password-prompt", "handshake"),
    "sleep": ("idle", "session"),
    "silent sleep": ("idle", "session"),
    "busy": ("idle", "session"),  # or healthy, as all that moved in the last seconds
    "tunnel": ("idle", "session"),
    "jump to a blackhole": ("connect-timeout", "connect"),
    "shell": ("idle", "session"),
    "hanging shell": ("shell-hang", "shell"),
}


def look(cluster: Cluster, where: str, *arguments: object) -> dict[int, dict[str, Any]]:
    """What `mpboot inspect --json` says on a host, by pid."""
    done = cluster.run(where, [*MPBOOT, "inspect", "--json", *arguments])
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout)
    assert done.returncode == int(told["hung"] > 0)
    assert told["hung"] == sum(one["hung"] for one in told["clients"])
    return {one["pid"]: one for one in told["clients"]}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(6, "ssh") as found:
        found.fault("h002", "blackhole")
        found.fault("h003", "sshd-stop")
        found.fault("h006", "hang")
        yield found


@pytest.fixture(scope="module")
def runs(cluster: Cluster) -> Iterator[SimpleNamespace]:
    with sessions(cluster, "head", KINDS, TIMES) as pids:
        told = [look(cluster, "head"), look(cluster, "head", "--interval", "0.5", "--patience", "2")]
        tables = cluster.run("head", [*MPBOOT, "inspect"])
        one = {kind: cluster.run("head", [*MPBOOT, "inspect", pids[kind][0]]) for kind in ("stopped sshd", "sleep")}
        yield SimpleNamespace(pids=pids, told=told, table=tables, detail=one)


@pytest.mark.timeout(120)
class TestSessions:
    @pytest.mark.long
    @pytest.mark.parametrize("kind", EXPECTED)
    def test_each_is_named_right_each_time(self, runs: SimpleNamespace, kind: str) -> None:
        if kind not in KINDS:
            pytest.skip("sshd gives a terminal as root only")
        for told in runs.told:
            assert len(runs.pids[kind]) == TIMES
            for pid in runs.pids[kind]:
                one = told[pid]
                verdict = "idle" if one["verdict"] == "healthy" and one["still"] < 5 else one["verdict"]
                assert (verdict, one["phase"]) == EXPECTED[kind], one

    def test_nothing_else_is_hung(self, runs: SimpleNamespace) -> None:
        known = {pid for pids in runs.pids.values() for pid in pids}
        for told in runs.told:
            jumps = {pid for pid, one in told.items() if "-W" in one["command"]}  # what ssh -J starts
            assert len(jumps) == TIMES
            assert set(told) - jumps == known

    def test_seconds_since_it_moved_are_the_kernels(self, runs: SimpleNamespace) -> None:
        for pid in (*runs.pids["stopped sshd"], *runs.pids["sleep"]):
            first, second = (told[pid] for told in runs.told)
            assert first["exact"]
            assert 0 < first["still"] <= first["seconds"] + 0.1
            between = second["seconds"] - first["seconds"]
            assert second["still"] - first["still"] == pytest.approx(
                between, abs=4.0
            )  # one look at 120 clients takes a while

    def test_what_they_wait_for(self, runs: SimpleNamespace) -> None:
        def waits(kind: str) -> str:
            return str(runs.told[0][runs.pids[kind][0]]["waits_for"])

        assert waits("blackhole").startswith("an answer to its SYN from 10.77.1.2:22")
        assert "the first byte from 10.77.1.3:22" in waits("stopped sshd")
        assert waits("password").startswith("a person at /dev/pts/")
        assert waits("password").endswith("a password or passphrase")
        assert waits("host key").endswith("yes to a new host key")

    def test_the_table_is_plain_text_where_there_is_no_terminal(self, runs: SimpleNamespace) -> None:
        lines = runs.table.stdout.splitlines()
        assert lines[0].split() == ["PID", "PEER", "PHASE", "STILL", "VERDICT", "WAITS", "FOR"]
        assert "\x1b" not in runs.table.stdout
        rows = {int(line.split()[0]): line for line in lines[1:]}
        assert "h003 (10.77.1.3:22)" in rows[runs.pids["stopped sshd"][0]]
        assert "handshake-timeout" in rows[runs.pids["stopped sshd"][0]]
        assert runs.table.returncode == 1
        assert "hung; mpboot inspect PID tells more" in runs.table.stderr

    def test_detail(self, runs: SimpleNamespace) -> None:
        hung, idle = runs.detail["stopped sshd"], runs.detail["sleep"]
        assert hung.returncode == 1
        assert "command     ssh h003\n" in hung.stdout
        assert "verdict     handshake-timeout: 10.77.1.3:22 took the connection, then nothing came" in hung.stdout
        assert "    -> its login server hangs" in hung.stdout
        assert "0 bytes received" in hung.stdout
        assert idle.returncode == 0
        assert "verdict     idle\n" in idle.stdout


@pytest.mark.timeout(60)
class TestKillHung:
    KINDS: ClassVar = {
        "hung": KINDS["stopped sshd"],
        "jump": (False, "", ["ssh", "-J", "h003", "h001", "true"]),
        "idle": KINDS["sleep"],
    }
    QUICK = ("--kill-hung", "--interval", "0.2", "--patience", "0.5")

    @pytest.mark.long
    def test_asks_then_ends_what_is_hung_and_nothing_else(self, cluster: Cluster) -> None:
        with sessions(cluster, "h004", self.KINDS) as pids:
            command = [*MPBOOT, "inspect", *self.QUICK]
            for answer in ("n\n", "", "\n"):
                no = cluster.run("h004", command, input=answer)
                assert no.returncode == 1
                assert "[y/N]" in no.stderr
            assert {pid for every in pids.values() for pid in every} <= self.running(cluster)
            yes = cluster.run("h004", command, input="y\n")
            assert yes.returncode == 0, yes.stderr
            assert f"ended: {pids['hung'][0]}, ssh h003: handshake-timeout" in yes.stderr
            assert self.running(cluster) == {pids["idle"][0]}

    @pytest.mark.long
    def test_yes_asks_nothing(self, cluster: Cluster) -> None:
        with sessions(cluster, "h004", self.KINDS) as pids:
            done = cluster.run("h004", [*MPBOOT, "inspect", pids["hung"][0], pids["idle"][0], *self.QUICK, "--yes"])
            assert done.returncode == 0
            assert "[y/N]" not in done.stderr
            assert self.running(cluster) >= {*pids["idle"], *pids["jump"]}
            assert pids["hung"][0] not in self.running(cluster)

    @staticmethod
    def running(cluster: Cluster) -> set[int]:
        """The ssh clients on h004 that are no zombies."""
        told = look(cluster, "h004", "--interval", "0.1", "--patience", "0.1")
        return {pid for pid, one in told.items() if one["verdict"] != "ended"}


@pytest.mark.long
@pytest.mark.timeout(60)
def test_a_wrapper_is_looked_through(cluster: Cluster) -> None:
    wrapped = {"script": (False, "", ["sh", "-c", "ssh h003 true; true"])}
    with sessions(cluster, "h005", wrapped) as pids:
        (told,) = look(cluster, "h005", pids["script"][0]).values()
    assert told["command"] == ["ssh", "h003", "true"]
    assert told["verdict"] == "handshake-timeout"


@pytest.mark.long
@pytest.mark.timeout(60)
@pytest.mark.parametrize("topology", ["flat", "tree"])
def test_sigusr1_and_the_deadline_show_the_launches_under_way(cluster: Cluster, topology: str) -> None:
    command = [*MPBOOT, cluster.hostfile, "--topology", topology, "--children", "2", "--deadline", "8"]
    boot = cluster.popen("head", command, stderr=subprocess.PIPE)
    assert boot.stderr is not None
    lines, asked = [], False
    for line in boot.stderr:
        lines.append(line)
        if "3 of 6 up, 3 launching" in line and not asked:
            boot.send_signal(signal.SIGUSR1)
            asked = True
    boot.wait(10)
    boot.stderr.close()
    tables = [at for at, line in enumerate(lines) if line == "mpboot: 3 launches under way\n"]
    assert len(tables) == 2, "".join(lines)
    for at in tables:
        rows = {line.split()[1]: line.split(maxsplit=7) for line in lines[at + 2 : at + 5]}
        assert set(rows) == {"h002", "h003", "h006"}
        seen = {host: (row[4], row[7].strip()) for host, row in rows.items() if row[2] == "head"}
        expected = {
            "h002": ("connect", "an answer to its SYN from 10.77.1.2:22"),
            "h003": ("handshake", "10.77.1.3:22 to finish keys or login"),
            "h006": ("shell", "the shell to get to the agent"),
        }
        assert seen == {host: expected[host] for host in seen}
        assert seen
    assert "deadline reached" in lines[-1]


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["999999999"], "there is no process 999999999"),
            (["x"], "PID must be a number"),
            (["0"], "PID must be a number"),
            (["--yes"], "give both"),
            (["--interval", "0"], "--interval must be"),
            (["--patience", "soon"], "--patience must be"),
            (["--", "uptime"], "runs no command"),
        ],
    )
    def test_one_line_and_2(self, arguments: list[str], says: str) -> None:
        done = mpboot("inspect", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert says in done.stderr
        assert done.stderr.count("\n") == 1

    def test_options_come_from_the_environment_too(self) -> None:
        done = mpboot("inspect", MPBOOT_INTERVAL="never")
        assert done.returncode == 2
        assert "--interval (MPBOOT_INTERVAL) must be" in done.stderr

    def test_nothing_to_see(self, cluster: Cluster) -> None:
        done = cluster.run("h001", [*MPBOOT, "inspect"])
        assert (done.returncode, done.stdout) == (0, "")
        assert "no ssh or rsh client of yours" in done.stderr
