"""LAM's lamboot over a session. It won't be run by root, so root is somebody else here: by a user namespace."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.cluster import Cluster, need_programs
from tests.support.riding import Riding, sshds_stopped
from tests.support.waiting import until

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(120)]

SOMEBODY = ["unshare", "--user", "--map-user=1", "--map-group=1"]  # daemon, in any Linux


def give_accounts(cluster: Cluster, where: Path) -> None:
    """On all hosts a login of root's becomes that of daemon, who has a home and a shell."""
    shell = where / "shell"
    shell.write_text(f'#!/bin/sh\nexec {" ".join(SOMEBODY)} /bin/sh "$@"\n')
    shell.chmod(0o755)
    accounts = where / "passwd"
    others = [
        line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith(("root:", "daemon:"))
    ]
    own = [f"root:x:0:0::{cluster.home}:{shell}", f"daemon:x:1:1::{cluster.home}:/bin/sh"]
    accounts.write_text("\n".join([*own, *others]) + "\n")
    for host in ["head", *cluster.names]:
        assert cluster.run(host, ["mount", "--bind", accounts, "/etc/passwd"]).returncode == 0


def test_lamboot() -> None:
    need_programs("lamboot", "lamnodes", "lamhalt")
    if os.getuid() != 0:
        pytest.skip("it takes root to have other accounts")
    with Cluster(4, "ssh", head_address="real") as cluster, TemporaryDirectory(prefix="mpr-") as scratch:
        where = Path(scratch)
        give_accounts(cluster, where)
        ride = Riding(cluster, where, SOMEBODY)
        booted = ride.mpboot(cluster.hostfile, "--keep", "--rsh", "ssh -l root")
        assert booted.returncode == 0, booted.stderr
        hosts = where / "lamhosts"
        hosts.write_text("".join(f"{name}\n" for name in ["head", *cluster.names]))
        try:
            with sshds_stopped(cluster), (where / "said").open("w") as said:  # the daemon here keeps what it got
                done = ride("env", "LAMRSH=mpboot-rsh", "lamboot", hosts, stdout=said, stderr=said)
            assert done.returncode == 0, (where / "said").read_text()
            listed = ride.plain("lamnodes").stdout
            assert [line.split(":")[0].split()[1] for line in listed.splitlines()] == ["head", *cluster.names]
            assert ride.plain("lamhalt").returncode == 0
            until(
                lambda: not any(one.command[0].endswith("lamd") for h in cluster.names for one in cluster.processes(h))
            )
            assert ride.mpboot("halt").returncode == 0
        finally:
            for name in ["head", *cluster.names]:
                shutil.rmtree(f"/tmp/lam-daemon@{name}", ignore_errors=True)
