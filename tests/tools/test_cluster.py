"""tools/cluster itself: hosts, commands on them, the stand-in rsh, faults."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster, tool, wait_for
from tests.support.waiting import until

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(6) as made:
        yield made


@pytest.fixture
def bad(cluster: Cluster) -> Iterator[str]:
    """A host that is made good again after the test."""
    yield "h005"
    cluster.fault("h005", "none")


def rsh(cluster: Cluster, host: str, command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return cluster.run("head", [cluster.rsh, host, command], **options)


def connect(cluster: Cluster, start: str, to: str, port: int = 22, patience: float = 0.5) -> str:
    """What a TCP connection from one host to another comes to: the name of an errno, or 'timeout'."""
    code = (
        "import errno, socket, sys\n"
        "s = socket.socket(); s.settimeout(float(sys.argv[3]))\n"
        "try: s.connect((sys.argv[1], int(sys.argv[2]))); print('connected')\n"
        "except socket.timeout: print('timeout')\n"
        "except OSError as error: print(errno.errorcode.get(error.errno, error))\n"
    )
    done = cluster.run(start, [sys.executable, "-c", code, to, port, patience])
    return done.stdout.strip()


class TestHosts:
    def test_each_has_its_name_address_and_processes(self, cluster: Cluster) -> None:
        done = cluster.run("h003", ["sh", "-c", "hostname; cat /proc/net/fib_trie; echo; ls /proc"])
        network, _, proc = done.stdout.partition("\n\n")
        assert network.split()[0] == "h003"
        assert "10.77.1.3" in network.split()
        assert len([word for word in proc.split() if word.isdigit()]) <= 4

    def test_reach_each_other_by_name(self, cluster: Cluster) -> None:
        assert connect(cluster, "head", "h001") == "ECONNREFUSED"
        assert connect(cluster, "h001", "h006") == "ECONNREFUSED"
        assert connect(cluster, "h006", "head") == "ECONNREFUSED"
        assert connect(cluster, "h001", "10.77.99.99") == "EHOSTUNREACH"

    def test_head_is_127_0_1_1_to_itself_only(self, cluster: Cluster) -> None:
        assert cluster.run("head", ["getent", "hosts", "head"]).stdout.split()[0] == "127.0.1.1"
        assert cluster.run("h001", ["getent", "hosts", "head"]).stdout.split()[0] == "10.77.0.1"

    def test_the_machine_itself_sees_no_interface_and_no_name(self, cluster: Cluster) -> None:
        assert cluster.names[0] == "h001"
        assert not [name for _, name in socket.if_nameindex() if name.startswith("port")]
        assert "10.77." not in Path("/etc/hosts").read_text()


class TestExec:
    def test_passes_stdio_cwd_environment_and_exit_code(self, cluster: Cluster, tmp_path: Path) -> None:
        script = 'pwd; echo "$WORD"; cat; echo err >&2; exit 7'
        environment = {**cluster.env, "WORD": "a b"}
        done = cluster.run("h001", ["sh", "-c", script], input="in\n", cwd=tmp_path, env=environment)
        assert (done.returncode, done.stdout, done.stderr) == (7, f"{tmp_path}\na b\nin\n", "err\n")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signals_reach_the_whole_group(self, cluster: Cluster, number: int) -> None:
        running = cluster.popen("h001", ["sh", "-c", "sleep 60; true"])
        wait_for(cluster, "h001", "sleep 60")
        running.send_signal(number)
        assert running.wait(timeout=5) == -number
        assert cluster.processes("h001") == []

    def test_killing_the_client_kills_the_command(self, cluster: Cluster) -> None:
        running = cluster.popen("h001", ["sleep", "61"])
        wait_for(cluster, "h001", "sleep 61")
        running.kill()
        running.wait()
        until(lambda: not cluster.processes("h001"))

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (["exec", "nobody", "true"], 2, "no such host"),
            (["exec", "h001"], 2, "needs a host and a command"),
            (["exec", "h001", "/nonexistent"], 127, "No such file"),
            (["fault", "h001", "nonsense"], 2, "no such kind"),
            (["fault", "h001", "slow"], 2, "takes a number"),
            (["fault", "nobody", "refuse"], 2, "no such host"),
            (["up", "0"], 2, "must be 1 to"),
            (["up", "3", "--latency", "-1"], 2, "--latency"),
            (["up", "3", "--rate", "0.01"], 2, "--rate"),
            (["fault", "h001", "rate", "fast"], 2, "rate takes"),
            (["up", "3"], 1, "is up already"),
        ],
    )
    def test_bad_use_is_one_line(self, cluster: Cluster, words: list[str], code: int, said: str) -> None:
        done = tool(*words, check=False, env={**os.environ, "MPBOOT_CLUSTER_STATE": str(cluster.state)})
        assert (done.returncode, said in done.stderr, done.stderr.count("\n")) == (code, True, 1)


class TestStandIn:
    def test_logs_in_as_sshd_does(self, cluster: Cluster) -> None:
        words = [cluster.rsh, "-o", "BatchMode=yes", "-x", f"{pwd.getpwuid(os.getuid()).pw_name}@h002", "-T"]
        done = cluster.run("head", [*words, "pwd; echo $0 $SHELL $SSH_CONNECTION; hostname; exit", "5"])
        home, shell, name = done.stdout.splitlines()
        assert home == str(cluster.home)
        assert shell.split()[:3] == ["sh", "/bin/sh", "10.77.0.1"]
        assert shell.split()[4:] == ["10.77.1.2", "22"]
        assert (name, done.returncode) == ("h002", 5)

    def test_carries_stdin_and_goes_from_host_to_host(self, cluster: Cluster) -> None:
        command = f"{cluster.rsh} h004 'cat; hostname; echo $SSH_CONNECTION'"
        done = rsh(cluster, "h003", command, input="through\n")
        assert done.stdout.split()[:3] == ["through", "h004", "10.77.1.3"]

    @pytest.mark.alone
    def test_takes_the_latency(self) -> None:
        with Cluster(2, latency=0.3) as slow:
            began = time.monotonic()
            assert rsh(slow, "h001", "true").returncode == 0
            assert 0.3 <= time.monotonic() - began < 1.0
            slow.fault("h001", "slow", 3)
            began = time.monotonic()
            assert rsh(slow, "h001", "true").returncode == 0
            assert 0.9 <= time.monotonic() - began < 1.8

    def test_unknown_host(self, cluster: Cluster) -> None:
        done = rsh(cluster, "h077", "true")
        assert (done.returncode, "Could not resolve hostname h077" in done.stderr) == (255, True)

    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("refuse", "ssh: connect to host h005 port 22: Connection refused"),
            ("unreachable", "ssh: connect to host h005 port 22: No route to host"),
            ("unresolved", "Could not resolve hostname h005"),
            ("auth", "@h005: Permission denied (publickey)."),
            ("host-key", "Host key verification failed."),
        ],
    )
    def test_fails_as_ssh_does(self, cluster: Cluster, bad: str, kind: str, said: str) -> None:
        cluster.fault(bad, kind)
        done = rsh(cluster, bad, "echo ran")
        assert (done.returncode, done.stdout) == (255, "")
        assert said in done.stderr

    @pytest.mark.parametrize(
        ("kind", "state"), [("never", "S"), ("hang", "S"), ("stopped", "T"), ("zombie", "S"), ("dstate", "D")]
    )
    def test_hangs(self, cluster: Cluster, bad: str, kind: str, state: str) -> None:
        cluster.fault(bad, kind)
        running = cluster.popen("head", [cluster.rsh, bad, "echo ran"], stdout=subprocess.PIPE)
        wanted = {state, "Z"} if kind == "zombie" else {state}
        until(lambda: wanted <= {process.state for process in cluster.processes("head")})
        assert running.poll() is None
        assert cluster.processes(bad) == []
        running.kill()
        assert running.communicate()[0] == ""
        until(lambda: not cluster.processes("head"))

    def test_noise_comes_before_the_command(self, cluster: Cluster, bad: str) -> None:
        cluster.fault(bad, "noisy", 100000)
        done = rsh(cluster, bad, "echo ran")
        assert done.stdout.startswith("Welcome")
        assert done.stdout.endswith("\nran\n")
        assert len(done.stdout) > 100000
        assert "stty" in done.stderr

    def test_dies_half_way_and_the_command_with_it(self, cluster: Cluster, bad: str) -> None:
        cluster.fault(bad, "half", 0.2)
        done = rsh(cluster, bad, "echo began; sleep 60; echo ended")
        assert (done.returncode, done.stdout) == (255, "began\n")
        assert "Connection closed by h005" in done.stderr
        until(lambda: not cluster.processes(bad))

    def test_flaky(self, cluster: Cluster, bad: str) -> None:
        cluster.fault(bad, "flaky-first", 2)
        assert [rsh(cluster, bad, "true").returncode for _ in range(4)] == [255, 255, 0, 0]
        cluster.fault(bad, "none")
        cluster.fault(bad, "flaky", 0.5)
        assert {rsh(cluster, bad, "true").returncode for _ in range(40)} == {0, 255}


class TestHostFaults:
    def test_no_python(self, cluster: Cluster, bad: str) -> None:
        cluster.fault(bad, "no-python")
        done = rsh(cluster, bad, "python3 -V; ls -l /bin/sh >/dev/null && echo $?")
        assert "not found" in done.stderr
        assert done.stdout == "0\n"

    def test_other_python_shell_and_home(self, cluster: Cluster, bad: str, tmp_path: Path) -> None:
        old = tmp_path / "python3"
        old.write_text("#!/bin/sh\necho SyntaxError >&2\nexit 1\n")
        old.chmod(0o755)
        cluster.fault(bad, "python", old)
        cluster.fault(bad, "home", tmp_path)
        assert "SyntaxError" in rsh(cluster, bad, "python3 -c 0").stderr
        assert rsh(cluster, bad, "pwd").stdout == f"{tmp_path}\n"
        cluster.fault(bad, "shell", "/bin/false")
        assert rsh(cluster, bad, "true").returncode == 1

    def test_network(self, cluster: Cluster, bad: str) -> None:
        cluster.fault(bad, "blackhole")
        assert connect(cluster, "head", bad) == "timeout"
        assert connect(cluster, "h001", bad) == "ECONNREFUSED"
        assert rsh(cluster, bad, "echo ran").stdout == "ran\n"
        cluster.fault(bad, "none")
        cluster.fault(bad, "callback", "reject")
        assert connect(cluster, bad, "head") == "EHOSTUNREACH"
        cluster.fault(bad, "none")
        cluster.fault(bad, "callback", "drop")
        assert connect(cluster, bad, "h001") in {"EINVAL", "timeout"}
        assert rsh(cluster, bad, "echo ran").stdout == "ran\n"

    @pytest.mark.long
    def test_link_down_is_no_route_after_three_seconds(self, cluster: Cluster, bad: str) -> None:
        cluster.fault(bad, "down")
        began = time.monotonic()
        assert connect(cluster, "head", bad, patience=8) == "EHOSTUNREACH"
        assert 2.5 < time.monotonic() - began < 5
        cluster.fault(bad, "none")
        assert connect(cluster, "head", bad, patience=8) == "ECONNREFUSED"

    def test_freeze_and_poweroff(self, cluster: Cluster, bad: str) -> None:
        running = cluster.popen(bad, ["sleep", "62"])
        pid = wait_for(cluster, bad, "sleep 62")
        cluster.fault(bad, "freeze")
        assert [(process.pid, process.state) for process in cluster.processes(bad)] == [(pid, "T")]
        cluster.fault(bad, "none")
        assert cluster.processes(bad)[0].state == "S"
        cluster.fault(bad, "poweroff")
        assert running.wait(timeout=5) == -signal.SIGKILL
        assert cluster.processes(bad) == []
