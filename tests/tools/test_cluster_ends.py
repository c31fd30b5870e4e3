"""tools/cluster leaves nothing, however it ends, and needs no root."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import TOOL, Cluster, need, tool, wait_for
from tests.support.waiting import until

pytestmark = pytest.mark.cluster


def leftovers(state: Path) -> list[str]:
    """Processes and mounts that have to do with the cluster."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(state).encode() in (entry / "cmdline").read_bytes():
                found.append(f"process {entry.name}")
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return found + [line for line in mounts if str(state) in line]


def host_pids(supervisor: int) -> list[int]:
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(pid) for pid in children]


def is_gone(pid: int) -> bool:
    """Has it ended? A zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_gone(pids: list[int]) -> None:
    until(lambda: all(map(is_gone, pids)), why=lambda: f"left: {[pid for pid in pids if not is_gone(pid)]}")


class TestNothingIsLeft:
    @pytest.mark.parametrize("mode", ["bare", "ssh"])
    @pytest.mark.parametrize("way", ["down", "kill"])
    def test_after(self, mode: str, way: str) -> None:
        with Cluster(3, mode=mode) as made:
            running = made.popen("h001", ["sleep", "63"])
            wait_for(made, "h001", "sleep 63")
            pids, supervisor = host_pids(made.supervisor), made.supervisor
            assert len(pids) == 5  # four hosts and the watcher
            if way == "down":
                tool("down", "--state", made.state)
            else:
                os.kill(supervisor, signal.SIGKILL)
            assert running.wait(timeout=10) != 0
            wait_gone([supervisor, *pids])
            until(lambda: not made.state.exists())
            assert leftovers(made.state) == []
            assert not made.hostfile.exists()

    def test_up_cleans_what_a_killed_cluster_and_watcher_left(self, tmp_path: Path) -> None:
        need("namespaces")
        where = tmp_path / "state"
        with Cluster(2, state=where) as made:
            pids = host_pids(made.supervisor)
            watcher = pids[0]
            os.kill(watcher, signal.SIGKILL)
            os.kill(made.supervisor, signal.SIGKILL)
            wait_gone(pids)
            assert where.exists()
            with Cluster(2, state=where) as again:
                assert again.run("h001", ["hostname"]).stdout == "h001\n"
            assert not where.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests are without root already")
class TestWithoutRoot:
    @pytest.mark.parametrize("mode", ["bare", "ssh"])
    def test_as_nobody(self, mode: str) -> None:
        need("namespaces" if mode == "bare" else "sshd")
        user = pwd.getpwnam("nobody")
        where = Path(f"/tmp/mpc-nobody-{os.getpid()}-{mode}")
        where.mkdir()
        os.chown(where, user.pw_uid, user.pw_gid)
        become = ["setpriv", "--reuid=nobody", f"--regid={user.pw_gid}", "--clear-groups"]
        prefix = [*become, "/usr/bin/python3", str(TOOL)]
        options: dict[str, Any] = {
            "capture_output": True, "text": True, "cwd": where, "timeout": 60,
            "env": {"PATH": "/usr/bin:/bin", "HOME": str(where), "MPBOOT_CLUSTER_STATE": str(where / "s")},
        }  # fmt: skip
        shell = ["--shell", "/bin/sh", "--home", str(where)]
        try:
            made = subprocess.run([*prefix, "up", "3", f"--{mode}", *shell], check=False, **options)
            assert made.returncode == 0, made.stderr
            rsh_word = "ssh" if mode == "ssh" else "$MPBOOT_RSH"
            script = f"id -un; {rsh_word} h002 'hostname; id -un'"
            done = subprocess.run([*prefix, "exec", "head", "sh", "-c", script], check=False, **options)
            assert done.stdout == "nobody\nh002\nnobody\n", done.stderr
            if mode == "bare":
                done = subprocess.run([*prefix, "up", "1", "--rsh", "--state", "other"], check=False, **options)
                assert (done.returncode, "needs root" in done.stderr) == (2, True)
        finally:
            subprocess.run([*prefix, "down"], check=False, **options)
        assert sorted(entry.name for entry in where.iterdir()) in ([], [".cache"])
        subprocess.run(["rm", "-rf", str(where)], check=True)
