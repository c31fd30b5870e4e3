"""Files with holes: what is not there is neither sent nor written."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpboot.session.push import Pushed
from tests.support.kept import Kept, attached, kept

GB, MB = 1 << 30, 1 << 20
DATA = os.urandom(MB)


@pytest.fixture(scope="module")
def user() -> Iterator[Kept]:
    with kept("h[1-2]") as made:
        yield made


def sparse(path: Path, size: int, *starts: int) -> Path:
    """A file with data at these places."""
    with path.open("wb") as file:
        file.truncate(size)
        for at in starts:
            file.seek(at)
            file.write(DATA)
    return path


def push(user: Kept, file: Path, to: Path, verify: bool = False) -> Pushed:
    with attached(user) as session:
        done = session.push([str(file)], str(to), on="h1", verify=verify)
    assert done.good, done
    assert filecmp.cmp(file, to, shallow=False)
    return done


@pytest.mark.long
@pytest.mark.parametrize(
    ("size", "starts", "most"),
    [
        (GB, (100 * MB + 4096,), 2 * MB), (GB, (0,), MB), (GB, (GB - MB,), MB), (GB + 7, (), 0),
        (5 * MB, (2 * MB,), MB),
    ],
)  # fmt: skip
def test_only_data_are_sent_and_written(
    user: Kept, tmp_path: Path, size: int, starts: tuple[int, ...], most: int
) -> None:
    done = push(user, sparse(tmp_path / "file", size, *starts), tmp_path / "copy")
    assert done.sent <= most
    assert (tmp_path / "copy").stat().st_blocks * 512 <= most + 4096


def test_zeros_that_are_no_hole_need_not_be_sent(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(3 * MB) + DATA)
    assert push(user, tmp_path / "file", tmp_path / "copy").sent == MB


@pytest.mark.long
def test_through_the_tree(user: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpboot.session.push.own_addresses", lambda *_: ["255.255.255.255"])
    assert push(user, sparse(tmp_path / "file", GB, 8 * MB), tmp_path / "copy").sent == MB


def test_what_is_in_the_place_of_a_hole(user: Kept, tmp_path: Path) -> None:
    """Size, time and mode are the same, and the data are: only what was to be a hole is not."""
    file, copy = sparse(tmp_path / "file", 8 * MB, 2 * MB), tmp_path / "copy"
    assert push(user, file, copy).sent == MB
    assert push(user, file, copy, verify=True).sent == 0
    times = copy.stat()
    with copy.open("r+b") as changed:
        changed.seek(5 * MB)
        changed.write(b"no hole")
    os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert push(user, file, copy, verify=True).sent == MB
