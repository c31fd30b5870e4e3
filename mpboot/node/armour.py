"""An agent's frames on rsh's stdout, where others may print: each piece behind a word that only its launch knows.

Background jobs of start-up files hold that stdout for as long as they like, and nobody can take it from them. So a
process of the agent's own writes pieces that a pipe takes whole, and the launch's worker skips what stands between
(workers/relay.py). What comes in the middle of a piece all the same breaks its frame's MAC, as anything does.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import posix

from mpboot.net.wire import PIECE_DATA, piece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

PATIENCE = 2  # seconds that the last pieces may take, when the agent ends
_writers: List[int] = []  # pids of the processes that write pieces


def outlet(key: bytes) -> int:
    """A descriptor: what is written to it comes out of rsh's stdout in pieces, until it is closed. OSError."""
    read, write = posix.pipe()
    pid = posix.fork()
    if pid:
        _writers.append(pid)
        posix.close(read)
        null = posix.open("/dev/null", posix.O_WRONLY)
        posix.dup2(null, 1)
        posix.close(null)
        return write
    try:
        for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
            _signal.signal(number, _signal.SIG_IGN)  # it ends with the agent, and says all that the agent has said
        for fd in (0, write):
            posix.close(fd)
        while True:
            data = posix.read(read, PIECE_DATA)
            if not data:
                break
            out = piece(key, data)
            while out:
                out = out[posix.write(1, out) :]
    finally:
        posix._exit(0)


def wait() -> None:
    """The outlet is closed, and the agent is about to end: see that all is written before rsh sees that end."""
    _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)
    _signal.alarm(PATIENCE)  # who reads no more ends the waiting, and the agent with it
    for pid in _writers:
        try:
            posix.waitpid(pid, 0)
        except ChildProcessError:
            continue
