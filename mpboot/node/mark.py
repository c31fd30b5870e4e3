"""A mark of whatever comes of a program, for the moment in which nobody knows its pid yet.

It is a limit that a program inherits, keeps when it becomes another, and leaves alone: of the microseconds that a
real-time process may take without a pause. So many are no limit.
"""

from __future__ import annotations

import posix

from mpboot.workers.family import start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List

    from mpboot.workers.family import Process

LEAST = 1 << 60  # microseconds: 36,000 years
_LINE = b"Max realtime timeout"  # of /proc/PID/limits


def mark_of(token: bytes) -> int:
    """The mark of the command that has this token."""
    return LEAST | (int.from_bytes(token, "big") & (LEAST - 1))


def marked(mark: int, start: Callable[[], int]) -> int:
    """What ``start()`` returns, which starts a program: it has the mark.

    ImportError, OSError, ValueError where none can be set.
    """
    import resource

    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    resource.setrlimit(resource.RLIMIT_RTTIME, (mark, before[1]))
    try:
        return start()
    finally:
        resource.setrlimit(resource.RLIMIT_RTTIME, before)


def unmark(pid: int) -> None:
    """It is known by now, and finds its limits as the user has them."""
    import resource

    try:
        resource.prlimit(pid, resource.RLIMIT_RTTIME, resource.getrlimit(resource.RLIMIT_RTTIME))
    except OSError:
        pass  # it has ended, or is another user's by now


def who_has(mark: int) -> List[Process]:
    """The processes that have it, by number: what came of the command, and its agent for the moment of ``marked``."""
    try:
        pids = sorted(int(name) for name in posix.listdir("/proc") if name.isdigit())
    except OSError:
        return []
    return [(pid, start_of(pid)) for pid in pids if _limit_of(pid) == b"%d" % mark]


def _limit_of(pid: int) -> bytes:
    try:
        with open("/proc/%d/limits" % pid, "rb") as file:
            return next((line.split()[3] for line in file if line.startswith(_LINE)), b"")
    except OSError:
        return b""  # it has ended, or is another user's
