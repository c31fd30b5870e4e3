"""Orphans at an ancestor's door: who is taken in, who is sent away, and who waits until we have lost its parent too.

That its parent is lost is never believed: whoever was given its parent's rank and pid could say so.
"""

from __future__ import annotations

from time import monotonic

from mpboot.net import wire
from mpboot.tree.orders import Dismiss

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Iterable, List, Optional, Tuple

    from mpboot.net.answer import Answer
    from mpboot.net.hello import Hello
    from mpboot.net.link import Link
    from mpboot.node.keyring import Keyring
    from mpboot.node.news import News
    from mpboot.node.offspring import Offspring
    from mpboot.tree.orders import Order
    from mpboot.tree.state import BootState

    Visit = Tuple[Link, Hello, Answer]

LIVES = 4.0  # seconds after an orphan came: a child that is heard then lives, though the orphan calls it lost


class Orphanage:
    """Judges orphans; ``again(link, hello, session)`` gets one for which the time has come to be judged anew."""

    def __init__(
        self,
        state: BootState,
        keys: Keyring,
        news: News,
        children: Dict[int, Offspring],
        again: Callable[[Link, Hello, Answer], None],
    ) -> None:
        self._state = state
        self._keys = keys
        self._news = news
        self._children = children
        self._again = again
        self._waiting: Dict[Tuple[int, Tuple[int, ...]], Tuple[Visit, float]] = {}  # since when, by rank and numbers

    def judge(self, link: Link, hello: Hello, session: Answer) -> Optional[List[Order]]:
        """What is to be done; None: it waits. ValueError for one that speaks for others' hosts."""
        if not self._keys.proves(session.key, hello.family, hello.ways, hello.proof):
            raise ValueError("it speaks for hosts that it was not given")
        if not self._news.fits(hello.rank, hello.pid, hello.family):
            return [Dismiss(hello.rank)]  # these were its own once, and have been given back since
        holders = self._state.holders([hello.rank, *hello.below, *hello.left])
        lost = {one for one, pid in hello.lost if one in self._children and self._children[one].pid == pid}
        if not holders or not lost.issuperset(holders):
            return self._state.adopt(hello.rank, hello.below, hello.left, hello.failed)
        name = hello.rank, session.numbers
        if name in self._waiting:
            self._waiting.pop(name)[0][0].close()
        if len(self._waiting) >= len(self._state.place):
            return [Dismiss(hello.rank)]
        link.deafen()
        link.lost = lambda _: self._forget(link)
        self._waiting[name] = (link, hello, session), monotonic()
        return None

    def child_lost(self) -> None:
        """A child is lost here, too: those that wait may be its."""
        self._judge_again([visit for visit, _ in self._waiting.values()])

    def beat(self) -> None:
        """Send those away whose parent is alive; the others hear that we are."""
        alive = []
        for visit, since in self._waiting.values():
            link, hello, _ = visit
            holders = self._state.holders([hello.rank, *hello.below, *hello.left])
            if any(self._children[one].link.heard > since + LIVES for one in holders - self._state.leaving):
                hello.lost = []  # our child's word counts, not the orphan's
                alive.append(visit)
            else:
                link.send(wire.PING)
        self._judge_again(alive)

    def close(self) -> None:
        """Nobody is taken in any more."""
        waiting, self._waiting = self._waiting, {}
        for (link, _, _), _ in waiting.values():
            link.close()

    def _judge_again(self, visits: Iterable[Visit]) -> None:
        for link, hello, session in visits:
            self._forget(link)
            if self._keys.find(hello.rank, session.numbers) != session.key:
                link.close()
                continue
            try:
                self._again(link, hello, session)
            except ValueError as error:
                link.fail(str(error))

    def _forget(self, link: Link) -> None:
        self._waiting = {name: one for name, one in self._waiting.items() if one[0][0] is not link}
