"""Hosts of the field, and what each has of its own: firewalls, names, keys, old sshds, settings of ssh's."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Callable, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from clusterlib import faults, mounts, wire  # noqa: E402

from tests.support.cluster import Cluster  # noqa: E402

HEAD = "10.77.0.1"
TIMEOUT = 5.0  # seconds of a launch
WAIT = 14.0  # seconds of --wait-for: a launch in vain, the pause after it, and a launch that succeeds, with room

SERVER = """
import socket
server, held = socket.create_server(("", {port})), []
print("here", flush=True)
while True:
    held.append(server.accept())
    {then}
"""
OTHERS = ("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "22", "!", "-s", HEAD)
REDIRECT = ("iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "22", "!", "-s", HEAD)
OLD_KEX = "diffie-hellman-group14-sha1"
BANNER = "Connection refused. Host key verification failed. Permission denied to strangers.\n"
PAM = """auth required pam_permit.so
account requisite pam_echo.so System is booting up. Unprivileged users are not permitted to log in yet.
account required pam_deny.so
session required pam_permit.so
"""
OWN = (
    "LogLevel QUIET", "LogLevel FATAL", "LogLevel ERROR", "LogLevel VERBOSE", "LogLevel DEBUG3", "VisualHostKey yes",
    "RemoteCommand echo its own", "RequestTTY force", "SessionType none", "StdinNull yes",
    "ForkAfterAuthentication yes",
)  # fmt: skip
RSH = ("ssh", "ssh", "ssh", "ssh -q", "ssh -v", "ssh -vvv", "ssh -o LogLevel=QUIET", "ssh -qnE /dev/null")


class Field:
    """A cluster on which faults are made, each on a host of its own; some pass when ``mend`` says so."""

    def __init__(self, cluster: Cluster, dice: random.Random) -> None:
        self.cluster, self.dice = cluster, dice
        self.config = ""  # of the head's user, for ssh
        self._servers: dict[str, subprocess.Popen[str]] = {}

    def run(self, host: str, *words: object) -> None:
        """Run the words on the host; AssertionError if they fail."""
        done = self.cluster.run(host, words)
        assert done.returncode == 0, f"{host}: {words}: {done.stderr}"

    def fault(self, host: str, kind: str) -> None:
        """One of those that tools/cluster knows."""
        faults.set_fault(self.cluster.state, host, kind)

    def serve(self, host: str, port: int, then: str = "") -> None:
        """Somebody who takes connections there and does not speak ssh."""
        code = SERVER.format(port=port, then=then or "pass")
        server = self._servers[host] = self.cluster.popen(host, ["python3", "-c", code], stdout=-1)
        assert server.stdout is not None
        assert server.stdout.readline() == "here\n"

    def sshd(self, host: str, *lines: str) -> None:
        """The host's sshd has these settings before its others."""
        path = self.cluster.state / "ssh" / "sshd_config"
        own = path.with_name(f"sshd_config.{host}")
        own.write_text("\n".join([*lines, path.read_text()]))
        mounts.mount(self.cluster.state, host, own, str(path))
        wire.control(self.cluster.state, host, "service", "restart")

    def file(self, host: str, target: str, text: str) -> None:
        """The host has another file there."""
        path = self.cluster.state.parent / f"{host}{target.replace('/', '.')}"
        path.write_text(text)
        mounts.mount(self.cluster.state, host, path, target)

    def ssh(self, host: str, line: str) -> None:
        """The head's user has this in his ssh's configuration, for this host."""
        self.config += f"Host {host}\n  {line}\n"

    def banner(self, host: str) -> None:
        """The host's sshd has a banner that reads like an error of ssh's."""
        path = self.cluster.state.parent / f"{host}.banner"
        path.write_text(BANNER)
        self.sshd(host, f"Banner {path}")

    def mend(self, host: str) -> None:
        """What was wrong with the host has passed."""
        server = self._servers.pop(host, None)
        if server is not None:
            stop(server)
        faults.clear(self.cluster.state, host)
        wire.control(self.cluster.state, host, "service", "restart")

    def close(self) -> None:
        """End what this has started on the hosts."""
        while self._servers:
            stop(self._servers.popitem()[1])


def stop(server: subprocess.Popen[str]) -> None:
    server.kill()
    server.communicate()


def mute(field: Field, host: str) -> None:
    """Nobody answers the host's questions for names, nor are the others in its /etc/hosts."""
    field.file(host, "/etc/resolv.conf", f"nameserver {HEAD}\noptions timeout:30 attempts:1\n")
    field.file(host, "/etc/hosts", "127.0.0.1 localhost\n")
    field.run("head", "iptables", "-A", "INPUT", "-p", "udp", "--dport", "53", "-j", "DROP")


def silent(field: Field, host: str) -> None:
    """To all but the head somebody else answers, who says nothing."""
    field.serve(host, 2222)
    field.run(host, *REDIRECT, "-j", "REDIRECT", "--to-ports", 2222)


def closing(field: Field, host: str) -> None:
    """Whoever connects is sent away without a word."""
    field.fault(host, "refuse")
    field.serve(host, 22, "held.pop()[0].close()")


def booting(field: Field, host: str) -> None:
    """The system starts, and lets nobody in yet."""
    field.file(host, "/etc/pam.d/sshd", PAM)
    field.sshd(host, "UsePAM yes")


def old(field: Field, host: str) -> None:
    """An old key exchange, which the user has allowed for this host."""
    field.sshd(host, f"KexAlgorithms {OLD_KEX}")
    field.ssh(host, f"KexAlgorithms +{OLD_KEX}")


def own_settings(fault: str = "") -> Callable[[Field, str], None]:
    """The fault, where the user has settings of his own that say less or more than mpboot needs."""

    def make(field: Field, host: str) -> None:
        if fault != "never" and field.dice.random() < 0.5:
            field.banner(host)
        if fault:
            field.fault(host, fault)
        field.ssh(host, field.dice.choice(OWN))

    return make


class Kind(NamedTuple):
    """What can be the matter with a host."""

    group: str
    make: Callable[[Field, str], None]
    cause: str = ""  # '': it comes up all the same


KINDS = {
    "guarded-refuses": Kind("reach", lambda f, h: f.run(h, *OTHERS, "-j", "REJECT", "--reject-with", "tcp-reset")),
    "guarded-prohibits": Kind("reach", lambda f, h: f.run(h, *OTHERS, "-j", "REJECT")),
    "guarded-drops": Kind("reach", lambda f, h: f.run(h, *OTHERS, "-j", "DROP")),
    "guarded-silent": Kind("reach", silent),
    "mute": Kind("reach", mute),
    "name-later": Kind("passes", lambda f, h: f.fault(h, "unresolved")),
    "key-later": Kind("passes", lambda f, h: f.fault(h, "auth")),
    "closing": Kind("passes", closing),
    "booting": Kind("passes", booting),
    "listens-later": Kind("passes", lambda f, h: f.fault(h, "refuse")),
    "old": Kind("old", old),
    "few": Kind("old", lambda f, h: f.sshd(h, "KexAlgorithms diffie-hellman-group14-sha256")),
    "own-auth": Kind("own", own_settings("auth"), "auth"),
    "own-host-key": Kind("own", own_settings("host-key"), "host-key"),
    "own-refused": Kind("own", own_settings("refuse"), "refused"),
    "own-resolve": Kind("own", own_settings("unresolved"), "resolve"),
    "own-dropped": Kind("own", own_settings("never"), "connect-timeout"),
    "own-good": Kind("own", own_settings()),
}
