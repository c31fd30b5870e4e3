"""Each cause, with a real ssh and sshd: the right name for it, in the right phase, and the other hosts none the worse.

With MPBOOT_VERDICTS=FILE the seconds from the boot's start to each verdict are appended there (tools/chaos causes).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from clusterlib import faults

from tests.support.chaos import Boot, nothing_left
from tests.support.cluster import Cluster
from tests.support.waiting import until

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(90)]

TIMEOUT = 5.0  # seconds, of the boots' launches
NORMAL = 3.5  # seconds in which good hosts are up, on a machine that is busy with other things
NAMES = [f"h{number:03}" for number in range(1, 25)]


class Case(NamedTuple):
    """A host that can't be booted, and what is to be said of it."""

    name: str
    cause: str
    phase: str
    detail: str  # a pattern
    seconds: float = TIMEOUT  # the latest, from the start of its launch


# Of hosts, in this order: each has a fault that the fixture makes.
FAULTY = [
    Case("syn-swallowed", "connect-timeout", "connect", r"no answer to SYN from 10\.77\.1\.1:22 for 5 s"),
    Case("link-down", "unreachable", "connect", r"No route to host", 3.5),
    Case("sshd-stopped", "handshake-timeout", "handshake", r"10\.77\.1\.3:22 took the connection, then nothing"),
    Case("port-closed", "refused", "connect", r"Connection refused", 0.5),
    Case("wrong-key", "auth", "handshake", r"Permission denied", 0.5),
    Case("changed-host-key", "host-key", "handshake", r"^WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!$", 0.5),
    Case("unknown-host-key", "host-key", "handshake", r"No .* host key is known for h007", 0.5),
    Case("profile-sleeps", "shell-hang", "shell", r"logged in, but the shell did not get to the agent for [45] s"),
    Case("bashrc-sleeps", "shell-hang", "shell", r"printed: reading the Lustre"),
    Case("shell-blocks", "shell-hang", "shell", r"logged in, but"),
    Case("no-python", "no-python", "shell", r"python3: not found", 1.0),
    Case("python-3.6", "no-python", "shell", r"python 3\.6\.\d+ is too old: 3\.8 or newer is needed", 1.0),
    Case("no-such-name", "resolve", "connect", r"Could not resolve hostname h013", 0.5),
    Case("python-not-whole", "no-python", "shell", r"^python3: ModuleNotFoundError: .*select", 1.0),
]
REJECTED, DROPPED = NAMES[14:16]  # what their agents send to any port of the head's is refused, or vanishes
GOOD = NAMES[16:]

# Starts a command that has a terminal to ask at, as `script` and `expect` do, its stdio elsewhere.
TERMINAL = """import fcntl, os, pty, sys, termios
leader, terminal = pty.openpty()
if not os.fork():
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    os.closerange(3, 20)
    os.execvp(sys.argv[1], sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
# An rsh of our own: what it does depends on the host.
RSH = """#!/bin/sh
host=$1; shift
on_a_terminal() { exec PYTHON SCRATCH/terminal.py "$@"; }
ask="ssh -o BatchMode=no"
case $host in
h017) on_a_terminal $ask -o PubkeyAuthentication=no $host true;;
h018) on_a_terminal $ask -o IdentityFile=SCRATCH/locked_key $host true;;
h019) on_a_terminal $ask -o StrictHostKeyChecking=ask -o UserKnownHostsFile=/dev/null \\
        -o GlobalKnownHostsFile=/dev/null $host true;;
h020) sleep 1000 & exit 3;;
h021) kill -STOP $$;;
h022) exec ssh -o BatchMode=yes -o ProxyCommand='ssh h003 -W %h:%p' $host "$@";;
h023) sleep 0.5 & exec ssh -o BatchMode=yes $host "$@";;
*) exec ssh -o BatchMode=yes $host "$@";;
esac
"""
WRAPPED = [
    Case("password", "password-prompt", "handshake", r"waits at /dev/.* for a person"),
    Case("passphrase", "password-prompt", "handshake", r"waits at /dev/.* for a person"),
    Case("host-key-question", "password-prompt", "handshake", r"waits at /dev/.* for a person"),
    Case("rsh-fails-child-holds-pipe", "rsh-failed", "connect", r"ended with code 3", 1.0),
    Case("rsh-stopped", "rsh-failed", "connect", r"was stopped by a signal", 3.5),
    Case("proxy-hangs", "handshake-timeout", "handshake", r"took the connection, then nothing"),
]

LIBRARY = """import sys
sys.modules["select"] = None
exec(sys.argv.pop(1))
"""
OLD = """import sys
sys.version_info = (3, 6, 15, "final", 0)
exec(sys.argv.pop(1))
"""


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def home(cluster: Cluster, name: str, file: str, text: str) -> Path:
    """A home directory with one start-up file."""
    made = cluster.state.parent / name
    made.mkdir()
    (made / file).write_text(text)
    return made


def other_python(cluster: Cluster, host: str, code: str) -> Path:
    """A python3 that runs ``code`` first, then what it was asked for (in sys.argv[1])."""
    hidden = cluster.state / "mounts" / host
    words = f'for real in {hidden}/origin*/python3; do exec $real -S -E -c \'{code}\' "$4" "$5"; done'
    return executable(cluster.state.parent / f"{host}.python", f"#!/bin/sh\n{words}\n")


def make_faulty(cluster: Cluster) -> None:
    """One fault a host, as in FAULTY."""
    sleeps = "echo 'reading the Lustre' >&2\nsleep 1000\n"
    old = Path.home() / ".pyenv/versions"
    real_old = next(iter(sorted(old.glob("3.6.*/bin/python3.6"))), None)
    wanted: list[tuple[object, ...]] = [
        ("blackhole",), ("down",), ("sshd-stop",), ("sshd-kill",), ("auth",), ("host-key",), (),
        ("home", home(cluster, "slow-profile", ".profile", sleeps)),
        ("home", home(cluster, "slow-bashrc", ".bashrc", sleeps)),
        ("shell", executable(cluster.state.parent / "blocks", "#!/bin/sh\nsleep 1000\n")),
        ("no-python",),
        ("python", real_old or other_python(cluster, NAMES[11], OLD)),
        ("unresolved",),
        ("python", other_python(cluster, NAMES[13], LIBRARY)),
    ]  # fmt: skip
    for host, words in zip(NAMES, wanted):
        if words:
            faults.set_fault(cluster.state, host, *map(str, words))
    faults.set_fault(cluster.state, NAMES[8], "shell", "/bin/bash")  # sshd's bash reads .bashrc
    known = cluster.state / "ssh" / "known_hosts"
    known.write_text(known.read_text().replace("*", f"!{NAMES[6]},*", 1))


def firewall(cluster: Cluster) -> None:
    """ssh's packets pass; other connections from one host are refused, from another they vanish at the head."""
    for host, words in (
        (REJECTED, "ipproto tcp sport 22 lookup main"), (REJECTED, "to 10.77.0.1 unreachable"),
        ("head", "ipproto tcp dport 22 lookup main"), ("head", "to 10.77.1.16 blackhole"),
    ):  # fmt: skip
        done = cluster.run(host, ["ip", "rule", "add", "pref", "10" if "lookup" in words else "11", *words.split()])
        if done.returncode:
            pytest.skip(f"no firewall can be made: {done.stderr.strip()}")


def some(cluster: Cluster, hosts: list[str], *words: object, command: Iterable[str] = ()) -> Boot:
    """A boot of some of the hosts, each launched once."""
    return Boot(cluster, "--hosts", ",".join(hosts), *words, "--retries", 0, command=command, hostfile="--quiet")


def record(boot: Boot, cases: dict[str, Case]) -> None:
    """Append the seconds to each verdict to the file that was asked for."""
    if "MPBOOT_VERDICTS" in os.environ:
        seconds, good = boot.verdicts(), [report["up"] for report in boot.hosts.values() if "up" in report]
        told = {case.name: [case.cause, seconds.get(host, -1)] for host, case in cases.items()}
        with Path(os.environ["MPBOOT_VERDICTS"]).open("a") as file:
            file.write(json.dumps({"verdicts": told, "good": max(good, default=0)}) + "\n")


def check(boot: Boot, host: str, case: Case) -> None:
    """Is the right thing said of the host, in time?"""
    told = boot.hosts[host]
    assert (told["state"], told["cause"], told["phase"]) == ("failed", case.cause, case.phase), told
    assert re.search(case.detail, told["detail"]), told
    assert boot.verdicts()[host] < case.seconds + NORMAL, boot.verdicts()  # its launch may begin late


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(len(NAMES), mode="ssh") as made:
        make_faulty(made)
        yield made


@pytest.fixture(scope="module")
def faulty(cluster: Cluster) -> Iterator[Boot]:
    """A boot of all hosts."""
    with Boot(cluster, "--timeout", TIMEOUT, "--retries", 0) as boot:
        yield boot.end()
        record(boot, dict(zip(NAMES, FAULTY)))


@pytest.fixture(scope="module")
def wrapped(cluster: Cluster) -> Iterator[Boot]:
    """A boot of the good hosts, with an rsh of our own that gets into trouble."""
    scratch = cluster.state.parent
    key = cluster.state / "ssh" / "client_key"
    shutil.copy(key, scratch / "locked_key")
    cluster.run("head", ["ssh-keygen", "-q", "-p", "-N", "a pass phrase", "-f", scratch / "locked_key"])
    (scratch / "terminal.py").write_text(TERMINAL)
    rsh = executable(scratch / "rsh", RSH.replace("SCRATCH", str(scratch)).replace("PYTHON", sys.executable))
    with some(cluster, GOOD, "--rsh", rsh, "--timeout", TIMEOUT) as boot:
        yield boot.end()
        record(boot, dict(zip(GOOD, WRAPPED)))


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(FAULTY)), ids=[case.name for case in FAULTY])
def test_host(faulty: Boot, number: int) -> None:
    check(faulty, NAMES[number], FAULTY[number])


def test_good_hosts_beside_faulty_ones(faulty: Boot) -> None:
    assert {*GOOD, REJECTED, DROPPED} == faulty.up()
    times = [faulty.hosts[host]["up"] for host in GOOD]
    assert max(times) < NORMAL, times
    assert faulty.code == 1
    faulty.check_numbers()
    assert faulty.seconds < TIMEOUT + NORMAL + 2


def test_a_changed_key_has_other_advice_than_an_unknown_one(faulty: Boot) -> None:
    lines = faulty.text.splitlines()
    assert sum("ssh-keygen -R HOST" in line and "attack" in line for line in lines) == 1
    assert sum("its key is not known here" in line and "-R" not in line for line in lines) == 1


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(WRAPPED)), ids=[case.name for case in WRAPPED])
def test_rsh_of_ones_own(wrapped: Boot, number: int) -> None:
    check(wrapped, GOOD[number], WRAPPED[number])


def test_good_hosts_beside_an_rsh_in_trouble(wrapped: Boot) -> None:
    assert set(GOOD[len(WRAPPED) :]) == wrapped.up()
    times = [wrapped.hosts[host]["up"] for host in wrapped.up()]
    assert max(times) < NORMAL, times


@pytest.mark.long
def test_connection_back_is_blocked(cluster: Cluster) -> None:
    firewall(cluster)
    hosts = [REJECTED, DROPPED, GOOD[0]]
    with some(cluster, hosts, "--transport", "tcp", "--timeout", TIMEOUT) as boot:
        boot.end()
        case = Case("callback-rejected", "callback-blocked", "callback", r"10\.77\.0\.1: .* (host|unreachable)", 1.0)
        check(boot, REJECTED, case)
        dropped = case._replace(name="callback-dropped", detail=r"10\.77\.0\.1: no answer", seconds=3.0)
        check(boot, DROPPED, dropped)
        assert boot.up() == {GOOD[0]}
        record(boot, {REJECTED: case, DROPPED: dropped})
    with some(cluster, hosts, "--timeout", TIMEOUT) as boot:
        assert boot.end().up() == {REJECTED, DROPPED, GOOD[0]}
        assert boot.hosts[REJECTED]["up"] < NORMAL
        assert boot.hosts[DROPPED]["up"] < NORMAL + 2


def test_rsh_is_missing(cluster: Cluster) -> None:
    with some(cluster, GOOD[:2], "--rsh", "/nonexistent/rsh") as boot:
        boot.end()
        case = Case("rsh-missing", "rsh-missing", "connect", r"/nonexistent/rsh: No such file or directory", 2.0)
        for host in GOOD[:2]:
            check(boot, host, case)
        record(boot, dict.fromkeys(GOOD[:2], case))


def test_agent_is_killed_once_it_is_up(cluster: Cluster) -> None:
    command = ("sh", "-c", "echo $MPBOOT_HOST runs; sleep 1000")
    with some(cluster, GOOD[:3], command=command) as boot:
        boot.until_said(" runs\n", 3)
        victim = GOOD[1]
        agent = next(one.parent for one in cluster.processes(victim) if one.command[-1:] == [command[-1]])
        cluster.run(victim, ["kill", "-9", agent])
        boot.until_said(f"{victim} lost: ")
        boot.process.send_signal(signal.SIGINT)
        boot.end()
        check(boot, victim, Case("agent-killed", "lost", "up", r"the agent was up, then gone: .*(clos|reset)"))
        assert boot.up() == {GOOD[0], GOOD[2]}
        record(boot, {victim: Case("agent-killed", "lost", "up", "")})


def test_nothing_is_left_of_all_that(cluster: Cluster, faulty: Boot, wrapped: Boot) -> None:
    """But for what hangs in a login shell: it is not ours, and sshd leaves it there."""
    assert (faulty.code, wrapped.code) == (1, 1)
    hung = {NAMES[7], NAMES[8], NAMES[9]}
    nothing_left(cluster, but=lambda host, _: host in hung or host == NAMES[2])
    until(lambda: not cluster.processes("head"), 5.0, lambda: str(cluster.processes("head")))
