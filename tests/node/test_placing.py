"""Files are put in their places, whole or not at all, and it is heard that this goes on."""

from __future__ import annotations

import errno
import os
import posix
from pathlib import Path

import pytest

from mpboot.net.files import BLAKE2B, BLOCK, DIRECTORY, FILE, UNSUPPORTED, Entry, Plan, digest
from mpboot.node.placing import Placing
from mpboot.node.target import Refused
from tests.support.pushing import left_over

COUNT = 5
DATA = b"".join(os.urandom(BLOCK) for _ in range(COUNT))


def plan(dest: Path, data: bytes = DATA, verify: bool = False) -> Plan:
    entry = Entry("one", FILE, 0o640, 10**18, len(data))
    digests = b"".join(digest(data[at : at + BLOCK]) for at in range(0, len(data), BLOCK))
    return Plan(str(dest), False, verify, False, b"", [entry], BLAKE2B, digests)


def test_all_of_it(tmp_path: Path) -> None:
    placing = Placing(plan(tmp_path))
    assert placing.wanted == list(range(COUNT))
    for number in placing.wanted:
        assert not (tmp_path / "one").exists()
        placing.put(number, memoryview(DATA[number * BLOCK : (number + 1) * BLOCK]))
    assert (tmp_path / "one").read_bytes() == DATA
    placing.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert (tmp_path / "one").stat().st_mode & 0o7777 == 0o640


def test_what_is_not_complete_goes(tmp_path: Path) -> None:
    placing = Placing(plan(tmp_path))
    placing.put(0, memoryview(DATA[:BLOCK]))
    assert len(left_over(tmp_path)) == 1
    placing.clear()
    placing.clear()
    assert left_over(tmp_path) == list(tmp_path.iterdir()) == []


def test_looking_at_what_is_there_is_heard(tmp_path: Path) -> None:
    """To read a large file takes longer than a host may be silent."""
    (tmp_path / "one").write_bytes(DATA)
    beats: list[int] = []
    assert Placing(plan(tmp_path, verify=True), lambda: beats.append(1)).wanted == []
    assert len(beats) > COUNT


def test_many_small_ones_are_heard(tmp_path: Path) -> None:
    entries = [Entry("d", DIRECTORY, 0o755, 0), *(Entry(f"d/{number}", FILE, 0o644, 0) for number in range(50))]
    beats: list[int] = []
    Placing(Plan(str(tmp_path), False, False, False, b"", entries, BLAKE2B, b""), lambda: beats.append(1)).finish()
    assert len(list((tmp_path / "d").iterdir())) == 50
    assert len(beats) >= 100


def test_what_comes_into_its_place_meanwhile(tmp_path: Path) -> None:
    """Between the first look and the last step there is time for others."""
    placing = Placing(plan(tmp_path, DATA[:BLOCK]))
    os.mkfifo(tmp_path / "one")
    with pytest.raises(Refused) as error:
        placing.put(0, memoryview(DATA[:BLOCK]))
    assert error.value.args == (UNSUPPORTED, f"{tmp_path}/one is no ordinary file: nothing takes its place")
    placing.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("there", [False, True])
def test_a_file_without_a_name_gets_it_at_the_end(tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "one").write_bytes(b"old")
    placing = Placing(plan(tmp_path))
    for number in placing.wanted:
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"] * there
        placing.put(number, memoryview(DATA[number * BLOCK : (number + 1) * BLOCK]))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [DATA]


@pytest.mark.parametrize("why", [errno.EOPNOTSUPP, errno.EISDIR, 0])
def test_where_no_file_can_be_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: int) -> None:
    """A file system, or a kernel, that has none; a system that has no word for it."""
    opened = posix.open

    def refused(path: bytes, flags: int, *mode: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(why, "refused")
        return opened(path, flags, *mode)

    monkeypatch.setattr("mpboot.node.placing.posix.open", refused)
    if not why:
        monkeypatch.setattr("mpboot.node.placing.NAMELESS", 0)
    placing = Placing(plan(tmp_path))
    placing.put(0, memoryview(DATA[:BLOCK]))
    (name,) = [path.name for path in tmp_path.iterdir()]
    assert ".mpboot-" in name
    for number in placing.wanted[1:]:
        placing.put(number, memoryview(DATA[number * BLOCK : (number + 1) * BLOCK]))
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert (tmp_path / "one").read_bytes() == DATA
