"""Riding where hosts have a real sshd: who gets a socket, under which name, and what goes the normal way."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusterlib import mounts, services

from tests.support.cluster import USER, Cluster, account, given, sshd
from tests.support.waiting import until

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(90)]
cluster = given(4, "ssh")
FORCED = 'ForceCommand=exec sh -c "$SSH_ORIGINAL_COMMAND"'


class Head:
    """The head's user, who has a session."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.runtime = cluster.state.parent / "run"
        self.runtime.mkdir(mode=0o700, exist_ok=True)
        self.environment = {**cluster.env, "XDG_RUNTIME_DIR": str(self.runtime)}

    def sh(self, text: str) -> tuple[int, str, str]:
        """A line of shell on the head: code, stdout, stderr."""
        done = self.cluster.run("head", ["sh", "-c", text], env=self.environment, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def ride(self, *words: str) -> tuple[int, str, str]:
        """A command whose ssh rides."""
        return self.sh(shlex.join(["mpboot", "env", "--", *words]))

    def sockets(self) -> set[str]:
        place = self.runtime / "mpboot" / "default" / "ssh"
        return {one.name for one in place.iterdir() if "@" in one.name}


@contextlib.contextmanager
def session(cluster: Cluster, hosts: str) -> Iterator[Head]:
    head = Head(cluster)
    code, _, errors = head.sh(f"mpboot --hosts {shlex.quote(hosts)} --keep")
    assert code == 0, errors
    try:
        yield head
    finally:
        head.sh("mpboot halt")
    until(lambda: not cluster.all_processes(), 8.0, lambda: str(cluster.all_processes()))


def test_the_environment_is_the_logins(cluster: Cluster) -> None:
    with session(cluster, "h00[1-2]") as head:
        code, said, _ = head.ride("ssh", "h001", "hostname; echo $SSH_CONNECTION; pwd; echo $SHELL; env")
        assert code == 0
        name, connection, home, shell, *variables = said.splitlines()
        assert (name, connection.split()[3], home, shell) == ("h001", "22", str(cluster.home), "/bin/sh")
        assert not [one for one in variables if one.startswith(("MPBOOT_RANK", "MPBOOT_HOST", "SSH_TTY"))]


def test_no_sshd_is_asked(cluster: Cluster) -> None:
    """All of them are stopped, and ssh, scp and sftp work."""
    with session(cluster, "h00[1-4]") as head:
        assert head.ride("ssh", "h001", "true")[0] == 0  # so that no connection of the boot's is still being closed
        pids = [pid for name in cluster.names for pid in services_of(cluster, name)]
        assert len(pids) == 4
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            file = cluster.state.parent / "file"
            file.write_bytes(os.urandom(300_000))
            for name in cluster.names:
                assert head.ride("ssh", name, "hostname") == (0, f"{name}\n", "")
            assert head.ride("scp", "-q", str(file), f"h002:{file}.scp")[0] == 0
            assert Path(f"{file}.scp").read_bytes() == file.read_bytes()
            code, _, errors = head.sh(f"echo 'put {file} {file}.sftp' | mpboot env -- sftp -q -b - h003")
            assert code == 0, errors
            assert Path(f"{file}.sftp").read_bytes() == file.read_bytes()
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def services_of(cluster: Cluster, name: str) -> list[int]:
    """The pids, seen from here, of what listens on a host."""
    config = str(cluster.state / "ssh" / "sshd_config")
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (one / "cmdline").read_bytes()
            inside = (one / "status").read_text().partition("NSpid:")[2].split("\n")[0].split()
            if config.encode() in words and b"[listener]" in words and len(inside) > 1 and host_of(one) == name:
                found.append(int(one.name))
    return found


def host_of(process: Path) -> str:
    """The emulated host on which a process runs: the name that its first process has."""
    parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
    return Path(f"/proc/{parent}/cmdline").read_bytes().replace(b"\0", b" ").decode().split()[1]


@pytest.mark.long
def test_names_ports_users_and_the_rest_of_the_world(cluster: Cluster) -> None:
    with sshd(cluster, "h002", 2222), session(cluster, "h001,h002:2222") as head:
        head.ride("true")
        assert head.sockets() == {f"{USER}@h001:22", f"{USER}@h002:2222"}
        assert head.ride("ssh", "-v", "-p", "2222", "h002", "hostname")[1] == "h002\n"
        for words in (["h003"], ["h002"], ["h001", "-l", "root2"]):
            code, said, errors = head.ride("ssh", "-v", *words, "hostname")
            assert "does not exist" in errors  # the socket
            assert (code, said) == ((255, "") if "-l" in words else (0, f"{words[0]}\n"))


RULES = """AcceptEnv ONE_* T?O
AcceptEnv NEVER
SetEnv T_O=theirs
Subsystem sftp internal-sftp -u 0077
Match User nobody
  AcceptEnv ONE_* FOUR
Match User {user}
  AcceptEnv T?O THREE_*
  PermitTTY no
"""


SENT = ("ONE_A", "TWO", "T_O", "THREE_A", "FOUR", "NEVER")
SEND = f"-o 'SendEnv={' '.join(SENT)}'"


@pytest.mark.long
def test_the_rules_of_an_sshd(cluster: Cluster) -> None:
    """What comes of it is the same as over ssh, whose login shell prints as it starts."""
    here = cluster.state / "ssh" / "sshd_config"
    kept = [line for line in here.read_text().splitlines() if not line.startswith(("AcceptEnv", "Subsystem", "Port"))]
    rules = cluster.state.parent / "rules"
    rules.write_text("\n".join([*kept, RULES.format(user=USER)]))
    rules.chmod(0o644)
    mounts.mount(cluster.state, "h004", rules, "/etc/ssh/sshd_config")
    account(cluster, "h004", "bash", {".bashrc": "echo a greeting\n"})
    sent = cluster.state.parent / "sent"
    words = [services.find("sshd"), "-D", "-f", "/etc/ssh/sshd_config", "-p", "2400"]
    lines = [
        f"ssh {SEND} -p 2400 h004 \"env | grep '=mine$\\|=theirs$' | LC_ALL=C sort; exit 4\"",
        "ssh -tt -p 2400 h004 'tty; exit 4'",
        "ssh -s -p 2400 h004 none",
        f"echo 'put {rules} {sent}' | sftp -q -P 2400 -b - h004; stat -c %a {sent}; rm -f {sent}",
    ]
    with cluster.popen("h004", words) as other:
        cluster.run("head", ["sh", "-c", "until ssh-keyscan -p 2400 h004 2>&1 | grep -q SSH; do sleep 0.1; done"])
        try:
            with session(cluster, "h004:2400") as head:
                head.environment.update(dict.fromkeys(SENT, "mine"))
                plain = [head.sh(line)[:2] for line in lines]
                assert [head.sh(f'eval "$(mpboot env --shell sh)"; {line}')[:2] for line in lines] == plain
                other.terminate()
        finally:
            other.kill()
    assert plain[0] == (4, "a greeting\nTHREE_A=mine\nTWO=mine\nT_O=theirs\n")
    assert [code for code, _ in plain[1:3]] == [255, 255]
    assert plain[3][1].endswith("\n600\n")


RELAY = """
import socket, sys, threading
def pump(source, target):
    while data := source.recv(1 << 16):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
listener = socket.create_server(("", 2201))
print(flush=True)
while True:
    one, other = listener.accept()[0], socket.create_connection((sys.argv[1], 22))
    for pair in ((one, other), (other, one)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""


def test_a_port_that_is_passed_on_to_another_host(cluster: Cluster) -> None:
    """Its sshd knows nothing of that port, and who means the machine in between is not led there."""
    there = cluster.run("h002", ["hostname", "-I"]).stdout.split()[0]
    relay = cluster.popen(
        "h001", [sys.executable, "-c", RELAY, there], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    with relay:
        assert relay.stdout is not None
        relay.stdout.readline()
        with session(cluster, "h001:2201") as head:
            try:
                assert head.ride("ssh", "-p", "2201", "h001", "hostname") == (0, "h002\n", "")
                assert head.sockets() == {f"{USER}@h001:2201"}
                assert head.ride("ssh", "h001", "hostname")[:2] == (0, "h001\n")
            finally:
                relay.kill()


def test_a_jump_rides(cluster: Cluster) -> None:
    with session(cluster, "h001") as head:
        assert head.ride("ssh", "-J", "h001", "h002", "hostname; echo $SSH_CONNECTION | cut -d' ' -f1")[:2] == (
            0, "h002\n10.77.1.1\n",
        )  # fmt: skip
        (pid,) = services_of(cluster, "h001")
        os.kill(pid, signal.SIGSTOP)
        try:
            assert head.ride("ssh", "-J", "h001", "h002", "hostname")[:2] == (0, "h002\n")
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_login_that_is_forced_is_not_gone_round(cluster: Cluster) -> None:
    with sshd(cluster, "h003", 2300, FORCED), session(cluster, "h001,h003:2300") as head:
        code, _, errors = head.ride("true")
        assert code == 0
        assert errors == (
            "mpboot: ssh to h003 does not ride: "
            "its sshd forces a command (ForceCommand), which mpboot does not bypass\n"
        )
        assert head.sockets() == {f"{USER}@h001:22"}
        assert head.sh("mpboot exec -- hostname")[0] == 0


def test_by_sshs_own_configuration(cluster: Cluster) -> None:
    with session(cluster, "h00[1-2]") as head:
        config = cluster.state.parent / "config"
        code, text, _ = head.sh("mpboot env --ssh-config")
        assert code == 0
        (cluster.state.parent / "mpboot.conf").write_text(text)
        config.write_text(f"Include {cluster.state.parent}/mpboot.conf\nInclude /etc/ssh/ssh_config\n")
        for name, rides in (("h001", True), ("h003", False)):
            code, said, errors = head.sh(f"ssh -v -F {config} {name} hostname")
            assert (code, said) == (0, f"{name}\n")
            assert ("master session id" in errors) is rides
