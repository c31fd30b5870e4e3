"""Who is much slower than whom he gets files from: those behind him in the chain are to go round him.

A host that gets little while the one before it has much more, and came by that faster, is held up: by that one, by
itself, or by what is between. So it is to ask another first. If it is as slow with that one, it is slow itself, and
whoever asks it is to ask another.

Of a host that asks the head it can't be seen whether it is slow or the head's link. So where it would take long, the
host behind it tries the head for a while, and goes back if that was no faster: then both share what there is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

WHILE = 4.0  # seconds that are looked at
TIMES = 4  # so many times slower
LEAST = 1 << 21  # bytes that the one before must have more
SOON = 5.0  # seconds: who is done in as many is left alone
LONG = 60.0  # seconds: where the first one would take longer for the rest, the next tries the head
KEPT = 64  # words of a host


class Laggards:
    """``size``: bytes that each host has in the end. Times are monotonic."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heard: dict[str, deque[tuple[float, int]]] = {}
        self._first: dict[str, tuple[float, int]] = {}
        self._of: dict[str, tuple[str, float]] = {}  # whom it asks, since when
        self._told: set[tuple[str, str]] = set()
        self._trial: tuple[str, str, float] | None = None  # who tries the head in whose place, since when
        self._tried = False

    def hear(self, host: str, has: int, of: str, now: float) -> None:
        """A host has so many bytes, and asks ``of`` ("": the head) for more."""
        self._first.setdefault(host, (now, has))
        self._heard.setdefault(host, deque(maxlen=KEPT)).append((now, has))
        if host not in self._of or self._of[host][0] != of:
            self._of[host] = of, now

    def judge(self, hosts: Iterable[str], now: float) -> list[tuple[str, str]]:
        """Who is to leave whom: (host, of), each once. ``hosts``: those that are not done."""
        open_ = list(hosts)
        found: list[tuple[str, str]] = []
        for host in open_:
            of, since = self._of.get(host, ("", now))
            if not of or now - since < WHILE or not self._is_slow(host, of, max(since, now - 2 * WHILE), now):
                continue
            if any(one == host for one, _ in self._told):  # it has asked another already
                found += [(one, host) for one in open_ if self._of.get(one, ("", 0.0))[0] == host]
            else:
                found.append((host, of))
        found = [pair for pair in found + self._try_head(open_, now) if pair not in self._told]
        self._told.update(found)
        return found

    def _try_head(self, open_: list[str], now: float) -> list[tuple[str, str]]:
        """One trial in a push, and its end."""
        if self._trial is not None:
            one, first, since = self._trial
            if now - since < 2 * WHILE:
                return []
            self._trial = None
            rates = self._lately(one, since, now), self._lately(first, since, now)
            is_worth_it = one not in open_ or (rates[0] or 0.0) > TIMES * (rates[1] or 0.0)
            return [] if is_worth_it else [(one, "")]
        for first in open_ if not self._tried else []:
            of, since = self._of.get(first, ("", now))
            rate = self._lately(first, max(since, now - 2 * WHILE), now)
            behind = [one for one in open_ if self._of.get(one, ("", 0.0))[0] == first]
            if not of and behind and rate is not None and rate * LONG < self._size - self._heard[first][-1][1]:
                self._trial, self._tried = (behind[0], first, now), True
                return [(behind[0], first)]
        return []

    def _before(self, host: str, since: float, now: float) -> tuple[float, int] | None:
        """The last word of a host that is old enough to tell what came since; None: there is none."""
        found = [word for word in self._heard.get(host, ()) if since <= word[0] <= now - WHILE]
        return found[-1] if found and self._heard[host][-1][0] - found[-1][0] >= WHILE / 2 else None

    def _lately(self, host: str, since: float, now: float) -> float | None:
        """Bytes a second that came to a host of late; None: not known."""
        before = self._before(host, since, now)
        if before is None:
            return None
        at, has = self._heard[host][-1]
        return (has - before[1]) / (at - before[0])

    def _is_slow(self, host: str, of: str, since: float, now: float) -> bool:
        before, rate, rate_of = self._before(host, since, now), self._lately(host, since, now), self._rate(of)
        if before is None or rate is None or not rate_of:
            return False
        (then, had), has = before, self._heard[host][-1][1]
        more = max((has for time, has in self._heard[of] if time <= then), default=0) - had
        return more >= max(LEAST, TIMES * (has - had)) and rate * TIMES < rate_of and (self._size - has) > rate * SOON

    def _rate(self, host: str) -> float:
        """Bytes a second that came to a host, as long as they came; 0: not known."""
        if host not in self._first:
            return 0.0
        (begun, first), (at, has) = self._first[host], self._heard[host][-1]
        return (has - first) / (at - begun) if at > begun else 0.0
