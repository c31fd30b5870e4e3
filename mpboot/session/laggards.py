"""Who is much slower than whom he gets files from: those behind him in the chain are to go round him.

A host that gets little while the one before it has much more, and came by that faster, is held up: by that one, by
itself, or by what is between. So it is to ask another first. If it is as slow with that one, it is slow itself, and
whoever asks it is to ask another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

WHILE = 4.0  # seconds that are looked at
TIMES = 4  # so many times slower
LEAST = 1 << 21  # bytes that the one before must have more
SOON = 5.0  # seconds: who is done in as many is left alone
KEPT = 64  # words of a host


class Laggards:
    """``size``: bytes that each host has in the end. Times are monotonic."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heard: dict[str, deque[tuple[float, int]]] = {}
        self._first: dict[str, tuple[float, int]] = {}
        self._of: dict[str, tuple[str, float]] = {}  # whom it asks, since when
        self._told: set[tuple[str, str]] = set()

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
        found = [pair for pair in found if pair not in self._told]
        self._told.update(found)
        return found

    def _is_slow(self, host: str, of: str, since: float, now: float) -> bool:
        before = [word for word in self._heard[host] if since <= word[0] <= now - WHILE]
        rate_of = self._rate(of)
        if not before or not rate_of:
            return False
        (then, had), (at, has) = before[-1], self._heard[host][-1]
        if at - then < WHILE / 2:
            return False
        rate = (has - had) / (at - then)
        more = max((has for time, has in self._heard[of] if time <= then), default=0) - had
        return more >= max(LEAST, TIMES * (has - had)) and rate * TIMES < rate_of and (self._size - has) > rate * SOON

    def _rate(self, host: str) -> float:
        """Bytes a second that came to a host, as long as they came; 0: not known."""
        if host not in self._first:
            return 0.0
        (begun, first), (at, has) = self._first[host], self._heard[host][-1]
        return (has - first) / (at - begun) if at > begun else 0.0
