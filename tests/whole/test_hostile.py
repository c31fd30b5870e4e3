"""A host that has been taken over can harm only itself: real boots in which some do what a table says."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from tests.support import hostile_rows
from tests.support.hostile_agent import DID
from tests.support.hostile_boot import GOOD, Held, boot

pytestmark = pytest.mark.timeout(60)

MOST_MEMORY = 2 << 10  # KB that a hostile child may cost each of the head's processes
FLAT = ("--topology", "flat")


def test_words_for_others(tmp_path: Path) -> None:
    boot(tmp_path, [*GOOD, *hostile_rows.words_for_others()], *FLAT)


@pytest.mark.parametrize("kind", hostile_rows.BODIES)
def test_nonsense(tmp_path: Path, kind: str) -> None:
    boot(tmp_path, [*GOOD, *hostile_rows.nonsense(kind)], *FLAT)


@pytest.mark.long
def test_what_is_not_its_business(tmp_path: Path) -> None:
    boot(tmp_path, [*GOOD, *hostile_rows.not_its_business()], *FLAT)


def test_frames(tmp_path: Path) -> None:
    boot(tmp_path, [*GOOD, *hostile_rows.FRAMES], *FLAT)


def test_below_good_parents(tmp_path: Path) -> None:
    """It is its own parent that gives it up, and then the head; nobody has anything against that parent."""
    good = [f"good{number}" for number in range(6)]
    rows = {**hostile_rows.words_for_others(), **hostile_rows.FRAMES, **hostile_rows.nonsense("UP")}
    names = list(islice((name for name in rows if not name.endswith("-negative")), 36))
    came = boot(tmp_path, [*good, *names], "--topology", "tree", "--children", "6", good=good)
    # Where the command had begun it is not launched again; else the last attempt is the head's.
    assert {came.hosts[name]["launcher"] for name in names} <= {"head", *good}


@pytest.mark.long
def test_nobody_waits_for_it(tmp_path: Path) -> None:
    """A boot with hostile hosts takes as long as one where they are good."""
    rows = ["up-sibling", "exit-sibling", "failed-deep", "out-unknown", "frame-forged", "hello-again"]
    good = [*GOOD, *(f"good-{row}" for row in rows)]
    without = min(boot(tmp_path, good, *FLAT, good=good).seconds for _ in range(2))
    assert min(boot(tmp_path, [*GOOD, *rows], *FLAT).seconds for _ in range(2)) < without + 0.5


# -- memory ----------------------------------------------------------------------------------------


def memory(directory: Path, *names: str, good: int = 2, words: tuple[str, ...] = FLAT) -> tuple[int, int]:
    """What the front door and the root came to need in a boot with these hosts, in KB."""
    directory.mkdir()
    hosts = [f"good{number}" for number in range(good)]
    with Held(directory, [*hosts, *names], *words) as run:
        run.until_said(" runs\n", good)
        for name in names:
            run.until_said(f"{name} lost:" if hostile_rows.ROWS[name].said else f"{name}: {DID}\n")
        found = run.head()
        assert run.release() == 255 * any(hostile_rows.ROWS[name].said for name in names)  # lost under the command
        assert run.said.count(b" runs\n") == good
    return found


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """What they need where nothing is wrong."""
    return memory(tmp_path_factory.mktemp("usual") / "boot", "quiet")


@pytest.mark.parametrize("name", hostile_rows.FLOODS)
def test_what_it_costs_the_head(tmp_path: Path, usual: tuple[int, int], name: str) -> None:
    needed = memory(tmp_path / "boot", "flood-" + name)
    assert [some - other for some, other in zip(needed, usual) if some > other + MOST_MEMORY] == []


def test_a_parent_of_those_who_talk_without_end_is_not_to_blame(tmp_path: Path) -> None:
    names = [f"flood-{name}" for name in ("log", "note", "told")]
    memory(tmp_path / "boot", *names, good=1, words=("--topology", "tree", "--children", "3"))
