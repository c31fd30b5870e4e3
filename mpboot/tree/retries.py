"""How long a host waits before it is launched again. Pure."""

from __future__ import annotations

PAUSE = 0.5  # seconds before the first retry; doubles with each
LONGEST = 4.0  # seconds at most, give or take the jitter
DOUBLED = 3  # times, and it is as long as that


def pause_before(rank: int, attempts: int) -> float:
    """Seconds to wait, of a host that has been launched ``attempts`` times.

    The jitter is a hash of both: the decision stays pure, and a thousand retries still spread out.
    """
    jitter = ((rank + 1) * 2654435761 + attempts * 40503) % 1024 / 1024
    # A child may say of a host that it gives back that it was launched a million times.
    return min(LONGEST, PAUSE * (1 << min(DOUBLED, max(0, attempts - 1)))) * (0.5 + jitter)
