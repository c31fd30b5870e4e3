"""Starts a program by vfork, at half the cost of a fork, where nothing can hang on the way to it.

Until the new process has become the program, the agent stands still. So the program, and each directory that is looked
at to find it, lies on a disk of this machine's own, as /proc/self/mountinfo shows, and it is no script: the kernel
would look for its interpreter as well. All else is started by a fork, see program.py.
"""

from __future__ import annotations

import posix
import sys
from time import monotonic

from mpboot.net import core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, FrozenSet, Optional, Sequence, Tuple

# Of file systems whose files are on this machine, so that reading them waits for no other.
LOCAL = frozenset(
    b"ext2 ext3 ext4 xfs btrfs zfs f2fs jfs bcachefs tmpfs ramfs rootfs overlay squashfs erofs iso9660".split()
)
ELF = b"\x7fELF"
CORES = b"Max core file size 0".split()
ESCAPED = ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\"))
MOST_LINKS = 20
FRESH = 10.0  # seconds for which what is mounted is believed
# What comes behind the descriptors for fork_exec, by version of Python: restore_signals, start_new_session, and so on.
REST: Dict[Tuple[int, int], Tuple[object, ...]] = {
    (3, 10): (True, True, None, None, None, -1, None),
    **dict.fromkeys(((3, 11), (3, 12), (3, 13)), (True, True, -1, None, None, None, -1, None, True)),
}


def remote(mountinfo: bytes) -> FrozenSet[bytes]:
    """Where something is mounted that may be elsewhere, of what /proc/self/mountinfo says."""
    found = set()
    for line in mountinfo.splitlines():
        fields, _, kind = line.partition(b" - ")
        if kind.split(b" ")[0] not in LOCAL:
            point = fields.split(b" ")[4]
            for code, byte in ESCAPED:
                point = point.replace(code, byte)
            found.add(point)
    return frozenset(found)


def is_here(path: bytes, elsewhere: FrozenSet[bytes], link: Callable[[bytes], Optional[bytes]]) -> bool:
    """Does nothing on the way to an absolute path lie elsewhere? ``link(path)``: what a link says; None: it is none."""
    left, at, links = path.split(b"/")[::-1], b"", 0
    if path[:1] != b"/" or b"/" in elsewhere:
        return False
    while left:
        part = left.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            at = at.rpartition(b"/")[0]
            continue
        at += b"/" + part
        if at in elsewhere:
            return False
        target = link(at)
        if target is not None:
            links += 1
            if links > MOST_LINKS:
                return False
            left += target.split(b"/")[::-1]
            at = b"" if target[:1] == b"/" else at.rpartition(b"/")[0]
    return True


class Vfork:
    """Starts programs so, where that can be."""

    def __init__(self) -> None:
        self._elsewhere: FrozenSet[bytes] = frozenset()
        self._looked = -FRESH
        self._directories: Dict[bytes, bool] = {}  # is all on the way to them here?
        self._rest = REST.get(sys.version_info[:2], ()) if _dumps_no_core() else ()

    def find(self, places: Sequence[bytes]) -> Optional[bytes]:
        """The first of these files that is there, for ``start``; None if it is not to be started so."""
        if not self._rest or core.has_limits():
            return None
        now = monotonic()
        if now - self._looked >= FRESH:
            self._elsewhere, self._looked = _look(), now
            self._directories.clear()
        for place in places:
            directory = place.rpartition(b"/")[0]
            if directory not in self._directories:
                self._directories[directory] = is_here(directory, self._elsewhere, _link)
            if not self._directories[directory]:
                return None
            if b"\0" in place:
                return None
            if posix.access(place, posix.F_OK):
                return place if is_here(place, self._elsewhere, _link) and _is_binary(place) else None
        return None

    def start(
        self, file: bytes, words: Sequence[bytes], variables: Dict[bytes, bytes], stdio: Sequence[int]
    ) -> Optional[int]:
        """Start it as the leader of a session of its own: its pid; None if it can't be run. OSError: no room for it."""
        try:
            import _posixsubprocess
        except ImportError:
            self._rest = ()
            return None
        fork: Any = _posixsubprocess.fork_exec
        stdin, stdout, stderr = stdio
        given = [b"%s=%s" % one for one in variables.items()]
        failed, fails = posix.pipe()
        try:
            pid: int = fork(
                words, (file,), False, (), None, given, stdin, -1, -1, stdout, -1, stderr, failed, fails, *self._rest
            )
            posix.close(fails)
            fails = -1
            if posix.read(failed, 1):
                posix.waitpid(pid, 0)
                return None
        except ValueError:
            return None  # a byte 0 in a word
        finally:
            for fd in (failed, fails):
                if fd >= 0:
                    posix.close(fd)
        core.whole_of(pid)
        return pid


def _look() -> FrozenSet[bytes]:
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return remote(file.read())
    except OSError:
        return frozenset((b"/",))


def _link(path: bytes) -> Optional[bytes]:
    try:
        return posix.readlink(path)
    except OSError:
        return None  # it is none


def _is_binary(path: bytes) -> bool:
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)  # a FIFO would be waited for
        try:
            return posix.read(fd, 4) == ELF
        finally:
            posix.close(fd)
    except OSError:
        return False


def _dumps_no_core() -> bool:
    """Is there no core of what is started, so that it does not matter what would be in it until it is told?"""
    try:
        with open("/proc/self/limits", "rb") as file:
            return any(line.split()[:5] == CORES for line in file)
    except OSError:
        return False
