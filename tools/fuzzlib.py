"""Nodes are told everything that a hostile peer could say, for as long as is wanted, and must bear it.

tools/fuzz runs it. What is besieged is real but for what it would launch (tests/support/besieged.py). Everything is as
the seed has it: a siege is repeated by its number.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Callable

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from mpboot.net import wire  # noqa: E402
from mpboot.node.agent import Agent  # noqa: E402
from mpboot.node.door import VISIT  # noqa: E402
from mpboot.tree import causes  # noqa: E402
from mpboot.tree.policy import TOPOLOGIES  # noqa: E402
from tests.support.besieged import Door, House, Led  # noqa: E402
from tests.support.frames import DOWN, KINDS, UP, Speaker, packed  # noqa: E402
from tests.support.mutations import Mutator  # noqa: E402
from tests.support.stand_ins import Player  # noqa: E402
from tests.support.visits import Visit  # noqa: E402

ACTS = 60  # in one siege
HANGS = 10.0  # seconds that one act may take
GROWTH = 24 << 20  # bytes by which all of it may grow once it is warm
WARM = 20.0  # seconds
MINUTE = 60.0
PAGE = os.sysconf("SC_PAGE_SIZE")
SHOWN = 600  # characters of an input
REPEATS = (2, 5, 50)
RIGHT = ("right",) * 6 + ("ranks",) * 4 + ("many",) * 2  # else nobody would be heard for long
CODE = (wire.CODE, wire.PSUTIL)  # whoever is given these by its parent runs them: there is nothing to test
FRAMED = ("forged", "replayed", "length", "half")


def memory() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


class Violation(AssertionError):
    """Something that must hold does not."""


class Tally:
    """What was said so far, and what it cost."""

    def __init__(self) -> None:
        self.begin = monotonic()
        self.inputs = 0
        self.covered: Counter[tuple[int, str]] = Counter()  # kind and class
        self.targets: Counter[str] = Counter()
        self.warm = 0  # bytes when it was warm
        self.growth = 0

    def said(self, target: str, kind: int, name: str) -> None:
        """Count an input."""
        self.inputs += 1
        self.covered[kind if kind in KINDS else 0, name] += 1
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
            rows.append([KINDS.get(kind, "others"), *(str(self.covered[kind, name] or "-") for name in names)])
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        return "\n".join(" ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)


class Siege:
    """One siege: what is besieged, by whom, and all that was said."""

    def __init__(self, seed: str, tally: Tally) -> None:
        self.history: list[str] = []
        self._dice = random.Random(seed)
        self._tally = tally
        self._mutator = Mutator(self._dice)

    def run(self) -> None:
        """Begin, and go on to the end. AssertionError, or whatever has left a loop."""
        target = self._dice.choices(("children", "root", "parent"), (6, 1, 2))[0]
        {"children": self._children, "root": self._root, "parent": self._parent}[target]()
        gc.collect()
        self._tally.weigh()

    # -- by children -------------------------------------------------------------------------------

    def _children(self) -> None:
        dice = self._dice
        command = dice.choice([(), ("true",)])
        house = House(dice.choice(TOPOLOGIES), command, dice.choice([0, 1, 30]), dice.choice([24, 40]))
        acts: list[tuple[int, Callable[[House, Agent, list[Player]], None]]] = [
            (60, self._speak), (8, self._orphan), (8, self._greet), (12, self._visit), (6, self._time),
            (4, self._launch), (2, self._leave),
        ]  # fmt: skip
        players: list[Player] = []
        try:
            for _ in range(ACTS):
                act = dice.choices([act for _, act in acts], [weight for weight, _ in acts])[0]
                with watched():
                    act(house, dice.choice([house.root, house.inner]), players)
                    house.loop.quiet()
                    house.check()
                if house.over:
                    break
                players[:] = [player for player in players if player.link.open]
            with watched():
                house.loop.skip(60.0)
                house.check()
                house.told()
        finally:
            house.close()

    def _speak(self, house: House, node: Agent, players: list[Player]) -> None:
        if house.launches(node) and (not players or self._dice.random() < 0.1):
            players.append(house.child(node, self._dice.choice(house.launches(node)).launch))
        if players:
            self._say(self._dice.choice(players), "children")

    def _say(self, player: Player, target: str, by: Speaker | None = None) -> None:
        names = [*self._mutator.classes, *RIGHT, *FRAMED]
        kind, name = self._mutator.kind(DOWN if target == "parent" else UP), self._dice.choice(names)
        if target == "parent" and kind in CODE:
            return
        if name in FRAMED:
            self._told(target, kind, name, b"")
            self._broken(player, kind, name)
            return
        count = self._dice.choice(REPEATS) if name == "many" else 1
        body = self._mutator.body(kind, "right" if name == "many" else name, by or player.speaker)
        self._told(target, kind, name, body, count)
        for _ in range(count):
            player.say(kind, body)

    def _broken(self, player: Player, kind: int, name: str) -> None:
        out = player.link.session.out
        if not (player.link.open and player.link.session.ready):
            return
        before = len(out)
        player.say(kind)
        frame = bytearray(out[before:])
        if name == "forged":
            frame[self._dice.randrange(4, len(frame))] ^= self._dice.randint(1, 255)
        elif name == "replayed":
            frame += bytes(frame)
        elif name == "length":
            frame[:4] = self._dice.choice([0, 1, 16, 65537, 1 << 24, 0xFFFFFFFF]).to_bytes(4, "big")
        else:
            del frame[self._dice.randrange(1, len(frame)) :]
        out[before:] = frame

    def _orphan(self, house: House, node: Agent, players: list[Player]) -> None:
        if house.launches(node):
            players.append(house.child(node, house.launches(node)[0].launch))
        parents = [player for player in players if player.care and player.node is node]
        if not parents:
            return
        by = self._dice.choice(parents)
        rank = self._dice.choice(sorted(by.care))
        if self._dice.random() < 0.5:
            by.link.close()
        family = house.family(by, rank, self._dice.sample(sorted(by.care), self._dice.randrange(len(by.care) + 1)))
        for _ in range(self._dice.choice([0, 0, 1, 2])):
            name = self._dice.choice(sorted(family))
            family[name] = self._dice.choice([*by.care, "", "0-3", [], [[0, 1]], [[[1], "0-9"]], "0" * 32, True, None])
        body = packed(family)
        self._told("orphans", wire.HELLO, "right", body)
        players.append(house.orphan(node, by, rank, body))

    def _greet(self, house: House, node: Agent, players: list[Player]) -> None:
        if house.launches(node):
            launch = self._dice.choice(house.launches(node))
            name = self._dice.choice(list(self._mutator.classes))
            body = self._mutator.body(wire.HELLO, name, Speaker(launch.rank))
            self._told("greetings", wire.HELLO, name, body)
            players.append(house.child(node, launch.launch, body))

    def _visit(self, house: House, node: Agent, _: list[Player]) -> None:
        if house.launches(node):
            visit = Visit(house, node, self._dice)
            self._told("visitors", wire.HELLO, visit.how, b"")
            visit.make()

    def _time(self, house: House, _node: Agent, _players: list[Player]) -> None:
        seconds = self._dice.choice([0.1, 1.0, VISIT, 20.0])
        self.history.append(f"{seconds} s pass")
        house.loop.skip(seconds)

    def _launch(self, house: House, node: Agent, _: list[Player]) -> None:
        if house.launches(node):
            launch, cause = self._dice.choice(house.launches(node)), self._dice.choice(causes.ALL)
            self.history.append(f"the launch of {launch.rank} fails: {cause}")
            house.fails(node, launch.launch, cause)

    def _leave(self, _house: House, _node: Agent, players: list[Player]) -> None:
        if players:
            self.history.append("one hangs up")
            self._dice.choice(players).link.close()

    # -- by the root, and by the parent ------------------------------------------------------------

    def _root(self) -> None:
        door = Door(command=self._dice.choice([(), ("true",)]), size=4)
        try:
            root = door.played_root()
            root.say(wire.HELLO)
            while root.link.open and self._dice.random() < 0.97:
                with watched():
                    self._say(root, "root", Speaker(-1, [0, 1, 2, 3], [4]))
                    door.loop.quiet()
            with watched():
                door.ended()
                door.told()
        finally:
            root.link.close()
            door.close()

    def _parent(self) -> None:
        led = Led()
        try:
            while led.parent.link.open and self._dice.random() < 0.97:
                with watched():
                    self._say(led.parent, "parent", Speaker(5, [6, 7, 8], [9]))
                    led.loop.quiet()
                    led.check()
        finally:
            led.close()

    def _told(self, target: str, kind: int, name: str, body: bytes, count: int = 1) -> None:
        self.history.append(f"{target}: {count} {KINDS.get(kind, kind)} {name} {body!r}")
        for _ in range(count):
            self._tally.said(target, kind, name)


@contextmanager
def watched() -> Iterator[None]:
    """What is done in it may not take for ever."""

    def hangs(*_: Any) -> None:
        raise Violation(f"it hangs for {HANGS:.0f} s")

    signal.signal(signal.SIGALRM, hangs)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def besiege(seed: str, minutes: float, say: Callable[[str], None]) -> int:
    """One siege after another; the exit code."""
    tally = Tally()
    last = monotonic()
    number = 0
    while monotonic() - tally.begin < minutes * MINUTE:
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
    siege = Siege(seed, tally)
    try:
        siege.run()
    except Exception:
        told = "\n".join(line[:SHOWN] for line in siege.history[-10:])
        say(f"{told}\n{traceback.format_exc()}\nrepeat it: tools/fuzz --repeat {seed}\n{tally.line()}")
        return False
    return True


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    parser.add_argument("--repeat", metavar="SEED.NUMBER", help="this siege alone")
    chosen = parser.parse_args()

    def say(text: str) -> None:
        print(text, flush=True)

    if chosen.repeat:
        return 0 if one(chosen.repeat, Tally(), say) else 1
    say(f"seed {chosen.seed}")
    return besiege(chosen.seed, chosen.minutes, say)


if __name__ == "__main__":
    sys.exit(main())
