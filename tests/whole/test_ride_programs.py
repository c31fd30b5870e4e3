"""Programs that call ssh, unchanged, over a session whose hosts let nobody in: each does what it does over ssh."""

from __future__ import annotations

import filecmp
import os
import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.support.cluster import need_programs, program
from tests.support.kept import kept
from tests.support.riding import Riding, riding

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(120)]

HOSTS = 16
RANKS = r"""
#include <mpi.h>
#include <stdio.h>
int main(int argc, char **argv) {
    int rank, size, length, sum;
    char name[MPI_MAX_PROCESSOR_NAME];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(name, &length);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    printf("%d of %d on %s: %d\n", rank, size, name, sum);
    MPI_Finalize();
    return argc > 1 && rank == 5 ? 3 : 0;
}
"""


@pytest.fixture(scope="module")
def ride() -> Iterator[Riding]:
    """Sixteen hosts whose sshds are stopped, and the programs that ride a session of them."""
    with riding(HOSTS) as made:
        yield made


@pytest.fixture
def where(ride: Riding) -> Path:
    """A directory of the test's own, the same on every host."""
    return Path(mkdtemp(dir=ride.directory))


def noise(path: Path, size: int) -> bytes:
    """A file of any bytes."""
    content = random.Random(size).randbytes(size)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


def same(one: Path, other: Path) -> bool:
    """Do both directories hold the same?"""
    found = filecmp.dircmp(one, other)
    _, different, unread = filecmp.cmpfiles(one, other, found.common_files, shallow=False)
    if found.left_only or found.right_only or found.common_funny or different or unread:
        return False
    return all(same(one / name, other / name) for name in found.common_dirs)


def test_nobody_is_let_in_meanwhile(ride: Riding) -> None:
    done = ride.plain("ssh", "-o", "ConnectTimeout=1", "h003", "hostname")
    assert (done.returncode, done.stdout) == (255, "")
    assert ride.ok("ssh", "-o", "ConnectTimeout=1", "h003", "hostname") == "h003\n"


def test_ssh(ride: Riding) -> None:
    content = random.Random(1).randbytes(300_000)
    done = ride("ssh", "h007", "cat; echo no >&2; exit 3", input=content, text=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, content, b"no\n")
    assert ride.ok("rsh", "-l", os.environ.get("USER", "root"), "h007", "-n", "echo $0; pwd").splitlines() == [
        "sh", str(ride.cluster.home),
    ]  # fmt: skip


@pytest.mark.parametrize("way", ["", "-O"], ids=["by sftp", "as of old"])
def test_scp(ride: Riding, where: Path, way: str) -> None:
    content = noise(where / "a file", 3_000_000)
    noise(where / "tree" / "below" / "b", 10)
    words = ["scp", "-q", *way.split()]
    ride.ok(*words, where / "a file", f"h002:{where}/there")
    assert (where / "there").read_bytes() == content
    ride.ok(*words, "-rp", f"h002:{where}/tree", where / "back")
    assert same(where / "tree", where / "back")
    done = ride(*words, f"h002:{where}/none", where / "x")
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr


def test_sftp(ride: Riding, where: Path) -> None:
    content = noise(where / "a", 3_000_000)
    batch = f"cd {where}\nput {where}/a b\nget b {where}/c\nrename b d\nls -1\n"
    said = ride.ok("sftp", "-q", "-b", "-", "h005", input=batch)
    assert [(where / name).read_bytes() == content for name in "cd"] == [True, True]
    assert said.splitlines()[-3:] == ["a", "c", "d"]
    assert ride("sftp", "-q", "-b", "-", "h005", input=f"get {where}/none\n").returncode == 1


def test_rsync(ride: Riding, where: Path) -> None:
    need_programs("rsync")
    tree, there, back = where / "tree", where / "there", where / "back"
    for number in range(2000):
        noise(tree / f"d{number % 40}" / f"f{number}", number)
    noise(tree / "large", 20_000_000)
    (tree / "link").symlink_to("large")
    ride.ok("rsync", "-a", f"{tree}/", f"h004:{there}")
    assert same(tree, there)
    assert (there / "link").readlink() == Path("large")
    ride.ok("rsync", "-az", f"h009:{there}/", back)
    assert same(tree, back)
    (tree / "d7" / "f7").unlink()
    noise(tree / "new", 5)
    said = ride.ok("rsync", "-ai", "--delete", f"{tree}/", f"h004:{there}").splitlines()
    assert {line.split()[-1] for line in said} >= {"new", "d7/f7"}
    assert len(said) < 10
    assert same(tree, there)
    assert ride("rsync", "-a", f"h004:{where}/none", back).returncode == 23


@pytest.mark.long
def test_git(ride: Riding, where: Path) -> None:
    need_programs("git")
    far, near, other = where / "far.git", where / "near", where / "other"
    person = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "safe.directory=*")
    ride.ok("git", "init", "-q", "--bare", "-b", "main", far)
    ride.ok("git", "init", "-q", "-b", "main", near)
    noise(near / "data", 2_000_000)
    ride.ok("git", "-C", near, "add", "data")
    ride.ok("git", "-C", near, *person, "commit", "-q", "-m", "first")
    ride.ok("git", "-C", near, "push", "-q", f"h011:{far}", "main")
    ride.ok("git", "clone", "-q", f"ssh://h012{far}", other)
    assert (other / "data").read_bytes() == (near / "data").read_bytes()
    noise(other / "data", 2_000_001)
    ride.ok("git", "-C", other, *person, "commit", "-q", "-a", "-m", "second")
    ride.ok("git", "-C", other, "push", "-q")
    ride.ok("git", "-C", near, "pull", "-q", "--ff-only", f"h013:{far}", "main")
    heads = {ride.ok("git", "-C", one, "rev-parse", "main") for one in (far, near, other)}
    assert len(heads) == 1


def test_pdsh(ride: Riding) -> None:
    need_programs("pdsh")
    said = ride.ok("pdsh", "-R", "ssh", "-S", "-w", "h[001-016]", "hostname")
    assert sorted(said.splitlines()) == [f"{host}: {host}" for host in ride.hosts]
    done = ride("pdsh", "-R", "ssh", "-S", "-w", "h[001-016]", "test $(hostname) != h009 || exit 5")
    assert done.returncode == 5
    assert "h009: ssh exited with exit code 5" in done.stderr


def test_clush(ride: Riding) -> None:
    assert ride.ok("clush", "-S", "-b", "-w", "h[001-016]", "echo x").splitlines() == [
        "---------------", "h[001-016] (16)", "---------------", "x",
    ]  # fmt: skip
    done = ride("clush", "-S", "-w", "h[001-016]", "test $(hostname) != h009 || exit 5")
    assert (done.returncode, done.stderr) == (5, "clush: h009: exited with exit code 5\n")


def test_clush_copies(ride: Riding, where: Path) -> None:
    content = noise(where / "a", 100_000)
    ride.ok("clush", "-S", "-w", "h[001-004]", "--copy", where / "a", "--dest", where / "b")
    assert (where / "b").read_bytes() == content


def test_the_calls_of_lam(ride: Riding) -> None:
    """Two for each host, and anything on stderr is a failure."""
    for host in ride.hosts[:3]:
        assert ride.ok("mpboot-rsh", host, "-n", "echo $SHELL") == "/bin/sh\n"
        profile = "( ! [ -e ./.profile ] || . ./.profile; hostname; echo $0 )"
        assert ride.ok("mpboot-rsh", host, "-n", profile).split() == [host, "sh"]


@pytest.mark.long
def test_open_mpi(ride: Riding, where: Path) -> None:
    need_programs("mpicc.openmpi", "mpiexec.openmpi")
    (where / "ranks.c").write_text(RANKS)
    ride.ok("mpicc.openmpi", "-o", where / "ranks", where / "ranks.c")
    root = ["--allow-run-as-root"] if not os.getuid() else []
    words = ["mpiexec.openmpi", *root, "--hostfile", ride.cluster.hostfile, "--map-by", "node", "-n", HOSTS]
    done = ride(*words, where / "ranks")  # on a busy machine it warns of setpgid, with any ssh
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, ranks(ride.hosts))
    assert ride(*words, where / "ranks", "fail").returncode == 3


@pytest.mark.long
def test_mpich(tmp_path: Path) -> None:
    """Its hosts are names that only the session knows: it can't have got there by anything else."""
    need_programs("mpicc.mpich", "mpiexec.hydra")
    hosts = [f"h{number}" for number in range(1, HOSTS + 1)]
    (tmp_path / "ranks.c").write_text(RANKS)
    (tmp_path / "hosts").write_text("".join(f"{host}\n" for host in hosts))
    with kept(f"h[1-{HOSTS}]") as user:
        made = user.mpboot("env", "--", program("mpicc.mpich"), "-o", f"{tmp_path}/ranks", f"{tmp_path}/ranks.c")
        assert (made.returncode, made.stderr) == (0, "")
        words = ["env", "--", "mpiexec.hydra", "-f", f"{tmp_path}/hosts", "-n", str(HOSTS)]
        done = user.mpboot(*words, f"{tmp_path}/ranks")
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(done.stdout.splitlines()) == ranks([os.uname().nodename] * HOSTS)
        assert user.mpboot(*words, "sh", "-c", "exit 3").returncode == 3
        # Hydra's own ssh would pause for 15 s where so many are started on one host.
        words = ["env", "--", "mpiexec.hydra", "-launcher", "rsh", "-hosts", "h1,h2," * 9 + "h3", "-n", "19"]
        done = user.mpboot(*words, "echo", "x", timeout=12)
        assert (done.returncode, done.stdout, done.stderr) == (0, "x\n" * 19, "")


def ranks(hosts: list[str]) -> list[str]:
    """What the MPI program prints, sorted, with a rank on each host in turn."""
    total = sum(range(len(hosts)))
    return sorted(f"{rank} of {len(hosts)} on {host}: {total}" for rank, host in enumerate(hosts))
