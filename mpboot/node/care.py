"""What a child may say, and how much: of hosts in its care alone, and never without end.

A host may have been taken over, or be broken in any way. Whoever breaks these rules is given up; see docs/security.md.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from mpboot.net.messages import BootSettings
    from mpboot.node.offspring import Offspring
    from mpboot.tree.state import BootState

WORDS = 1 << 16  # bytes of lines, notes and answers that a child may send
WORDS_A_HOST = 1 << 13  # and for each host that was ever in its care
TRIES = 16  # launches of a host by all that may try it, beside its retries
EACH_WAIT = 0.2  # seconds between two launches of a host that is still starting, at least
STANDSTILL = 60.0  # seconds beyond two time limits without news of its hosts, after which a busy child is given up
# Seconds more for each level that a node is nearer to the root than the DEEP-th: so a child that stands still is given
# up by its own parent, whose news of that reaches those above before they give up the parent.
NEARER, DEEP = 15.0, 12
PAUSES = 11.0  # seconds that an attempt of an honest child takes beyond its time limit, the pause before it included


class Care:
    """Whose word counts for which host. ``runs(rank, job)``: has it begun there? ``exited(rank, job)``: and ended?"""

    def __init__(self, state: BootState, runs: Callable[[int, int], bool], exited: Callable[[int, int], bool]) -> None:
        self._state = state
        self._runs = runs
        self._exited = exited

    def has(self, child: int, rank: int) -> bool:
        """Is this host in the child's care now? ValueError for one that never was."""
        if not self._state.children.ever(child, rank):
            raise ValueError("it speaks for a host that it was not given")
        return self._state.place.get(rank) == child

    def runs(self, child: int, rank: int, job: int) -> bool:
        """Does the job run on this host, the child or one in its care now? ValueError where it never did."""
        counts = rank == child or self.has(child, rank)
        if not self._runs(rank, job):
            raise ValueError("no such command runs on the host that it speaks for")
        return counts

    def writes(self, child: int, rank: int, job: int) -> bool:
        """Likewise, and ValueError after the job's end there."""
        counts = self.runs(child, rank, job)
        if counts and self._exited(rank, job):
            raise ValueError("output of a command that has ended")
        return counts


class Limits:
    """How much one child may say.

    Who has hosts in its care passes on what others say, and must not pay for it: what is too much of that is not passed
    on. Who never had any speaks for itself.
    """

    def __init__(self, boot: BootSettings, level: int) -> None:
        """``level``: the node's in the tree."""
        self.standstill = 2 * boot.timeout + STANDSTILL + NEARER * max(0, DEEP - level)
        # Seconds since there was other news of its hosts, after which launches that begin are none any more: a host is
        # up, has failed or is given back by then. Nearer to the root it is longer, so that those below give up first.
        given_up = 2 * boot.timeout + STANDSTILL + NEARER * (DEEP + 1)
        self.launching = (boot.retries + TRIES) * (boot.timeout + PAUSES) + boot.wait_for
        self.launching += given_up * max(0, DEEP - level)
        self._tries = boot.retries + TRIES + int(boot.wait_for / EACH_WAIT)

    def words(self, child: Offspring, hosts: int, size: int) -> bool:
        """May these bytes be passed on? ``hosts``: so many were ever in its care. ValueError if it is to be lost."""
        child.words += size
        fits = child.words <= WORDS + WORDS_A_HOST * hosts
        if not fits and not hosts:
            raise ValueError("it talks without end")
        return fits

    def launches(self, child: Offspring, hosts: int, count: int) -> int:
        """How many of the launches count that have begun in its care. ValueError if it has no hosts to launch."""
        if count and not hosts:
            raise ValueError("it launches nobody knows what")
        counted = min(count, self._tries * hosts - child.launches)
        child.launches += counted
        return counted
