"""Which launches are under way: all parents of the tree are asked, and what they answer in time is shown."""

from __future__ import annotations

from typing import Any, Callable

from .node import wire
from .node.link import Link
from .node.loop import Loop, Timer
from .observer import Observer

TELL_WAIT = 1.0  # seconds that the parents may take to answer


class UnderWay:
    """One question at a time; the answers go to the observer's log, then ``shown`` is called."""

    def __init__(
        self, loop: Loop, link: Link, observer: Observer, label: Callable[[int], str], shown: Callable[[], None]
    ) -> None:
        self.loop = loop
        self.link = link
        self.observer = observer
        self.label = label
        self.shown = shown
        self.even_none = True  # say so, too, if there are none
        self._timer: Timer | None = None
        self._to_come = 0  # answers
        self._launches: list[dict[str, Any]] = []

    @property
    def asked(self) -> bool:
        """A question is under way."""
        return self._timer is not None

    def ask(self) -> None:
        """Ask, if the root is there and has not been asked already."""
        if self._timer is None and self.link.session.ready:
            self._to_come, self._launches = 1, []
            self.link.send(wire.TELL)
            self._timer = self.loop.later(TELL_WAIT, self._show)

    def told(self, answer: dict[str, Any]) -> None:
        """One parent's launches under way."""
        self._to_come += answer["to_come"] - 1
        self._launches += [{**record, "from": self.label(record["from"])} for record in answer["launches"]]
        if self._to_come <= 0:
            self._show()

    def _show(self) -> None:
        """All parents have answered, or had their time."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        if self._launches or self._to_come or self.even_none:
            from .inspect_view import launch_lines

            longest_first = sorted(self._launches, key=lambda record: -float(record["seconds"]))
            for line in launch_lines(longest_first, self._to_come):
                self.observer.log(line)
        self.shown()
