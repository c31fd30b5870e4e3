"""What is to be pushed: files of this machine, some of which change while they are looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mpboot.net import files
from mpboot.session import manifest
from mpboot.session.manifest import Manifest


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its digest was of neither the old nor the new; or of zeros, in place of what was cut."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "calm").write_bytes(b"c" * 10)
    for name, size in (("cut", 5), ("grown", 20)):
        (tmp_path / "tree" / name).write_bytes(b"x" * 10)
        looked = os.fstat

        def changed(fd: int, looked: Any = looked, name: str = name, size: int = size) -> os.stat_result:
            found: os.stat_result = looked(fd)
            if str(Path(f"/proc/self/fd/{fd}").readlink()).endswith(name):
                os.truncate(tmp_path / "tree" / name, size)
            return found

        monkeypatch.setattr(os, "fstat", changed)
    made = Manifest([str(tmp_path / "tree")])
    assert [entry.path for entry in made.entries] == ["tree", "tree/calm"]
    assert made.problems == [f"{tmp_path}/tree/{name}: it changed while it was read: not sent"
                             for name in ("cut", "grown")]  # fmt: skip
    assert made.digests == files.hashing(made.hash)(b"c" * 10)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(
    ("owner", "group", "mode"), [(0, 0, 0o6755), (65534, 0, 0o755), (0, 65534, 0o4755), (65534, 65534, 0o755)]
)
def test_rights_of_another_are_not_ones_own(tmp_path: Path, owner: int, group: int, mode: int) -> None:
    """There the file is the user's: it would run with the user's rights, for everybody."""
    (tmp_path / "program").write_text("x")
    os.chown(tmp_path / "program", owner, group)
    (tmp_path / "program").chmod(0o6755)
    assert [entry.mode for entry in Manifest([str(tmp_path / "program")]).entries] == [mode]


def test_more_files_than_there_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / name).write_text("")
    monkeypatch.setattr(manifest, "MANY", 3)
    with pytest.raises(ValueError, match="more than 3 files at once: send an archive of them"):
        Manifest([str(tmp_path)])


@pytest.mark.parametrize(("size", "worth"), [(10, False), (files.SMALL, False), (files.SMALL + 1, True)])
def test_a_hash_that_has_to_be_loaded_is_for_much(tmp_path: Path, size: int, worth: bool) -> None:
    (tmp_path / "one").write_bytes(bytes(size))
    made = Manifest([str(tmp_path / "one")])
    assert made.hash == (manifest._fastest() if worth else files.BLAKE2B)
    assert Manifest([str(tmp_path)]).hash == manifest._fastest()
