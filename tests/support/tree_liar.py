"""An agent of the tree that has been taken over: it knows what it was given, and says whatever it likes.

It is a Node like any other as far as it pleases: it may launch, and so have honest hosts below it. Whatever it was
given, or what those below it were given, is in its care and may suffer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpboot.net import messages
from mpboot.node.keyring import numbers_from
from mpboot.tree import causes
from tests.support.tree_links import Hello
from tests.support.tree_node import Node

MANY = 40  # launches that it says have begun, at most, in one message


class Liar(Node):
    """Lies, one lie at a time."""

    hostile = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.care: dict[int, int] = {}  # hosts that it was given, with their attempts
        self._given = 0  # shares
        self._honest = bool(self.world.choose(2))  # as a parent of others
        self._obeys = bool(self.world.choose(4))

    def from_above(self, kind: str, *body: Any) -> None:
        if kind == "stop":
            self.alive = False
        elif kind == "share":
            self._given += 1
            self.care.update((rank, attempts) for rank, (attempts, *_) in body[0].items())
            for rank, (_, key, way) in body[0].items():
                self.keys.take(rank, key, way)
            self.world.touched.update(body[0])
            if self._honest or (self._obeys and not body[0]):
                super().from_above(kind, *body)
        elif self._honest:
            super().from_above(kind, *body)

    def parent_gone(self) -> None:
        """Its parent has given it up, or is dead: it may turn to others, or to the same."""
        assert self.uplink is not None
        self.uplink.lower_open = False
        self.uplink.down.clear()

    # -- lies --------------------------------------------------------------------------------------

    def lie(self) -> None:
        """Do one of all that it could do."""
        if self.uplink is None or not self.uplink.lower_open:
            self._one_of(self._come_again, self._turn_to_another, self._turn_to_another, self._end)
            return
        lies: list[Callable[[], None]] = [self._launched, self._done, self._nothing, self._return_nothing]
        if self.care:
            lies += [self._up, self._failed, self._return, self._return, self._fake, self._fake_parent]
        if self.world.choose(40) == 0:
            lies = [self._hang_up, self._come_again, self._speak_for_others]
        self._one_of(*lies)

    def _one_of(self, *lies: Callable[[], None]) -> None:
        lies[self.world.choose(len(lies))]()

    def _any(self, ranks: list[int]) -> int:
        return ranks[self.world.choose(len(ranks))]

    def _some(self, ranks: list[int]) -> list[int]:
        return [rank for rank in ranks if self.world.choose(2)]

    def _up(self) -> None:
        rank, parent = self._any([*self.care]), self._any([self.rank, *self.care])
        self.send("up", messages.Up(rank, parent, 9, 0.0, 0.0, 1, self.world.choose(3), "lie"))

    def _failed(self) -> None:
        cause, launcher = causes.ALL[self.world.choose(len(causes.ALL))], self._any([self.rank, *self.care])
        self.send("failed", messages.Failed(self._any([*self.care]), cause, "", 1, launcher, "lie", ""))

    def _return(self) -> None:
        tries = {rank: self._any([0, before, before + 9, 1 << 20]) for rank, before in self.care.items()}
        back = [messages.HostBack(rank, tries[rank], None) for rank in self._some([*self.care])]
        self.send("return", messages.Returned(back, bool(self.world.choose(2)), self.world.choose(4) == 0))

    def _return_nothing(self) -> None:
        self.send("return", messages.Returned([], bool(self.world.choose(2)), False))

    def _launched(self) -> None:
        self.send("launched", messages.Launched(self.world.choose(MANY), 0))

    def _done(self) -> None:
        self.send("done", self.world.choose(self._given + 1))

    def _nothing(self) -> None:
        """Be silent."""

    def _speak_for_others(self) -> None:
        self.send("up", messages.Up(self.world.choose(self.world.size), self.rank, 9, 0.0, 0.0, 1, 1, "lie"))

    # -- connections -------------------------------------------------------------------------------

    def _hang_up(self) -> None:
        assert self.uplink is not None
        self.uplink.lower_open = False

    def _end(self) -> None:
        self.alive = False

    def _come_again(self) -> None:
        """By the same key, to the parent that launched it."""
        self.world.join(self.routes[0], self, Hello(numbers_from(self.way, self.routes[0].rank), self.key))

    def _turn_to_another(self) -> None:
        """To an ancestor, as an orphan, with some of its hosts."""
        to = self.routes[self.world.choose(len(self.routes))]
        self._join_as_orphan(to, self)

    def _fake(self) -> None:
        """Be a host in its care too, whose parent it was."""
        self._join_as_orphan(self.routes[self.world.choose(len(self.routes))], self._other(self._any([*self.care]), []))

    def _fake_parent(self) -> None:
        """…to whom it has handed others."""
        rank = self._any([*self.care])
        other = self._other(rank, [one for one in self._some([*self.care]) if one != rank])
        self._join_as_orphan(self.routes[self.world.choose(len(self.routes))], other)

    def _other(self, rank: int, ranks: list[int]) -> Liar:
        launch = self.key_for(rank)
        other = Liar(self.world, rank, [self, *self.routes], launch.key, launch.way)
        if ranks:
            self.hand(ranks, other)
        other.care = {one: self.care[one] for one in ranks}
        self.world.nodes.append(other)
        return other

    def _join_as_orphan(self, to: Node, other: Liar) -> None:
        lost = self.routes[: self.routes.index(to)] if self.world.choose(2) else []
        said = Hello(numbers_from(other.way, to.rank), other.key, [self, *lost])
        below, left, failed = ([], [], [])  # type: tuple[list[int], list[int], list[int]]
        for rank in self._some([*other.care]):
            self._any_of([below, left, failed]).append(rank)
        said.bring(other.keys, to.rank, below, left, failed)
        self.world.join(to, other, said)
        other.routes = other.routes[other.routes.index(to) :]

    def _any_of(self, lists: list[list[int]]) -> list[int]:
        return lists[self.world.choose(len(lists))]


def give_up(node: Node) -> bool:
    """Nothing happens for so long that who has said nothing new of its hosts is given up: was there one?

    Those above have news of that before it is time to give the node up: see Limits.standstill.
    """
    stirs = False
    stale = node.world.stale
    for link in list(node.links.values()):
        if not link.lower.hostile and give_up(link.lower):
            stirs = True
            continue
        child, boot = link.child, node.boot
        assert child is not None
        assert boot is not None
        if child.rank in boot.children.busy and stale.get(id(child)) == child.moved:
            assert link.lower.hostile, f"honest {child.rank} is given up"
            node.child_gone(link)
            stirs = True
        stale[id(child)] = child.moved
    return stirs
