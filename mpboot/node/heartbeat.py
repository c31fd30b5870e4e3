"""Asks a node's children whether they live: gives up who is dead, and spares who is only slow."""

from __future__ import annotations

from time import monotonic

from mpboot.net import commands, patience, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Iterable

    from mpboot.node.care import Limits
    from mpboot.node.offspring import Offspring
    from mpboot.tree.orders import Order
    from mpboot.tree.state import BootState

SILENT = "silent"
BACKLOG = 1 << 16  # bytes that wait for a child to read them: it is not asked then whether it lives


class Heartbeat:
    """Judges the children; ``send`` tells upward who is slow, ``do`` carries out the orders that follow."""

    def __init__(
        self,
        state: BootState,
        children: Dict[int, Offspring],
        limits: Limits,
        send: Callable[[int, bytes], None],
        do: Callable[[Iterable[Order]], None],
    ) -> None:
        self._state = state
        self._children = children
        self._limits = limits
        self._send = send
        self._do = do

    def beat(self, silence: float, missed: float) -> None:
        """Silence for so many seconds means nothing; for ``missed`` seconds we have not listened ourselves."""
        now = monotonic()
        for child in list(self._children.values()):
            verdict = child.link.judge(silence, missed)
            if verdict == patience.DEAD:
                child.link.fail("%s for %.0f s" % (SILENT, now - child.link.heard))
            elif child.rank in self._state.children.busy and now - child.moved > self._limits.standstill:
                child.link.fail("it says nothing new of its hosts for %.0f s" % (now - child.moved))
            else:
                self._spare(child, verdict == patience.SLOW)
                self._ask(child)

    def hurry(self, silence: float, since: float) -> None:
        """All is to end, ``since`` then: who is as much as slow is waited for no more."""
        now = monotonic()
        for child in list(self._children.values()):
            if now - max(child.link.heard, since) > silence:
                child.link.fail("%s for %.0f s" % (SILENT, now - child.link.heard))
            else:
                self._ask(child)

    def _ask(self, child: Offspring) -> None:
        if child.link.backlog < BACKLOG:
            child.link.send(wire.PING)

    def _spare(self, child: Offspring, slow: bool) -> None:
        """Who is slow gets nothing new to do, and is named."""
        if slow != child.slow:
            child.slow = slow
            self._send(wire.NOTE, commands.Note(child.rank, commands.SLOW, commands.PACES[slow]).pack())
            children = self._state.children
            (children.spare if slow else children.employ)(child.rank)
            self._do(self._state.resume(()))  # others may have to do now what it was to do, or it what they were to
