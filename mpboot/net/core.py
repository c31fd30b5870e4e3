"""No core with a key in it of a process that knows keys; what such a process starts has the user's own limits again."""

from __future__ import annotations

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Tuple, TypeVar

    T = TypeVar("T")

FILTER = "/proc/self/coredump_filter"  # which kinds of memory a core has in it; also over fork and exec
_limits: Dict[int, Tuple[int, int]] = {}  # as they were, of those that this process has changed


_before = b""  # the kinds of memory that the user wants in a core; empty until this process has chosen


def _filter(kinds: bytes) -> bytes:
    """Choose these kinds; those that there were. OSError where a process can't choose."""
    fd = posix.open(FILTER, posix.O_RDWR)
    try:
        before = b"0x" + posix.read(fd, 32).strip()
        posix.write(fd, kinds)
        return before
    finally:
        posix.close(fd)


def none() -> None:
    """From now on a core of this process has no memory in it; without /proc, there is none.

    Neither as a file, nor for a program, to which a limit of 1 means none, and one of 0 does not.
    """
    global _before
    try:
        before = _filter(b"0")
        _before = _before or before
        return
    except OSError:
        pass  # there is no /proc
    import resource  # a shared object: a leaf is to do without

    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    limit(resource.RLIMIT_CORE, 1 if hard else 0, hard)


def limit(number: int, soft: int, hard: int) -> None:
    """Set a limit of this process, but not of what it starts. OSError, ValueError."""
    import resource

    _limits.setdefault(number, resource.getrlimit(number))
    resource.setrlimit(number, (soft, hard))


def has_limits() -> bool:
    """Has this process limits of its own, which what it starts is not to have?"""
    return bool(_limits)


def as_before() -> None:
    """Set all back to what it was, for what is about to be started."""
    if _before:
        try:
            _filter(_before)
        except OSError:
            pass  # /proc is there no more, or can't be written: what is started has less in its core
    if _limits:
        import resource

        for number, before in _limits.items():
            resource.setrlimit(number, before)


def lent(start: Callable[[], T]) -> T:
    """What ``start()`` returns, which starts a program with this process's memory: it has the user's kinds in its core.

    For so long this process has them as well; so there must be a limit that keeps it from leaving a core. OSError.
    """
    if not _before:
        return start()
    fd = posix.open(FILTER, posix.O_WRONLY)
    try:
        posix.write(fd, _before)
        try:
            return start()
        finally:
            posix.write(fd, b"0")
    finally:
        posix.close(fd)
