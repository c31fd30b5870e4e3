"""Boots of hosts that differ as those in the field do: firewalls, names, keys, old sshds, settings of ssh's.

tools/field runs them; tests/whole/test_field.py has a short piece of it.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Callable, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import pytest  # noqa: E402
from clusterlib import faults, mounts, wire  # noqa: E402

from tests.support.chaos import Boot, nothing_left  # noqa: E402
from tests.support.cluster import Cluster  # noqa: E402

HEAD = "10.77.0.1"
GOOD, HARD = 4, 6  # hosts
TIMEOUT = 5.0  # seconds of a launch
WAIT = 14.0  # seconds of --wait-for: a launch in vain, the pause after it, and a launch that succeeds, with room
# Seconds by which good hosts may be later than without the others: ten hosts make a tree that is a level deeper than
# four, and their launches share this machine's processors. On one with nothing else to do it is a tenth of that.
LATER = 2.0
SLOW = 1.5  # seconds of a boot of four good hosts: this machine has so much else to do that no time means anything
CROWDED = 10  # processes that want each processor, for the same
AGAIN = 5  # times that a run is made anew where that was so
ENDS = WAIT + 3 * TIMEOUT + 5.0  # seconds that a boot may take: what began just before WAIT was over, here and there

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


class Violation(AssertionError):
    """Something that must hold does not."""


class TooBusy(Exception):
    """A run that went wrong while this machine was too busy to say anything of it."""


class Told(NamedTuple):
    """A run that went well: what it was, the seconds by which good hosts were later, and the causes of the others."""

    line: str
    later: float
    kinds: list[str]


def choose(dice: random.Random) -> list[str]:
    """Six different kinds: of all groups, or of all but those that pass, which take a boot with --wait-for."""
    waits = dice.random() < 0.5
    groups = {name: kind.group for name, kind in KINDS.items() if waits or kind.group != "passes"}
    chosen = [
        dice.choice([name for name, its in groups.items() if its == group]) for group in dict.fromkeys(groups.values())
    ]
    chosen += dice.sample([name for name in groups if name not in chosen], HARD - len(chosen))
    dice.shuffle(chosen)
    return chosen


class Run:
    """What a seed has chosen: which host is what, and how they are booted."""

    def __init__(self, seed: int, cluster: Cluster) -> None:
        self.dice = dice = random.Random(seed)
        self.cluster = cluster
        chosen = choose(dice)
        self.order = dice.sample(cluster.names, len(cluster.names))
        self.kinds = dict(zip(dice.sample(self.order, HARD), chosen))
        self.good = [name for name in self.order if name not in self.kinds]
        self.passing = [name for name, kind in self.kinds.items() if KINDS[kind].group == "passes"]
        tree = dice.choice((["--children", 2], ["--children", 3], ["--topology", "adaptive"]))
        self.words = [*tree, "--timeout", TIMEOUT, "--retries", dice.choice((0, 1)), "--rsh", dice.choice(RSH)]
        self.text = ""  # of the boot of all

    def __str__(self) -> str:
        named = [f"{name}={self.kinds.get(name, 'good')}" for name in self.order]
        return f"{' '.join(map(str, self.words))} of {','.join(named)}"

    def good_alone(self) -> float:
        """The second in which the last of the good hosts is up where there are no others."""
        with boot(self.cluster, self.good, self.words) as made:
            check(made.end(ENDS), self.good, {})
        return last(made, self.good)

    def all(self, field: Field) -> Boot:
        """The boot of all, to its end; what is to pass does so once it was met."""
        with boot(self.cluster, self.order, [*self.words, "--wait-for", WAIT if self.passing else 0]) as made:
            try:
                made.until(lambda _: made.verdicts().keys() >= set(self.passing), ENDS)
                for name in self.passing:
                    field.mend(name)
                made.end(ENDS)
            finally:
                self.text = made.text
        return made

    def make(self) -> Told:
        """The good hosts alone, then all. Violation, with the boot's log, if something must hold and does not."""
        field = Field(self.cluster, self.dice)
        alone: list[float] = []
        try:
            alone.append(self.good_alone())
            hard(field, self.kinds)
            made = self.all(field)
            alone.append(self.good_alone())
            check(made, self.order, self.kinds)
            later = last(made, self.good) - max(alone)
            assert later < allowed(self.kinds), f"good hosts were {later:.2f} s later than without the others"
            field.close()
            nothing_left(self.cluster)
        except AssertionError as error:
            load = os.getloadavg()[0]
            if max(alone, default=0.0) > SLOW or load > CROWDED * (os.cpu_count() or 1):
                told = f"load {load:.0f}, the good alone up after {', '.join(f'{seconds:.1f} s' for seconds in alone)}"
                raise TooBusy(f"{told}: {str(error)[:300]}") from error
            raise Violation(f"{self}\n{error}\n{self.text[-6000:]}") from error
        finally:
            field.close()
        seconds = f"good hosts {later:+.2f} s, end at {made.report['seconds']:.1f} s"
        return Told(f"{self}: {seconds}", later, list(self.kinds.values()))


def run(seed: int) -> Told:
    """A run on a cluster of its own; anew where this machine was too busy."""
    for left in reversed(range(AGAIN)):
        with Cluster(GOOD + HARD, "ssh") as cluster:
            try:
                return Run(seed, cluster).make()
            except TooBusy as error:
                print(f"seed {seed}: not counted: {error}", flush=True)
                if not left:
                    raise
    raise AssertionError


def hard(field: Field, kinds: dict[str, str]) -> None:
    """Make the hosts what they are to be, and write the configuration that goes with it."""
    for host, kind in kinds.items():
        KINDS[kind].make(field, host)
    if field.dice.random() < 0.3:
        field.config += f"Host *\n  {field.dice.choice(OWN)}\n"
    path = field.cluster.home / ".ssh" / "config"
    path.parent.mkdir()
    path.write_text(field.config)
    path.chmod(0o600)


def boot(cluster: Cluster, hosts: list[str], words: list[object]) -> Boot:
    """A boot of these hosts."""
    return Boot(cluster, "--hosts", ",".join(hosts), *words, hostfile="--quiet")


def check(made: Boot, hosts: list[str], kinds: dict[str, str]) -> None:
    """Every host is up that can be, and each of the others has its cause. AssertionError."""
    causes = {host: KINDS[kind].cause for host, kind in kinds.items() if KINDS[kind].cause}
    assert list(made.hosts) == hosts
    told = {host: made.hosts[host] for host, cause in made.causes().items() if causes.get(host) != cause}
    assert made.causes() == causes, f"wrong: {told}"
    assert made.code == (1 if causes else 0)
    others = {host: made.hosts[host]["launcher"] for host in causes if made.hosts[host]["launcher"] != "head"}
    assert not others, f"the head was not the last to try: {others}"


def last(made: Boot, hosts: list[str]) -> float:
    """The second in which the last of these was up."""
    return max(float(made.hosts[host]["up"]) for host in hosts)


def allowed(kinds: dict[str, str]) -> float:
    """How much later the good hosts may be: whom a host without a name server was given first lose one launch."""
    return LATER + (TIMEOUT if "mute" in kinds.values() else 0.0)


def loop(runs: int, seed: int) -> int:
    """Run after run, a line for each, and what came of all; 1 if something was wrong."""
    good: list[float] = []
    kinds: Counter[str] = Counter()
    wrong: list[int] = []
    busy = 0
    for number in range(seed, seed + runs):
        begin = monotonic()
        try:
            told = run(number)
        except TooBusy:
            busy += 1
            continue
        except AssertionError as error:
            wrong.append(number)
            print(f"seed {number}: VIOLATION: {error}\nto repeat: tools/field --runs 1 --seed {number}", flush=True)
            continue
        good.append(told.later)
        kinds.update(told.kinds)
        print(f"seed {number:4}  {told.line}, {monotonic() - begin:.1f} s in all", flush=True)
    print(", ".join(f"{name} {kinds[name]}" for name in KINDS))
    wrongs = f"{runs} runs, {len(wrong)} wrong {wrong or ''}, {busy} not counted since this machine was too busy"
    print(f"{wrongs}; good hosts were {max(good, default=0.0):+.2f} s later at most")
    return 1 if wrong else 0


def main() -> int:
    """Arguments in, exit code out."""
    parser = argparse.ArgumentParser(prog="tools/field", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next has one more")
    wish = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # its cluster goes with it
    try:
        return loop(wish.runs, wish.seed)
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        print(f"tools/field: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
