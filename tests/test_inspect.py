"""`mpboot inspect` names right what ssh sessions do that mpboot did not start: real ssh, real sshd, real terminals.

Ten sessions of each kind are under way at once, and each must be named right in each of two runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import psutil
import pytest

from mpboot.inspect import Finding, inspect, judge, read_words
from mpboot.inspect_look import Client, Inspector, Tcp, tcp_by_inode
from mpboot.inspect_view import aligned, launch_lines, seconds

sys.path.insert(0, str(Path(__file__).parent))
from cluster_fixture import Cluster
from run_mpboot import MPBOOT, mpboot

TIMES = 10
ROOT = os.getuid() == 0
ASK_KEY = ["-oStrictHostKeyChecking=ask", "-oUserKnownHostsFile=/dev/null", "-oGlobalKnownHostsFile=/dev/null"]
ASK_PASSWORD = ["-oPubkeyAuthentication=no", "-oPasswordAuthentication=yes", "-oKbdInteractiveAuthentication=no"]
# What runs: on a terminal?, the output that says that it is where it should be, the command.
KINDS: dict[str, tuple[bool, str, list[str]]] = {
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
# Starts sessions in rounds, one of each kind (sshd refuses too many at once), says their pids, and holds them until
# its standard input ends.
HOLDER = """
import json, os, pty, select, signal, subprocess, sys
kinds, times = json.loads(sys.argv[1]), int(sys.argv[2])
pids, outputs = {kind: [] for kind in kinds}, {}
for number in range(times):
    waiting = {}
    for kind, (terminal, text, argv) in kinds.items():
        argv = [word.replace("{port}", str(7000 + number)) for word in argv]
        if terminal:
            pid, fd = pty.fork()
            if not pid:
                os.execvp(argv[0], argv)
        else:
            run = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            pid, fd = run.pid, os.dup(run.stdout.fileno())
            outputs[run] = run
        pids[kind].append(pid)
        outputs[fd] = b""
        if text:
            waiting[fd] = text.encode()
    while waiting:
        fds = [fd for fd in outputs if isinstance(fd, int)]
        for fd in select.select(fds, [], [])[0]:
            outputs[fd] += os.read(fd, 4096)
            if fd in waiting and waiting[fd] in outputs[fd]:
                del waiting[fd]
print(json.dumps(pids), flush=True)
live = {fd for fd in outputs if isinstance(fd, int)}
while True:
    ready = select.select([0, *live], [], [])[0]
    if 0 in ready:
        break
    for fd in ready:
        try:
            if os.read(fd, 65536):
                continue
        except OSError:
            pass
        live.discard(fd)
for every in pids.values():
    for pid in every:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
"""


@contextlib.contextmanager
def sessions(
    cluster: Cluster, where: str, kinds: dict[str, tuple[bool, str, list[str]]], times: int = 1
) -> Iterator[dict[str, list[int]]]:
    """The pids of so many sessions of each kind, which run on a host meanwhile."""
    command = [sys.executable, "-c", HOLDER, json.dumps(kinds), times]
    holder = cluster.popen(where, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        yield json.loads(holder.stdout.readline())
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()


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
                between, abs=1.5
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


@pytest.mark.timeout(60)
def test_a_wrapper_is_looked_through(cluster: Cluster) -> None:
    wrapped = {"script": (False, "", ["sh", "-c", "ssh h003 true; true"])}
    with sessions(cluster, "h005", wrapped) as pids:
        (told,) = look(cluster, "h005", pids["script"][0]).values()
    assert told["command"] == ["ssh", "h003", "true"]
    assert told["verdict"] == "handshake-timeout"


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


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_what_netlink_says_of_a_connection(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"no {address} here")
    with listener, socket.create_connection(listener.getsockname()[:2]) as near, listener.accept()[0] as far:
        far.sendall(b"12345")
        near.recv(5)
        near.sendall(b"123")
        found = tcp_by_inode()[os.fstat(near.fileno()).st_ino]
        port = listener.getsockname()[1]
        assert found.peer == (f"[::1]:{port}" if ":" in address else f"127.0.0.1:{port}")
        assert (found.state, found.exact, found.received, found.sent) == ("ESTABLISHED", True, 5, 3)
        assert 0 <= found.quiet < 5
        assert tcp_by_inode()[os.fstat(far.fileno()).st_ino].unread == 3


@pytest.mark.parametrize(
    ("line", "host", "command", "flag"),
    [
        ("ssh h001", "h001", "", ""),
        ("ssh -p 22 -l joe h001 uptime -p", "h001", "uptime -p", "p"),
        ("ssh -oBatchMode=yes -tt joe@h001", "h001", "", "t"),
        ("ssh -p22 -NT -L 1:h2:3 joe@h001", "h001", "", "N"),
        ("ssh h001 -l joe -- ls -l", "h001", "ls -l", "l"),
        ("ssh ssh://joe@h001:2222", "h001:2222", "", ""),
        ("plink -ssh -batch -pw secret joe@h001 ls", "h001", "ls", ""),
        ("rsh -l joe h001 date", "h001", "date", "l"),
        ("ssh:", "", "", ""),
        ("ssh -p", "", "", "p"),
    ],
)
def test_command_lines(line: str, host: str, command: str, flag: str) -> None:
    words = read_words(line.split())
    assert (words.host, " ".join(words.command)) == (host, command)
    assert flag in words.flags


class TestJudge:
    """What is hard to bring about with real connections."""

    @pytest.fixture
    def client(self) -> Client:
        tcp = Tcp("ESTABLISHED", "10.0.0.5:22", True, received=4000, sent=4000, quiet=60.0, unanswered=60.0)
        return Client(
            psutil.Process(), "ssh", "joe", ["ssh", "h5"], age=100.0, status="sleeping", reads=9, writes=9,
            written=5000, stdin="/dev/pts/1", copies=True, tcp=[tcp],
        )  # fmt: skip

    @staticmethod
    def judged(client: Client, patience: float = 5.0) -> Finding:
        return judge(replace(client), client, patience)

    def test_a_peer_that_is_gone(self, client: Client) -> None:
        assert self.judged(client).verdict == "idle"
        client.tcp[0] = replace(client.tcp[0], unsent=48, resent=5, quiet=0.5)
        assert self.judged(client).verdict == "lost"
        assert self.judged(client).still == 60.0

    def test_a_reader_that_does_not_read(self, client: Client) -> None:
        client.tcp[0] = replace(client.tcp[0], unread=100_000)
        found = self.judged(client)
        assert found.verdict == "idle"
        assert "100000 bytes wait" in found.waits

    def test_stopped_and_zombie_are_not_hung(self, client: Client) -> None:
        client.status = psutil.STATUS_STOPPED
        assert (self.judged(client).verdict, self.judged(client).hung) == ("stopped", False)
        client.status = psutil.STATUS_ZOMBIE
        assert (self.judged(client).verdict, self.judged(client).hung) == ("ended", False)

    def test_a_name_server_that_does_not_answer(self, client: Client) -> None:
        client.tcp, client.copies, client.asks = [], False, "10.0.0.53"
        found = self.judged(client)
        assert found.verdict == "resolve"
        assert "10.0.0.53" in found.detail

    def test_movement_is_no_hang(self, client: Client) -> None:
        client.copies, client.tcp = False, []
        assert judge(replace(client, reads=8), client, 5.0).verdict == "starting"

    def test_rsh_is_logged_in_with_its_first_byte(self, client: Client) -> None:
        client.name, client.copies = "rsh", False
        client.tcp[0] = replace(client.tcp[0], received=0)
        assert self.judged(client).verdict == "handshake-timeout"
        client.tcp[0] = replace(client.tcp[0], received=1)
        assert self.judged(client).verdict == "idle"

    def test_what_is_not_ours_to_see(self, client: Client) -> None:
        client.reads, client.tcp, client.copies = -1, [], False
        assert self.judged(client).verdict == "unknown"

    def test_it_looks_on_only_while_a_client_is_young(self, client: Client) -> None:
        inspector, now, looks = Inspector(), [0.0], []

        def see() -> dict[int, Client]:
            looks.append(now[0])
            quiet = client.tcp[0].quiet + now[0]
            return {1: replace(client, copies=False, tcp=[replace(client.tcp[0], quiet=quiet)])}

        def pause(length: float) -> None:
            now[0] += length

        inspector.look = see  # type: ignore[method-assign]
        client.tcp[0] = replace(client.tcp[0], quiet=3.0)
        (found,) = inspect(inspector, 1.0, 5.0, lambda: now[0], pause)
        assert found.verdict == "handshake-timeout"
        assert looks == [0.0, 1.0, 2.0]


def test_columns() -> None:
    assert aligned([["A", "B"], ["long", "x y"]]) == ["A     B", "long  x y"]
    assert aligned([]) == []
    assert [seconds(1.25), seconds(600.0), seconds(7200.0)] == ["1.2 s", "10 min", "2.0 h"]
    assert seconds(2.0, exact=False) == "<2.0 s"


def test_launches_are_shown_escaped_and_not_all() -> None:
    record = {"host": "h\x1b1", "from": "head", "attempt": 1, "seconds": 2.0}
    lines = launch_lines([record] * 300, silent=1)
    assert lines[0] == "300 launches under way"
    assert lines[2].startswith("h\\x1b1")
    assert lines[-2:] == ["and 100 more", "1 parent did not answer in time"]
    assert launch_lines([]) == ["no launches under way"]
