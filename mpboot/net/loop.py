"""The one loop of an agent: descriptors and timers, each with the function to call. No threads, no polling.

On select's own objects and heapq's C code: selectors and heapq would take a new parent 2 ms to load.
"""

from __future__ import annotations

import select
from _heapq import heappop, heappush
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Tuple

READ: int = select.POLLIN  # the same numbers for poll and epoll
WRITE: int = select.POLLOUT


class Timer:
    """A call that is to be made at a time; ``cancel`` to forget it."""

    __slots__ = ("call", "when")

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when = when
        self.call: Callable[[], None] | None = call

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when

    def cancel(self) -> None:
        """Never make the call."""
        self.call = None


class Loop:
    """Calls what was asked for until ``stop``. A callback for a descriptor gets the ready events."""

    def __init__(self) -> None:
        self._unit = 1.0 if hasattr(select, "epoll") else 1000.0  # of seconds, in what poll() takes
        self._poller: Any = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._watched: Dict[int, Tuple[int, Callable[[int], None]]] = {}
        self._timers: List[Timer] = []
        self._soon: List[Callable[[], None]] = []
        self._running = True

    def watch(self, fd: int, events: int, call: Callable[[int], None]) -> None:
        """Call ``call(events)`` when ``fd`` is ready; watch again with other events to change them."""
        if fd in self._watched:
            self._poller.modify(fd, events)
        else:
            self._poller.register(fd, events)
        self._watched[fd] = (events, call)

    def forget(self, fd: int) -> None:
        """Watch ``fd`` no more; to be called before it is closed. Unknown descriptors are fine."""
        if self._watched.pop(fd, None) is not None:
            try:
                self._poller.unregister(fd)
            except (OSError, KeyError, ValueError):
                return  # it was closed

    def later(self, delay: float, call: Callable[[], None]) -> Timer:
        """Call ``call()`` after ``delay`` seconds."""
        timer = Timer(monotonic() + delay, call)
        heappush(self._timers, timer)
        return timer

    def soon(self, call: Callable[[], None]) -> None:
        """Call ``call()`` when the callbacks of this round are done: for what many of them add up to."""
        self._soon.append(call)

    def stop(self) -> None:
        """Leave ``run`` when the callbacks under way are done."""
        self._running = False

    def run(self) -> None:
        """Loop until stopped."""
        while self._running:
            self._settle()
            if self._running:  # else one of these has stopped it, and nothing may ever end another wait
                self._turn()
        self._settle()  # what was put off to the end of this round is to be done all the same

    def close(self) -> None:
        """Give the poller's own descriptor back; nothing can be watched any more."""
        if self._unit == 1.0:
            self._poller.close()

    # -- inside ------------------------------------------------------------------------------------

    def _turn(self) -> None:
        patience = self._patience()
        found = [(fd, events, self._watched.get(fd)) for fd, events in self._poller.poll(patience)]
        looked = monotonic()
        for fd, events, watched in found:
            # A callback before this one may have forgotten the descriptor, or put another in its place.
            if watched is not None and self._watched.get(fd) is watched:
                wanted, call = watched
                # An error or an end of the far side's is for whoever waits, to read or to write.
                call(wanted & (READ | WRITE if events & ~(READ | WRITE) else events))
        self._fire(looked)

    def _settle(self) -> None:
        while self._soon:
            calls, self._soon = self._soon, []
            for call in calls:
                call()

    def _patience(self) -> float | None:
        while self._timers and self._timers[0].call is None:
            heappop(self._timers)
        return max(0.0, self._timers[0].when - monotonic()) * self._unit if self._timers else None

    def _fire(self, looked: float) -> None:
        # Only what was due when the descriptors were looked at: where the callbacks took long, on a machine that is
        # starved of processors, a time-out must not pass before what has come meanwhile is read.
        while self._timers and self._timers[0].when <= looked:
            call = heappop(self._timers).call
            if call is not None:
                call()
