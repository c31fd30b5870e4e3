"""Who connects to a parent's accept socket and is no agent: counted, and otherwise without effect."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpboot.node.leaf import UNPROVED
from tests.support.chaos import Boot, Held, nothing_left, root_of
from tests.support.cluster import Cluster
from tests.support.hostile_boot import HOSTILE
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]

TREE = ("--topology", "tree", "--children", 4, "--timeout", 15)
LATENCY = 0.7  # seconds that each rsh takes
MEGABYTES = 8  # that a parent may need for its strangers, at most

# Keeps so many strangers of each kind at each target; whoever is sent away comes back a little later.
STRANGER = """
import os, selectors, socket, sys, time
count, record = int(sys.argv[1]), open(sys.argv[2], "rb").read()
targets = [(word.partition(":")[0], int(word.partition(":")[2])) for word in sys.argv[3:]]
half = b"MPB2" + bytes(4) + b"\x01" + os.urandom(9)
kinds = [b"", os.urandom(4096), half, record, None]
selector = selectors.DefaultSelector()
again = [(0.0, target, kind) for target in targets for kind in kinds for _ in range(count)]
while True:
    now, due = time.monotonic(), again
    again = []
    for when, target, kind in due:
        if when > now:
            again.append((when, target, kind))
            continue
        try:
            link = socket.create_connection(target, 5)
            link.setblocking(False)
            link.send(kind or b"")
        except OSError:
            again.append((now + 0.2, target, kind))
            continue
        if kind is None:  # a flood: gone as soon as it has come
            link.close()
            again.append((now + 0.2, target, kind))
        else:
            selector.register(link, selectors.EVENT_READ, (target, kind))
    for key, _ in selector.select(0.05):
        try:
            if key.fileobj.recv(4096):
                continue
        except OSError:
            pass
        selector.unregister(key.fileobj)
        key.fileobj.close()
        again.append((now + 0.2, *key.data))
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(32, latency=LATENCY) as made:
        yield made


@pytest.fixture(scope="module")
def recording(cluster: Cluster) -> tuple[str, Path]:
    """An rsh that keeps what its agent says, with --transport stdio, and where it does."""
    scratch = cluster.state.parent
    rsh, record = scratch / "recorder", scratch / "record"
    rsh.write_text(f'#!/bin/sh\n{cluster.rsh} "$@" | tee {record}.$1\n')
    rsh.chmod(0o755)
    return str(rsh), record


def port_of(cluster: Cluster, host: str) -> int:
    """The port on which the only parent there listens; 0 if there is none yet."""
    for line in cluster.run(host, ["cat", "/proc/net/tcp"]).stdout.splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        if state == "0A":
            return int(local.partition(":")[2], 16)
    return 0


def address(cluster: Cluster, host: str) -> str:
    """Where strangers find that host's parent."""
    port = until(lambda: port_of(cluster, host), 20.0, lambda: f"no parent on {host}")
    return f"10.77.0.1:{port}" if host == "head" else f"10.77.1.{int(host[1:])}:{port}"


def peak(cluster: Cluster, host: str, pid: int) -> int:
    """The most memory that a process ever had, in MB."""
    status = cluster.run(host, ["cat", f"/proc/{pid}/status"]).stdout
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def boot(cluster: Cluster, recorded: Path, strangers: int) -> tuple[Boot, int]:
    """A boot of all hosts, with so many strangers of each kind at the head and at a parent; the root's peak."""
    held = Held(cluster)
    visitors: list[subprocess.Popen[str]] = []
    with Boot(cluster, *TREE, command=held.command) as run:
        try:
            for host in ("head", "h001") if strangers else ():
                argv = [sys.executable, "-c", STRANGER, strangers, recorded, address(cluster, host)]
                visitors.append(cluster.popen("h032", argv, stdin=subprocess.DEVNULL))
            run.until_said(" runs\n", 32, seconds=40)
            root = peak(cluster, "head", root_of(cluster))
        finally:
            for visitor in visitors:
                visitor.kill()
                visitor.wait()
        held.release()
        run.end()
    run.check_numbers()
    nothing_left(cluster)
    assert run.code == 0
    return run, root


@pytest.mark.long
@pytest.mark.alone
def test_two_hundred_strangers(
    cluster: Cluster, recording: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rsh, record = recording
    with Boot(cluster, "--hosts", "h001", "--rsh", rsh, "--transport", "stdio", hostfile="--quiet") as run:
        assert run.end().code == 0
    said = Path(f"{record}.h001").read_bytes()
    record.write_bytes(said[said.index(b"MPB2") :])
    alone, memory = boot(cluster, record, 0)
    together, memory_together = boot(cluster, record, 40)
    seconds = [max(host["up"] for host in run.hosts.values()) for run in (alone, together)]
    with capsys.disabled():
        told = f"{seconds[0]:.2f} s alone, {seconds[1]:.2f} s with strangers"
        print(f" [{told}; {memory} and {memory_together} MB; {together.report['strangers']} strangers] ", end="")
    assert alone.report["strangers"] == 0
    assert together.report["strangers"] >= 200
    assert seconds[1] < 1.5 * seconds[0] + 1.5  # 1.1 on a machine whose strangers run elsewhere
    assert memory_together <= memory + MEGABYTES


@pytest.mark.long
@pytest.mark.alone
def test_more_silent_strangers_than_are_held(cluster: Cluster) -> None:
    nothing = cluster.state.parent / "nothing"
    nothing.write_bytes(b"")
    run, _ = boot(cluster, nothing, 160)  # 320 that say nothing, at each of the two sockets
    assert run.report["strangers"] > 2 * 320


def test_replay_within_the_boot(cluster: Cluster, recording: tuple[str, Path]) -> None:
    """The secret is the same, and the record all right; the parent's nonce is another."""
    rsh, record = recording
    held = Held(cluster)
    words = ("--hosts", "h[001-003]", "--rsh", rsh, "--transport", "stdio", "--topology", "flat")
    with Boot(cluster, *words, command=held.command, hostfile="--quiet") as run:
        run.until_said(" runs\n", 3)
        said = Path(f"{record}.h002").read_bytes()
        record.write_bytes(said[said.index(b"MPB2") :])
        code = (
            "import socket, sys\n"
            "link = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)\n"
            "link.sendall(open(sys.argv[3], 'rb').read())\n"
            "while link.recv(4096): pass\n"
        )
        host, _, port = address(cluster, "head").partition(":")
        cluster.run("h009", [sys.executable, "-c", code, host, port, record])
        held.release()
        assert run.end().code == 0
        assert run.report["strangers"] == 1
        assert run.report["up"] == 3


@pytest.mark.long
@pytest.mark.skipif(os.getuid() != 0, reason="only root can bring up a host's loopback")
@pytest.mark.parametrize(("squatter", "seconds"), [("squat-silent", UNPROVED), ("squat-answers", 0.0)])
def test_a_stranger_on_the_parents_port_at_another_address(cluster: Cluster, squatter: str, seconds: float) -> None:
    """Where the agent looks first, somebody else accepts: the parent is at the next address."""
    scratch = cluster.state.parent
    own = scratch / squatter
    own.mkdir()
    (own / "python3").write_text(f"#!/bin/sh\nexec {HOSTILE}\n")
    (own / "python3").chmod(0o755)
    before = f"export HOSTILE={squatter}; "
    rsh = own / "rsh"
    rsh.write_text(f"#!/bin/sh\nhost=$1; shift\nexec {cluster.rsh} $host '{before}'\"$*\"\n")
    rsh.chmod(0o755)
    options = ("--hosts", "h[001-003]", "--rsh", rsh, "--topology", "flat", "--transport", "tcp", "--timeout", 15)
    words = [*options, "--retries", 0, "--python", own / "python3"]
    with Boot(cluster, *words, command=["hostname"], hostfile="--quiet") as run:
        assert run.end().code == 0
    assert {f"h00{number}: h00{number}" for number in (1, 2, 3)} <= set(run.text.splitlines())
    took = max(host["up"] - host["launched"] for host in run.hosts.values())
    assert seconds < took < seconds + LATENCY + 2.0
    nothing_left(cluster)
