"""A siege: something real is told what a die has a hostile peer say, and what must be true is looked at after each."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable
from unittest import mock

from mpboot.net import wire
from mpboot.net.link import KINDS
from mpboot.node.agent import Agent
from mpboot.node.door import VISIT
from mpboot.tree import causes
from mpboot.tree.policy import RING, TOPOLOGIES
from tests.support.besieged import Door, House
from tests.support.frames import DOWN, UP, Speaker, packed, right
from tests.support.led import Crew, Led
from tests.support.mutations import Mutator
from tests.support.results import RESULTS, framed, result
from tests.support.stand_ins import Player
from tests.support.visits import Visit

ACTS = 60  # in one siege
HANGS = 10.0  # seconds that one act may take
REPEATS = (2, 5, 50)
RIGHT = ("right",) * 6 + ("ranks",) * 4 + ("many",) * 2  # else nobody would be heard for long
CODE = (wire.CODE, wire.PSUTIL)  # whoever is given these by its parent runs them: there is nothing to test
FRAMED = ("forged", "replayed", "length", "half")


class Violation(AssertionError):
    """Something that must hold does not."""


class Siege:
    """One siege: what is besieged, by whom, and all that was said."""

    def __init__(self, seed: str, said: Callable[[str, Any, str], None]) -> None:
        """``said(target, kind, class)`` is called for each input."""
        self.history: list[str] = []
        self._dice = random.Random(seed)
        self._counted = said
        self._mutator = Mutator(self._dice, right)

    def run(self) -> None:
        """Begin, and go on to the end. AssertionError, or whatever has left a loop."""
        besieged = (self._children, self._root, self._parent, self._crew)
        chance = random.Random(self._dice.random())  # keys and nonces: else a siege would differ from its repetition
        with mock.patch("os.urandom", chance.randbytes), mock.patch("posix.urandom", chance.randbytes):
            self._dice.choices(besieged, (6, 1, 2, 2))[0]()

    # -- by children -------------------------------------------------------------------------------

    def _children(self) -> None:
        dice = self._dice
        topology = dice.choice([one for one in TOPOLOGIES if one != RING])  # in a ring nobody would be left to play
        house = House(topology, dice.choice([(), ("true",)]), dice.choice([0, 1, 30]), dice.choice([24, 40]))
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
        kinds = self._dice.choices((DOWN if target == "parent" else UP, sorted(KINDS), range(256)), (20, 4, 1))[0]
        kind, name = self._dice.choice(kinds), self._dice.choice(names)
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

    # -- by workers and the watcher ----------------------------------------------------------------

    def _crew(self) -> None:
        crew = Crew(self._dice.choice(TOPOLOGIES))
        mutator = Mutator(self._dice, lambda kind, by: result(kind, by.me))
        try:
            for _ in range(ACTS):
                with watched():
                    if self._dice.random() < 0.3:
                        crew.begin()
                        crew.look()
                    self._result(crew, mutator)
                    crew.loop.quiet()
                    crew.check()
            with watched():
                crew.loop.skip(60.0)
                crew.check()
        finally:
            crew.close()

    def _result(self, crew: Crew, mutator: Mutator) -> None:
        made = crew.made
        if not made:
            crew.loop.skip(10.0)
            return
        one = self._dice.choice(made)
        kind, name = self._dice.choice(RESULTS), self._dice.choice([*mutator.classes, *RIGHT, "half", "length"])
        plain = name if name in mutator.classes else "right"
        said = framed(mutator.body(kind, plain, Speaker(one.launch)))
        if name == "half":
            said = said[: self._dice.randrange(len(said))]
        elif name == "length":
            said = self._dice.choice([0, 1, 1 << 18, (1 << 18) + 1, 0xFFFFFFFF]).to_bytes(4, "big") + said[4:]
        self._told("pipes", kind, name, said)
        one.say(said)

    def _told(self, target: str, kind: Any, name: str, body: bytes, count: int = 1) -> None:
        self.history.append(f"{target}: {count} {KINDS.get(kind, kind)} {name} {body!r}")
        for _ in range(count):
            self._counted(target, kind, name)


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
