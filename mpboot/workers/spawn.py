"""Starts a program as the leader of a session of its own, its signals as after a login.

By fork: glibc's posix_spawn has the program ignore two real-time signals of its own.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Mapping, Sequence


def spawn(
    path: bytes, argv: List[bytes], environment: Mapping[bytes, bytes], stdio: Sequence[int], defaults: Sequence[int]
) -> int:
    """Start the program at ``path``; its pid. OSError, or ValueError for a NUL.

    ``stdio``: what it has as 0, 1 and 2; ``defaults``: signals that are as they are by default, whatever they are here.
    """
    told, tell = posix.pipe()
    pid = posix.fork()
    if not pid:
        wrong = 0
        try:
            posix.setsid()
            for at, fd in enumerate(stdio):
                posix.dup2(fd, at)
            for number in defaults:
                _signal.signal(number, _signal.SIG_DFL)
            posix.execve(path, argv, environment)
        except OSError as error:
            wrong = error.errno or 0
        finally:  # whatever it is, a second keeper must not run on from here
            posix.write(tell, b"%d" % wrong)
            posix._exit(127)
    posix.close(tell)
    told_wrong = posix.read(told, 16)
    posix.close(told)
    if told_wrong:
        posix.waitpid(pid, 0)
        if int(told_wrong):
            raise OSError(int(told_wrong), posix.strerror(int(told_wrong)))
        raise ValueError("it can't be passed to a program")
    return pid
