"""Slow is not gone: what to think of a peer that says nothing. Pure.

A process that gets no processor says nothing; its kernel acknowledges all the same what is sent to it. Who is gone,
with its machine or its cable, acknowledges nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

ALIVE, SLOW, DEAD = 0, 1, 2
LONG = 6.0  # times the limit that a peer may say nothing whose kernel answers
MUTE = 3.0  # the same where there is no kernel to ask: over pipes
ASK = 0.8  # of the limit: from then on who is not asked anything asks, for there to be something to acknowledge
# Where things stand in what Linux tells of a connection (struct tcp_info): a byte, and numbers of four.
_RETRIES, _PROBES, _TIMEOUT, _UNACKED, _LAST_ACK, _END = 2, 3, 8, 24, 56, 60


def judge(silent: float, unanswered: Optional[float], limit: float) -> int:
    """Is a peer ALIVE, SLOW or DEAD? It has said nothing for so many seconds in which this node has listened.

    ``unanswered``: for how long its kernel has acknowledged nothing of what it should have; 0 if it owes nothing, None
    where nobody can tell. ``limit``: seconds of silence that mean nothing.
    """
    if silent <= limit:
        return ALIVE
    if unanswered is not None and unanswered > ASK * limit:
        return DEAD
    return DEAD if silent > limit * (MUTE if unanswered is None else LONG) else SLOW


def unanswered(info: bytes) -> Optional[float]:
    """For how long a connection's peer has acknowledged nothing that it should have, by the kernel's tcp_info.

    Whoever hears nothing of us may be heard all the same, and what it sends again looks like an answer. So it counts,
    too, how often the kernel has sent the same again: each time it waits twice as long.
    """
    if len(info) < _END:
        return None
    if not info[_PROBES] and not any(info[_UNACKED : _UNACKED + 4]):
        return 0.0
    last = _number(info, _LAST_ACK) / 1000
    return max(last, _number(info, _TIMEOUT) / 1e6 * (1 - 0.5 ** info[_RETRIES]))


def _number(info: bytes, at: int) -> int:
    return int(memoryview(info[at : at + 4]).cast("I")[0])  # in the machine's own order


def missed(since: float, beat: float) -> float:
    """Seconds in which we can't have listened ourselves, who were to come by every ``beat`` and came after ``since``.

    Twice a beat is nothing: a little late is everybody on a loaded machine.
    """
    return max(0.0, since - 2 * beat)
