"""Help for hosts: psutil that travels, parents that can't launch, hosts that are still starting or too busy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mpboot.node import parcel
from tests.support.cluster import Cluster

MPBOOT = [sys.executable, "-m", "mpboot"]
PSUTIL = Path(psutil.__file__).parent.parent


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(10, latency=0.1) as made:
        yield made


def boot(cluster: Cluster, *options: str) -> dict[str, Any]:
    """A boot's report, with the exit code and stderr."""
    target = cluster.state / "report.json"
    done = cluster.run("head", [*MPBOOT, str(cluster.hostfile), "--json", str(target), *options])
    return {**json.loads(target.read_text()), "code": done.returncode, "stderr": done.stderr}


class TestPsutil:
    @pytest.mark.long
    @pytest.mark.cluster
    @pytest.mark.skipif(os.getuid() != 0, reason="in a user's own namespace /tmp is nobody's: nothing is kept there")
    def test_comes_from_the_parent_where_a_host_has_none(self, cluster: Cluster) -> None:
        if not subprocess.run(["/usr/bin/python3", "-c", "import psutil"], capture_output=True, check=False).returncode:
            pytest.skip("the system's python3 has psutil: no host wants it")
        cluster.fault(cluster.names[9], "hang")
        for _ in range(2):  # the second time it is already kept there
            report = boot(cluster, "--topology", "ring", "--timeout", "3.5", "--retries", "0")
            notes = {note["text"]: note["hosts"] for note in report["notes"] if note["what"] == "watch"}
            assert cluster.names[8] in notes["psutil came from the parent"]  # and in its ancestors, by way of which
            assert report["hosts"][cluster.names[9]]["cause"] == "shell-hang"
            kept = list((cluster.home / ".cache" / "mpboot" / "psutil").iterdir())
            assert len(kept) == 1
            assert kept[0].stat().st_mode & 0o077 == 0

    def test_what_was_tampered_with_is_replaced(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        packed = parcel.pack(str(PSUTIL))
        assert packed is not None
        assert parcel.fits(packed)
        directory = parcel.keep(packed)
        assert directory is not None
        assert parcel.kept(parcel.digest(packed)) == directory
        victim = Path(directory) / "psutil" / "__init__.py"
        good = victim.read_bytes()
        victim.write_bytes(b"raise SystemExit('owned')")
        assert parcel.kept(parcel.digest(packed)) is None
        assert parcel.keep(packed) == directory
        assert victim.read_bytes() == good
        (Path(directory) / "psutil" / "more.py").write_bytes(b"")
        assert parcel.kept(parcel.digest(packed)) is None

    def test_another_platforms_is_not_used(self) -> None:
        packed = parcel.pack(str(PSUTIL))
        assert packed is not None
        assert parcel.platform("x.cpython-39-x86_64-linux-gnu.so") != parcel.platform("x.abi3.so")

    def test_no_place_to_keep_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        packed = parcel.pack(str(PSUTIL))
        assert packed is not None
        assert parcel.keep(packed) is None


def script(cluster: Cluster, text: str) -> str:
    """An rsh of our own."""
    path = cluster.home / "rsh"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.cluster
@pytest.mark.parametrize("options", [["--children", "3"], []], ids=["tree", "adaptive"])
def test_hosts_without_a_key_are_leaves(cluster: Cluster, options: list[str]) -> None:
    refuse = 'echo "joe@$1: Permission denied (publickey)." >&2; exit 255'
    rsh = script(cluster, f'[ "$(hostname)" = head ] || {{ {refuse}; }}\nexec {cluster.rsh} "$@"\n')
    report = boot(cluster, "--rsh", rsh, *options)
    assert (report["code"], report["up"]) == (0, 10)
    assert {host["parent"] for host in report["hosts"].values()} == {"head"}
    said = [line for line in report["stderr"].splitlines() if "can't launch other hosts (auth)" in line]
    assert len(said) == 1 if options else len(said) <= 1


@pytest.mark.long
@pytest.mark.cluster
def test_hosts_that_are_still_starting_are_waited_for(cluster: Cluster) -> None:
    late = cluster.home / "late"
    rsh = script(
        cluster,
        f"""
case "$*" in
*{cluster.names[3]}*)
    echo try >> {late}
    if [ "$(wc -l < {late})" -lt 5 ]; then
        echo "ssh: connect to host {cluster.names[3]} port 22: Connection refused" >&2; exit 255
    fi;;
esac
exec {cluster.rsh} "$@"
""",
    )
    report = boot(cluster, "--rsh", rsh, "--topology", "flat", "--retries", "0", "--wait-for", "30")
    assert (report["code"], report["hosts"][cluster.names[3]]["attempts"]) == (0, 5)


@pytest.mark.long
@pytest.mark.cluster
def test_a_host_that_turns_us_away_is_asked_again(cluster: Cluster) -> None:
    busy = cluster.home / "busy"
    rsh = script(
        cluster,
        f"""
case "$*" in
*{cluster.names[3]}*)
    echo try >> {busy}
    if [ "$(wc -l < {busy})" -lt 4 ]; then
        echo "kex_exchange_identification: Connection closed by remote host" >&2
        echo "Connection closed by 10.77.1.4 port 22" >&2; exit 255
    fi;;
esac
exec {cluster.rsh} "$@"
""",
    )
    report = boot(cluster, "--rsh", rsh, "--topology", "flat", "--retries", "0")
    assert (report["code"], report["hosts"][cluster.names[3]]["attempts"]) == (0, 4)
