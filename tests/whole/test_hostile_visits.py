"""A hostile host that comes to its ancestors in other hosts' names: with all the keys that it was given."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from mpboot.node.agent import STOP_LIMIT
from tests.support import hostile_rows
from tests.support.hostile_boot import GOOD, boot

pytestmark = pytest.mark.timeout(60)


def test_visits_to_the_parent(tmp_path: Path) -> None:
    """Before the host is there whose name it uses."""
    came = boot(tmp_path, ["good-late", *hostile_rows.VISITS], "--topology", "flat", good=["good-late"])
    wanted = {name: did for name, (_, did) in hostile_rows.VISITS.items()}
    assert {name: came.said_by(name) for name in wanted} == wanted
    assert came.report["strangers"] == list(wanted.values()).count("turned away")


@pytest.mark.long
def test_orphans_that_are_none(tmp_path: Path) -> None:
    """Who says that its parent is lost may leave it, and takes nobody along."""
    good = ["good0", "good1", "good2", "good3"]
    came = boot(tmp_path, [*good, *hostile_rows.ORPHANS], "--topology", "tree", "--children", "4", good=good)
    wanted = {name: did for name, (_, did) in hostile_rows.ORPHANS.items()}
    assert {name: came.said_by(name) for name in wanted} == wanted
    assert {came.hosts[name]["parent"] for name in wanted} <= set(good)
    assert came.report["strangers"] == list(wanted.values()).count("turned away")


@pytest.mark.long
@pytest.mark.parametrize("name", hostile_rows.TAKERS)
def test_one_that_takes_back_what_it_gave_back(tmp_path: Path, name: str) -> None:
    """Its parent, which boots these hosts now, is alive."""
    good = ["good0", "good1", "good2"]
    came = boot(tmp_path, [good[0], name, *good[1:]], "--topology", "ring", good=good)
    assert came.said_by(name) == "dismissed"
    assert "head" not in {came.hosts[one]["parent"] for one in good[1:]}


@pytest.mark.long
def test_one_that_stays_when_all_is_over(tmp_path: Path) -> None:
    """It holds the end up for as long as it may, and no more; that time is not the boot's."""
    begin = monotonic()
    came = boot(tmp_path, ["stays", *GOOD], "--topology", "flat")
    assert STOP_LIMIT <= monotonic() - begin - came.seconds < STOP_LIMIT + 5.0
