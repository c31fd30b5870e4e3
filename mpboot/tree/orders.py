"""What BootState wants done: its orders, and who carries them out."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List, Protocol, Tuple

    class Performer(Protocol):
        """Whoever carries orders out: a parent, the simulation, the plan, the tests' model. A method for each kind."""

        def launch(self, order: Launch) -> None:
            """Begin a launch."""

        def kill(self, order: Kill) -> None:
            """End a launch."""

        def pause(self, order: Pause) -> None:
            """Wait, then resume."""

        def share(self, order: Share) -> None:
            """Hand hosts to a child."""

        def fail(self, order: Fail) -> None:
            """Tell that a host failed."""

        def give_back(self, order: Return) -> None:
            """Give hosts back to the parent."""

        def dismiss(self, order: Dismiss) -> None:
            """Stop an agent that has no place."""

        def done(self, order: Done) -> None:
            """Tell that all is finished."""

        def reclaim(self, order: Reclaim) -> None:
            """Ask a child for hosts."""


def perform(orders: Iterable[Order], by: Performer) -> None:
    """Have ``by`` carry out the orders, one after another."""
    for order in orders:
        order.perform(by)


class Order:
    """Something to be done. Orders of a kind with the same content are equal."""

    __slots__: Tuple[str, ...] = ()

    def perform(self, by: Performer) -> None:  # noqa: ARG002
        """Have ``by`` do it: each kind calls the method of its name."""
        raise TypeError("an order of no kind")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "%s(%s)" % (type(self).__name__, ", ".join("%s=%r" % (n, getattr(self, n)) for n in self.__slots__))


class Launch(Order):
    """Launch ``rank``; ``attempt`` counts from 1 over all launchers."""

    __slots__ = ("attempt", "rank")

    def __init__(self, rank: int, attempt: int) -> None:
        self.rank = rank
        self.attempt = attempt

    def perform(self, by: Performer) -> None:
        by.launch(self)


class Kill(Order):
    """End the launch of ``rank`` that is under way: the host is up or no longer wanted."""

    __slots__ = ("rank",)

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def perform(self, by: Performer) -> None:
        by.kill(self)


class Pause(Order):
    """Call ``resume(ranks)`` after ``delay`` seconds."""

    __slots__ = ("delay", "ranks")

    def __init__(self, ranks: List[int], delay: float) -> None:
        self.ranks = ranks
        self.delay = delay

    def perform(self, by: Performer) -> None:
        by.pause(self)


class Share(Order):
    """Hand ``ranks`` to ``child``; none makes it a leaf."""

    __slots__ = ("child", "ranks")

    def __init__(self, child: int, ranks: List[int]) -> None:
        self.child = child
        self.ranks = ranks

    def perform(self, by: Performer) -> None:
        by.share(self)


class Fail(Order):
    """Tell upward that ``rank`` failed for good."""

    __slots__ = ("cause", "rank")

    def __init__(self, rank: int, cause: str) -> None:
        self.rank = rank
        self.cause = cause

    def perform(self, by: Performer) -> None:
        by.fail(self)


class Return(Order):
    """Give ``ranks`` back to the parent.

    ``tried``: this node's launches of them failed, an ancestor must try. ``disabled``: this node can't
    launch at all, it wants no more.
    """

    __slots__ = ("disabled", "ranks", "tried")

    def __init__(self, ranks: List[int], tried: bool, disabled: bool) -> None:
        self.ranks = ranks
        self.tried = tried
        self.disabled = disabled

    def perform(self, by: Performer) -> None:
        by.give_back(self)


class Dismiss(Order):
    """Stop the agent of ``rank`` that has just connected: another has its place."""

    __slots__ = ("rank",)

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def perform(self, by: Performer) -> None:
        by.dismiss(self)


class Done(Order):
    """Tell upward that everything of the first ``shares`` shares is finished."""

    __slots__ = ("shares",)

    def __init__(self, shares: int) -> None:
        self.shares = shares

    def perform(self, by: Performer) -> None:
        by.done(self)


class Reclaim(Order):
    """Ask ``child`` for ``count`` of the hosts back that it has not begun to launch."""

    __slots__ = ("child", "count")

    def __init__(self, child: int, count: int) -> None:
        self.child = child
        self.count = count

    def perform(self, by: Performer) -> None:
        by.reclaim(self)
