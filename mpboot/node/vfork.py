"""Starts a program by vfork, at half the cost of a fork, where nothing can hang on the way to it.

Until the new process has become the program, the agent stands still. So all that the kernel opens to start it, and each
directory that is looked at to find it, is on this machine (mounts.py), and it is no script: the kernel would look for
its interpreter as well. All else is started by a fork, see program.py.
"""

from __future__ import annotations

import posix
import sys
from select import POLLPRI, poll

from mpboot.net import core
from mpboot.node.mounts import ALL, HEAD, elsewhere, is_here, loader_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, FrozenSet, Optional, Sequence, Tuple

CORES = b"Max core file size 0".split()
PATTERN = "/proc/sys/kernel/core_pattern"
MOUNTS = "/proc/self/mountinfo"
MOST_MOUNTED = 1 << 22  # bytes
# Not by posix_spawn: by glibc's the program begins with two signals ignored, 32 and 33. By what subprocess calls: this
# is what comes behind the descriptors, by version of Python: restore_signals, start_new_session, and so on.
REST: Dict[Tuple[int, int], Tuple[object, ...]] = {
    (3, 10): (True, True, None, None, None, -1, None),
    **dict.fromkeys(((3, 11), (3, 12), (3, 13)), (True, True, -1, None, None, None, -1, None, True)),
}


class Mounted:
    """What is mounted now: /proc/self/mountinfo, read again when it has changed."""

    def __init__(self) -> None:
        self._fd = -1
        self._elsewhere: FrozenSet[bytes] = ALL
        self._links: Dict[bytes, Optional[bytes]] = {}  # seen since the last look: the way to many places is the same
        self._poll = poll()

    def here(self, path: bytes) -> bool:
        """Is all on the way to a path on this machine, as of the last look?"""
        return is_here(path, self._elsewhere, self._link)

    def look(self) -> None:
        """Read it, if it has changed."""
        self._links.clear()
        try:
            if self._fd < 0:
                self._fd = posix.open(MOUNTS, posix.O_RDONLY | posix.O_CLOEXEC)
                self._poll.register(self._fd, POLLPRI)
            elif not self._poll.poll(0):
                return
            posix.lseek(self._fd, 0, 0)
            self._elsewhere = elsewhere(self._read())
        except OSError:
            self.close()
            self._elsewhere = ALL

    def close(self) -> None:
        """Forget it, until somebody looks again."""
        if self._fd >= 0:
            posix.close(self._fd)  # with that, nobody polls it any more
            self._poll, self._fd = poll(), -1

    def _link(self, path: bytes) -> Optional[bytes]:
        try:
            return self._links[path]
        except KeyError:
            target = None
        try:
            target = posix.readlink(path)
        except OSError:
            pass  # it is none
        self._links[path] = target
        return target

    def _read(self) -> bytes:
        text = b""
        while len(text) < MOST_MOUNTED:
            more = posix.read(self._fd, 1 << 16)
            if not more:
                return text
            text += more
        return b""  # who knows what is behind that


class Vfork:
    """Starts programs so, where that can be."""

    def __init__(self) -> None:
        self._mounted = Mounted()
        self._rest = REST.get(sys.version_info[:2], ()) if _dumps_no_core() else ()
        self._machine = posix.uname().machine if sys.maxsize >> 32 else ""

    def find(self, places: Sequence[bytes]) -> Optional[bytes]:
        """The first of these files that is there, for ``start``; None if it is not to be started so."""
        if not self._rest or core.has_limits():
            return None
        self._mounted.look()
        for place in places:
            if not self._mounted.here(place):  # even to look at it might take for ever
                return None
            if posix.access(place, posix.F_OK):
                return place if self._is_program(place) else None
        return None

    def start(
        self, file: bytes, words: Sequence[bytes], variables: Dict[bytes, bytes], stdio: Sequence[int]
    ) -> Optional[int]:
        """Start it as the leader of a session of its own: its pid; None if it can't be started so."""
        try:
            import _posixsubprocess
        except ImportError:
            self._rest = ()
            return None
        fork: Any = _posixsubprocess.fork_exec
        stdin, stdout, stderr = stdio
        given = [b"%s=%s" % one for one in variables.items()]
        failed = fails = -1
        try:
            failed, fails = posix.pipe()
            fds = stdin, -1, -1, stdout, -1, stderr, failed, fails
            pid: int = core.lent(lambda: fork(words, (file,), False, (), None, given, *fds, *self._rest))
            posix.close(fails)
            fails = -1
            if posix.read(failed, 1):
                posix.waitpid(pid, 0)
                return None
        except ValueError:
            return None  # a byte 0 in a word
        except OSError:
            self._mounted.close()  # a fork takes fewer descriptors, and says what there is no room for
            return None
        finally:
            for fd in (failed, fails):
                if fd >= 0:
                    posix.close(fd)
        return pid

    def close(self) -> None:
        """Hold nothing any more."""
        self._mounted.close()

    def _is_program(self, path: bytes) -> bool:
        loader = loader_of(_head(path), self._machine)
        return loader is not None and (not loader or self._mounted.here(loader))


def _head(path: bytes) -> bytes:
    """The first bytes of a file; empty where it can't be read at once, as a FIFO, or a file with a lease."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)
        try:
            return posix.read(fd, HEAD)
        finally:
            posix.close(fd)
    except OSError:
        return b""


def _dumps_no_core() -> bool:
    """Would nobody get a core of the agent, in the moment in which it is to be as the user wants it?"""
    try:
        with open(PATTERN, "rb") as file:
            if file.read(1) == b"|":
                return False  # a program gets cores, whatever the limit
        with open("/proc/self/limits", "rb") as file:
            return any(line.split()[:5] == CORES for line in file)
    except OSError:
        return False
