"""A launch that a test has carried out."""

from __future__ import annotations

from collections.abc import Callable

from mpboot.net.work import Started, Verdict


class Carried:
    """What came of a launch."""

    def __init__(self, verdict: Verdict, started: list[Started]) -> None:
        self.verdict = verdict
        self.started = started
        self.states = [name for name, _ in verdict.states]
        self.end = (verdict.cause, verdict.phase)


Carry = Callable[..., Carried]
