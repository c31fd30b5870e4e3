"""tools/fuzz: it says much of every kind, repeats a siege by its number, stops at what must not be.

How much it says in a time is the machine's; how many sieges there are is not.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import fuzzlib
import pytest

from mpboot.net.link import KINDS
from tests.support import siege
from tests.support.besieged import House
from tests.support.results import RESULTS
from tests.support.siege import Siege

ROOT = Path(__file__).resolve().parents[2]


def fuzz(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the tool."""
    return subprocess.run([str(ROOT / "tools" / "fuzz"), *words], capture_output=True, text=True, check=False)


SIEGES = 40


@pytest.mark.long
def test_some_of_it() -> None:
    done = fuzz("--sieges", str(SIEGES), "--seed", "a")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert done.stdout.startswith("seed a\n")
    *_, last = done.stdout.splitlines()
    assert last.startswith(f"no violation in {SIEGES} sieges: ")
    for said in (" inputs, ", " a second (", " children", " greetings", " visitors", " pipes", " MB more than "):
        assert said in last
    rows = {line.split()[0] for line in done.stdout.splitlines()[1:-1]}
    assert rows >= {*KINDS.values(), *RESULTS, "others"}


def test_a_time_ends_it(said: list[str]) -> None:
    assert fuzzlib.besiege("a", 1e-6, said.append) == 0
    assert re.match(r"no violation in [01] sieges: ", said[-1].splitlines()[-1])


def history(seed: str) -> list[str]:
    """What was said in a siege."""
    made = Siege(seed, lambda *_: None)
    made.run()
    return made.history


def test_a_siege_is_repeated_by_its_number() -> None:
    assert len({tuple(history(f"a.{number}")) for number in (1, 2, 3)}) == 3
    for seed in ("a.4", "a.10", "a.12", "a.16"):  # with orphans, whose proofs need keys
        assert history(seed) == history(seed)
    assert fuzz("--repeat", "a.4").returncode == 0


@pytest.fixture
def said() -> list[str]:
    return []


def test_it_stops_at_what_must_not_be(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    check = House.check
    checked: list[House] = []

    def fails_at_last(house: House) -> None:
        check(house)
        checked.append(house)
        assert len(checked) < 30, "this must not be"

    monkeypatch.setattr(House, "check", fails_at_last)
    assert fuzzlib.besiege("b", 0.0, said.append, SIEGES) == 1
    (told,) = said
    assert "this must not be" in told
    assert "repeat it: tools/fuzz --repeat b." in told
    assert "Traceback" in told
    assert any(kind in told for kind in KINDS.values())


def test_it_stops_where_something_hangs(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    def hangs(_: House) -> None:
        while True:
            pass

    monkeypatch.setattr(siege, "HANGS", 0.2)
    monkeypatch.setattr(House, "check", hangs)
    assert fuzzlib.besiege("b", 0.0, said.append, SIEGES) == 1
    assert "it hangs" in said[0]


@pytest.mark.long
def test_it_stops_where_memory_grows(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    sizes = iter(range(10 << 20, 1 << 40, 1 << 20))
    monkeypatch.setattr(fuzzlib, "WARM", 0.0)
    monkeypatch.setattr(fuzzlib, "memory", lambda: next(sizes))
    assert fuzzlib.besiege("b", 0.0, said.append, SIEGES) == 1
    assert "25 MB more than when it was warm" in said[0]
