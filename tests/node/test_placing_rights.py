"""Files are put in their places by a user who may not do everything: not root."""

from __future__ import annotations

import os
from pathlib import Path

from mpboot.net.files import BLAKE2B, DIRECTORY, FILE, Entry, Plan, digest
from mpboot.node.placing import Placing
from tests.support.somebody import as_somebody, open_to_all

__all__ = ["open_to_all"]

NEW = b"new"


def plan(dest: Path, *, verify: bool = False, mode: int = 0o555) -> Plan:
    entries = [Entry("tree", DIRECTORY, mode, 10**18), Entry("tree/a", FILE, 0o640, 10**18, len(NEW))]
    return Plan(str(dest), False, verify, False, b"", entries, BLAKE2B, digest(NEW))


def pushed(there: Path, **options: bool) -> Placing:
    placing = Placing(plan(there, **options))
    for number in placing.wanted:
        placing.put(number, memoryview(NEW))
    placing.finish()
    placing.clear()
    return placing


def test_a_directory_of_ones_own_that_may_not_be_written(open_to_all: Path) -> None:
    """As rsync does it: the second push of a tree with such a one was refused, where root's was not."""

    def act() -> None:
        (open_to_all / "tree").mkdir()
        (open_to_all / "tree" / "a").write_bytes(b"old")
        (open_to_all / "tree").chmod(0o555)
        pushed(open_to_all)
        assert (open_to_all / "tree" / "a").read_bytes() == NEW
        assert (open_to_all / "tree").stat().st_mode & 0o777 == 0o555

    as_somebody(act)


def test_it_is_as_it_was_when_nothing_came_of_it(open_to_all: Path) -> None:
    def act() -> None:
        (open_to_all / "tree").mkdir(mode=0o555)
        placing = Placing(plan(open_to_all, mode=0o700))
        placing._begin(1)
        assert (open_to_all / "tree").stat().st_mode & 0o777 == 0o755
        placing.clear()
        assert (open_to_all / "tree").stat().st_mode & 0o777 == 0o555
        assert list((open_to_all / "tree").iterdir()) == []

    as_somebody(act)


def test_the_same_bytes_in_another_users_file(open_to_all: Path) -> None:
    """It can't be given its mode and time, so it is replaced, as without --verify."""
    (open_to_all / "tree").mkdir()
    (open_to_all / "tree").chmod(0o777)
    (open_to_all / "tree" / "a").write_bytes(NEW)
    (open_to_all / "tree" / "a").chmod(0o644)

    def act() -> None:
        assert pushed(open_to_all, verify=True).wanted == ([0] if open_to_all.stat().st_uid != os.geteuid() else [])
        assert (open_to_all / "tree" / "a").stat().st_mode & 0o777 == 0o640
        assert pushed(open_to_all, verify=True).wanted == []

    as_somebody(act)


def test_another_users_directory_keeps_its_mode(open_to_all: Path) -> None:
    (open_to_all / "tree").mkdir()
    (open_to_all / "tree").chmod(0o777)

    def act() -> None:
        pushed(open_to_all)
        assert (open_to_all / "tree" / "a").read_bytes() == NEW

    as_somebody(act)
