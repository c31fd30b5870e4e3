"""Nodes are told everything that a hostile peer could say, for as long as is wanted, and must bear it.

tools/fuzz runs it. What is besieged, and how, is in tests/support/siege.py. Everything is as the seed has it: a siege
is repeated by its number.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import traceback
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any, Callable

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from mpboot.net.link import KINDS  # noqa: E402
from tests.support.siege import Siege, Violation  # noqa: E402

GROWTH = 24 << 20  # bytes by which all of it may grow once it is warm
WARM = 20.0  # seconds
MINUTE = 60.0
SHOWN = 600  # characters of an input
INPUTS = 10  # that are shown of a siege that went wrong
PAGE = os.sysconf("SC_PAGE_SIZE")


def memory() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


class Tally:
    """What was said so far, and what it cost."""

    def __init__(self) -> None:
        self.begin = monotonic()
        self.inputs = 0
        self.covered: Counter[tuple[str, str]] = Counter()  # kind and class
        self.targets: Counter[str] = Counter()
        self.warm = 0  # bytes when it was warm
        self.growth = 0

    def said(self, target: str, kind: Any, name: str) -> None:
        """Count an input."""
        self.inputs += 1
        self.covered[KINDS.get(kind, "others") if isinstance(kind, int) else kind, name] += 1
        self.targets[target] += 1

    def weigh(self) -> None:
        """See how much memory there is. Violation."""
        size = memory()
        if monotonic() - self.begin < WARM or not self.warm:
            self.warm = max(self.warm, size)
        self.growth = max(self.growth, size - self.warm)
        if self.growth > GROWTH:
            raise Violation(f"{self.growth >> 20} MB more than when it was warm")

    def line(self) -> str:
        """All in one line."""
        seconds = monotonic() - self.begin
        targets = ", ".join(f"{count} {name}" for name, count in sorted(self.targets.items()))
        return (
            f"{seconds:.0f} s, {self.inputs} inputs, {self.inputs / seconds:.0f} a second ({targets}); "
            f"{len(self.covered)} kinds by classes; {self.growth / 1e6:.1f} MB more than {self.warm / 1e6:.0f}"
        )

    def table(self) -> str:
        """How often each kind came in each class."""
        names = sorted({name for _, name in self.covered})
        rows = [["", *names]]
        for kind in sorted({kind for kind, _ in self.covered}):
            rows.append([kind, *(str(self.covered[kind, name] or "-") for name in names)])
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        return "\n".join(" ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)


def besiege(seed: str, minutes: float, say: Callable[[str], None], sieges: int = 0) -> int:
    """One siege after another, for some minutes or, where it is said, so many ``sieges``; the exit code."""
    tally = Tally()
    last = monotonic()
    number = 0
    while number < sieges if sieges else monotonic() - tally.begin < minutes * MINUTE:
        number += 1
        if not one(f"{seed}.{number}", tally, say):
            return 1
        if monotonic() - last > MINUTE:
            last = monotonic()
            say(f"{tally.line()}\n{tally.table()}")
    say(f"{tally.table()}\nno violation in {number} sieges: {tally.line()}")
    return 0


def one(seed: str, tally: Tally, say: Callable[[str], None]) -> bool:
    """A siege: did all hold? If not, what did not is said, and what led to it."""
    siege = Siege(seed, tally.said)
    try:
        siege.run()
        gc.collect()
        tally.weigh()
    except Exception:
        told = "\n".join(line[:SHOWN] for line in siege.history[-INPUTS:])
        say(f"{told}\n{traceback.format_exc()}\nrepeat it: tools/fuzz --repeat {seed}\n{tally.line()}")
        return False
    return True


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--sieges", type=int, default=0, help="so many, however long they take")
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    parser.add_argument("--repeat", metavar="SEED.NUMBER", help="this siege alone")
    chosen = parser.parse_args()

    def say(text: str) -> None:
        print(text, flush=True)

    if chosen.repeat:
        return 0 if one(chosen.repeat, Tally(), say) else 1
    say(f"seed {chosen.seed}")
    return besiege(chosen.seed, chosen.minutes, say, chosen.sieges)


if __name__ == "__main__":
    sys.exit(main())
