"""Which launches are under way here and below: asked by TELL, answered by TOLD, for SIGUSR1 and an early end.

Every parent first says how many answers will follow, then, when its watcher has looked, which launches there are: so
whoever gathers the answers knows when all have come (docs/protocol.md).
"""

from __future__ import annotations

from mpboot.net import messages, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, List

    from mpboot.node.launcher import Launcher
    from mpboot.node.offspring import Offspring


GLANCE = b"1"  # TELL's body where what is not watched yet need not be
MOST = 400  # launches that one node tells of


class Survey:
    """Answers for one node; one question at a time. ``send`` as Uplink.send."""

    def __init__(self, launcher: Launcher, send: Callable[[int, bytes], None]) -> None:
        self._launcher = launcher
        self._send = send
        self._under_way = False

    def tell(self, children: Iterable[Offspring], body: bytes = b"") -> None:
        """Answer, and have the parents among the children do so. ``body``: TELL's."""
        if body not in (b"", GLANCE):
            raise ValueError("asks for what nobody knows")
        if self._under_way:
            return
        self._under_way = True
        parents = [child for child in children if child.is_parent]
        for child in parents:
            child.words = 0
            child.link.send(wire.TELL, body)
        self._answer([], len(parents) + 1)
        self._launcher.tell(self._seen, body != GLANCE)

    def _seen(self, launches: List[messages.LaunchSeen]) -> None:
        self._under_way = False
        groups = list(messages.LaunchSeen.groups(launches[:MOST])) or [[]]
        for left, group in zip(range(len(groups) - 1, -1, -1), groups):
            self._answer(group, 1 if left else 0)

    def _answer(self, launches: List[messages.LaunchSeen], to_come: int) -> None:
        self._send(wire.TOLD, messages.UnderWay(launches, to_come).pack())
