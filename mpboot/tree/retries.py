"""How long a host waits before it is launched again, and when a node had better launch none. Pure."""

from __future__ import annotations

PAUSE = 0.5  # seconds before the first retry; doubles with each
LONGEST = 4.0  # seconds at most, give or take the jitter
DOUBLED = 3  # times, and it is as long as that
ELSEWHERE = 4  # of so many attempts of a host that is waited for, an ancestor is left one


def pause_before(rank: int, attempts: int) -> float:
    """Seconds to wait, of a host that has been launched ``attempts`` times.

    The jitter is a hash of both: the decision stays pure, and a thousand retries still spread out.
    """
    jitter = ((rank + 1) * 2654435761 + attempts * 40503) % 1024 / 1024
    # A child may say of a host that it gives back that it was launched a million times.
    return min(LONGEST, PAUSE * (1 << min(DOUBLED, max(0, attempts - 1)))) * (0.5 + jitter)


class OwnFaults:
    """Launches of a node that failed, none ever having succeeded: it may be this machine's own fault."""

    LEAST = 2  # of them, before it gives up

    def __init__(self) -> None:
        self.possible = True
        self._failed = 0

    def give_up(self, others: int, waits: bool, own: bool) -> bool:
        """One more has failed: is that enough? Who is refused is known at once; ``others`` under way come up later.

        Not so where the boot ``waits`` for what passes, which says nothing of this machine. What is its ``own`` fault,
        whichever host was meant, is enough in any case.
        """
        self._failed += not waits
        return self.possible and (own or (not waits and self._failed >= max(self.LEAST, others)))

    def hang(self, late: int, fanout: int) -> bool:
        """So many of those under way are late: is that enough? ``fanout``: children of its topology, 0 for no limit.

        As many as it may begin at once have to be. (An adaptive node is asked for hosts by its parent.)
        """
        return self.possible and 0 < fanout <= late
