"""Starts a program as the leader of a session of its own, without a copy of whoever starts it."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Mapping, Sequence


def spawn(
    path: bytes,
    argv: List[bytes],
    environment: Mapping[bytes, bytes],
    stdio: Sequence[int],
    defaults: Sequence[int],
) -> int:
    """Start the program at ``path``; its pid. OSError, or ValueError for a NUL.

    ``stdio``: what it has as 0, 1 and 2; ``defaults``: signals that are as they are by default, whatever they are here.
    """
    try:
        return posix.posix_spawn(
            path, argv, environment, setsid=True, setsigdef=defaults,
            file_actions=[(posix.POSIX_SPAWN_DUP2, fd, at) for at, fd in enumerate(stdio)],
        )  # fmt: skip
    except NotImplementedError:  # this Python was made for a C library that can't
        return _fork(path, argv, environment, stdio, defaults)


def _fork(
    path: bytes,
    argv: List[bytes],
    environment: Mapping[bytes, bytes],
    stdio: Sequence[int],
    defaults: Sequence[int],
) -> int:
    """What posix_spawn does, by hand."""
    told, tell = posix.pipe()
    pid = posix.fork()
    if not pid:
        try:
            posix.setsid()
            for at, fd in enumerate(stdio):
                posix.dup2(fd, at)
            for number in defaults:
                _signal.signal(number, _signal.SIG_DFL)
            posix.execve(path, argv, environment)
        except OSError as error:
            posix.write(tell, b"%d" % (error.errno or 0))
        finally:
            posix._exit(127)
    posix.close(tell)
    wrong = posix.read(told, 16)
    posix.close(told)
    if wrong:
        posix.waitpid(pid, 0)
        raise OSError(int(wrong), posix.strerror(int(wrong)))
    return pid
