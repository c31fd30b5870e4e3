"""What an agent does that hears nothing of its parent: ask its kernel, be patient, and turn to an ancestor at last.

Of a leaf this is loaded only then.
"""

from __future__ import annotations

from time import monotonic

from mpboot.net import kernel, patience, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Protocol, Tuple, TypeVar

    Found = TypeVar("Found")
    Reach = Callable[[wire.AgentConfig, int, List[Tuple[str, int]], List[str]], Optional[Found]]

    class Line(Protocol):
        """A leaf's, to its parent."""

        session: wire.Session
        write_fd: int
        heard: float

        def flush(self) -> None:
            """Send all that the session has to say."""

        def waits(self, seconds: float) -> bool:
            """Is there something to read, after so many seconds at most?"""


def outwait(line: Line, silence: float) -> float:
    """Wait until the parent, which has said nothing for most of ``silence`` seconds, says something.

    0, or how long it was silent if it is gone.
    """
    step = silence * (1 - patience.ASK)
    while True:
        line.session.send(wire.PONG)  # for there to be something that its kernel acknowledges
        line.flush()
        if line.waits(step):
            return 0.0
        silent = monotonic() - line.heard
        if patience.judge(silent, kernel.unanswered(line.write_fd), silence) == patience.DEAD:
            return silent


def find_ancestor(config: wire.AgentConfig, reach: Reach[Found]) -> Optional[Found]:
    """The parent is gone: turn to the nearest ancestor that answers, which is the parent from then on."""
    config.patience = max(config.patience, patience.MUTE * config.silence)  # one that is slow is waited for
    for at in range(1, len(config.routes)):
        port, addresses = config.routes[at]
        found = reach(config, at, [(address, port) for address in addresses], [])
        if found is not None:
            config.lost = config.lineage[:at]
            config.routes = config.routes[at:]
            config.lineage = config.lineage[at:]
            config.shares = 0
            return found
    return None
