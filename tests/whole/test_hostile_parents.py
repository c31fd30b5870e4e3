"""Hostile hosts that were given hosts to boot: they can keep those from nobody for long, and speak for no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import hostile_rows
from tests.support.hostile_boot import GOOD, HOUSE, ORPHANS, Outcome, boot, impatient

pytestmark = pytest.mark.timeout(60)

CARE = [f"care-{name}" for name in hostile_rows.CARE]
AT_ONCE = 3
BOOT = 8.0  # seconds that the rest of the boot may take on a busy machine: it takes 1, with a time-out 30


def family(directory: Path, names: list[str], house: Path = HOUSE) -> Outcome:
    """Boot hostile hosts that get as many good ones each: none is given up before the last has got its own."""
    many = len(names)
    good, words = [f"good{number}" for number in range(many**2)], ("--topology", "tree", "--children", str(many))
    return boot(directory, [*names, *good], *words, good=good, house=house, together=many)


@pytest.mark.long
@pytest.mark.parametrize("names", [CARE[at : at + AT_ONCE] for at in range(0, len(CARE), AT_ONCE)], ids=",".join)
def test_what_they_say_of_their_hosts(tmp_path: Path, names: list[str]) -> None:
    assert family(tmp_path, names).seconds < ORPHANS + BOOT


def test_one_that_is_done_with_what_it_never_began(tmp_path: Path) -> None:
    """It gets no more, or it would get the same again and again."""
    assert boot(tmp_path, ["done-at-once", *GOOD], "--topology", "ring").seconds < BOOT


def test_some_that_are_never_done(tmp_path: Path) -> None:
    family(tmp_path, ["keeps-nothing", "keeps-returns-none"], impatient(tmp_path))


@pytest.mark.long
def test_one_that_launches_and_launches(tmp_path: Path) -> None:
    """With so many retries as many launches could begin as would keep the boot from its end for longer than it may."""
    words = ("--topology", "ring", "--retries", "20")
    assert boot(tmp_path, ["keeps-launching", *GOOD], *words, house=impatient(tmp_path)).seconds < 20.0


@pytest.mark.parametrize("name", ["keeps-fails-again", "keeps-is-up-again"])
def test_one_that_says_the_same_again_and_again(tmp_path: Path, name: str) -> None:
    """What it says of the first host that it has in care is believed."""
    boot(tmp_path, [name, *GOOD], "--topology", "ring", good=GOOD[1:], house=impatient(tmp_path))
