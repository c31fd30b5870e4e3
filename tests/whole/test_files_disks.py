"""A host whose disk fills up under what is pushed: it has nothing of it, the others have all of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import need
from tests.support.kept import Kept, attached, kept
from tests.support.pushing import left_over
from tests.support.run_mpboot import LOGIN, MPBOOT, script

MB = 1 << 20


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


@pytest.fixture
def small(tmp_path: Path, there: Path) -> Iterator[Kept]:
    """Three hosts; h1 has a disk of its own at ``there``, of 4 MB less a page."""
    need("namespaces")
    disk = f"mount -t tmpfs -o size={4 * MB - 4096} none {there}"
    rsh = script(
        tmp_path / "rsh",
        f'if [ $host = h1 ]; then exec unshare -rm sh -c \'{disk} && SHELL= exec sh -c "$1"\' sh "$*"; fi\n{LOGIN}',
    )
    with kept() as user:
        done = user.mpboot("--hosts", "h[1-3]", "--rsh", f"{rsh} {{host}}", "--topology", "flat", "--keep")
        assert done.returncode == 0, done.stderr
        yield user


def files_of(user: Kept, there: Path) -> list[str]:
    """What h1 has on its disk."""
    done = user.exec("ls", "-A", str(there), options=("-w", "h1"))
    return [line.partition(": ")[2] for line in done.stdout.splitlines()]


@pytest.mark.long
@pytest.mark.parametrize("size", [4 * MB, 5 * MB, 40 * MB])
def test_a_file_that_does_not_fit(small: Kept, tmp_path: Path, there: Path, size: int) -> None:
    """Where the last block is the one that does not, too: an empty one of the right size was left by that."""
    (tmp_path / "big").write_bytes(os.urandom(size))
    done = small.mpboot("push", str(tmp_path / "big"), str(there))
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1, f"mpboot: h1: no-space: {there}/big: No space left on device",
    )  # fmt: skip
    assert files_of(small, there) == []
    assert (there / "big").read_bytes() == (tmp_path / "big").read_bytes()
    assert left_over(tmp_path) == []


@pytest.mark.long
def test_of_many_files_those_that_fit(small: Kept, tmp_path: Path, there: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name in "abcdef":
        (tmp_path / "tree" / name).write_bytes(os.urandom(MB))
    done = small.mpboot("push", str(tmp_path / "tree"), str(there))
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1, f"mpboot: h1: no-space: {there}/tree/d: No space left on device",
    )  # fmt: skip
    assert files_of(small, there / "tree") == ["a", "b", "c"]


@pytest.mark.long
def test_what_was_there_stays(small: Kept, tmp_path: Path, there: Path) -> None:
    small.exec("sh", "-c", f"echo old > {there}/big", options=("-w", "h1"))
    (tmp_path / "big").write_bytes(os.urandom(5 * MB))
    assert small.mpboot("push", str(tmp_path / "big"), str(there)).returncode == 1
    assert small.exec("cat", f"{there}/big", options=("-w", "h1")).stdout == "h1: old\n"
    assert files_of(small, there) == ["big"]


@pytest.mark.long
def test_the_heads_own_disk_under_a_pull(tmp_path: Path) -> None:
    """What does not fit leaves its room to what does: two of three files of 1.5 MB."""
    need("namespaces")
    (tmp_path / "big").write_bytes(os.urandom(3 * MB // 2))
    (tmp_path / "got").mkdir()
    inside = (
        f"mount -t tmpfs -o size={4 * MB} none {tmp_path}/got; {' '.join(MPBOOT)} pull {tmp_path}/big {tmp_path}/got;"
        f" echo $?; find {tmp_path}/got -type f -size +1024k | wc -l; find {tmp_path}/got -name '.mpboot*' | wc -l"
    )
    with kept("h[1-3]") as user:
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", inside], capture_output=True, text=True, timeout=60, check=False,
            env={**user.environment, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )  # fmt: skip
    assert done.stdout.split() == ["1", "2", "0"], done.stderr
    assert f"no-space: {tmp_path}/got: No space left on device" in done.stderr


@pytest.mark.long
def test_more_hosts_than_files_may_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpboot.session.pull.MOST_OPEN", 1)
    (tmp_path / "big").write_bytes(os.urandom(3 * MB))
    with kept("h[1-4]") as user, attached(user) as session:
        found = session.pull([str(tmp_path / "big")], str(tmp_path / "got"))
    assert found.good, found
    for host in found.hosts:
        assert (tmp_path / "got" / host / "big").read_bytes() == (tmp_path / "big").read_bytes()
