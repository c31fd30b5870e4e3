"""Where files that come are put: by cp's rules, each whole or not at all, and nowhere else."""

from __future__ import annotations

import errno
import posix
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG

from mpboot.net.files import (
    BLOCK,
    DIGEST,
    DIRECTORY,
    FILE,
    LINK,
    NO_SPACE,
    NOT_FOUND,
    PERMISSION,
    UNSUPPORTED,
    Entry,
    Plan,
    digest,
)
from mpboot.node.blocks import Blocks
from mpboot.node.program import encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Tuple, Union

CAUSES = {
    errno.ENOSPC: NO_SPACE, errno.EDQUOT: NO_SPACE, errno.EFBIG: NO_SPACE, errno.EACCES: PERMISSION,
    errno.EPERM: PERMISSION, errno.EROFS: PERMISSION, errno.ENOENT: NOT_FOUND,
}  # fmt: skip


class Refused(Exception):
    """It can't be put there: a cause, and why."""


def cause_of(error: Union[OSError, Refused]) -> Tuple[str, str]:
    """A cause of files.CAUSES, and what is to be said."""
    if isinstance(error, Refused):
        return error.args[0], error.args[1]
    name = error.filename
    if isinstance(name, bytes):
        name = name.decode("utf-8", "surrogateescape")
    why = error.strerror or str(error)
    return CAUSES.get(error.errno or 0, UNSUPPORTED), "%s: %s" % (name, why) if name else why


class Placing:
    """Puts the files of a plan. ``wanted``: numbers of the blocks that are not here yet. OSError, Refused."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._token = posix.urandom(4).hex()
        self._file, self._open = -1, -1  # the entry that is written, its descriptor
        self._base = self._find_base()
        self._made = 0  # so many entries were looked at for directories
        self._temporary: Dict[int, str] = {}  # by entry, what is not complete
        self._of_block: List[Tuple[int, int, int]] = []  # entry, offset, size
        self._first: Dict[int, int] = {}  # the first block of an entry
        for at, entry in enumerate(plan.entries):
            self._first[at] = len(self._of_block)
            self._of_block += [(at, offset, size) for offset, size in entry.cut()]
        self.blocks = Blocks(len(self._of_block), self._place)
        self._there = [self._look(at) for at in range(len(plan.entries))]
        for at, there in enumerate(self._there):
            if there:
                for number in self._numbers(at):
                    self.blocks.ready[number] = 1
        self.wanted = [number for number in range(self.blocks.count) if not self.blocks.ready[number]]

    def put(self, number: int, data: memoryview) -> None:
        """A block has come. OSError."""
        at, offset, _ = self._of_block[number]
        if at != self._file:
            self._begin(at)
        if data[0] or bytes(data) != bytes(len(data)):  # else a hole is as good
            posix.pwrite(self._open, data, offset)
        self.blocks.ready[number] = 1

    def finish(self) -> None:
        """All is there: have everything under its name. OSError, Refused."""
        entries = self._plan.entries
        for at, entry in enumerate(entries):
            if entry.kind == FILE and not self._there[at] and at not in self._temporary:
                self._begin(at)  # an empty one
        self._make_directories(len(entries))
        self._close()
        for at, entry in enumerate(entries):
            target = self._target(entry)
            self._check_way(entry)
            if entry.kind == LINK:
                self._link(entry, target)
            elif entry.kind == FILE:
                made = self._temporary.pop(at, "")
                if made:
                    self._rename(entry, made, target)
        for entry in reversed(entries):
            if entry.kind == DIRECTORY:
                posix.chmod(encoded(self._target(entry)), entry.mode)
                _set_time(self._target(entry), entry)

    def clear(self) -> None:
        """Take away what is not complete."""
        self._close()
        for path in self._temporary.values():
            try:
                posix.unlink(encoded(path))
            except OSError:
                pass  # it is gone
        self._temporary.clear()

    # -- where -------------------------------------------------------------------------------------

    def _find_base(self) -> Optional[str]:
        """The directory that all goes into; None: the one source gets the destination's own name."""
        dest = self._plan.dest
        found = _stat(dest, follow=True)
        if found is not None and S_ISDIR(found.st_mode):
            return dest
        if self._plan.many or dest.endswith("/"):
            raise Refused(NOT_FOUND, "%s is no directory" % dest)
        parent = _stat(dest.rpartition("/")[0] or ("/" if dest.startswith("/") else "."), follow=True)
        if parent is None or not S_ISDIR(parent.st_mode):
            raise Refused(NOT_FOUND, "%s: the directory that it would be in is not there" % dest)
        return None

    def _target(self, entry: Entry) -> str:
        if self._base is not None:
            return "%s/%s" % (self._base.rstrip("/") or "", entry.path)
        return self._plan.dest + entry.path[len(entry.path.partition("/")[0]) :]

    def _check_way(self, entry: Entry) -> None:
        """Nothing is written through a link below the destination. Refused."""
        parts = entry.path.split("/")
        top = self._target(entry)[: -len(entry.path)] if self._base is not None else ""
        way = top.rstrip("/") if self._base is not None else self._plan.dest
        for part in parts[:-1] if self._base is not None else parts[1:-1]:
            way = "%s/%s" % (way, part)
            found = _stat(way)
            if found is not None and S_ISLNK(found.st_mode):
                raise Refused(UNSUPPORTED, "%s is a link: nothing is written through it" % way)

    def _look(self, at: int) -> bool:
        """Is a file there already? Refused for what would have to go for it."""
        entry = self._plan.entries[at]
        target = self._target(entry)
        self._check_way(entry)
        found = _stat(target)
        if found is None:
            return False
        if entry.kind == DIRECTORY:
            if not S_ISDIR(found.st_mode):
                raise Refused(UNSUPPORTED, "%s is there and no directory" % target)
            return False
        if S_ISDIR(found.st_mode):
            raise Refused(UNSUPPORTED, "%s is a directory: no file takes its place" % target)
        if entry.kind != FILE or not S_ISREG(found.st_mode) or found.st_size != entry.size:
            return False
        if self._plan.verify:
            return self._is_same(at, target)
        return bool(found.st_mtime_ns == entry.mtime and S_IMODE(found.st_mode) == entry.mode)

    def _is_same(self, at: int, target: str) -> bool:
        digests = self._plan.digests
        with open(encoded(target), "rb") as file:
            for number in self._numbers(at):
                if digest(file.read(BLOCK)) != digests[number * DIGEST : (number + 1) * DIGEST]:
                    return False
        return True

    def _numbers(self, at: int) -> range:
        first = self._first[at]
        return range(first, first + len(self._plan.entries[at].cut()))

    def _place(self, number: int) -> Tuple[bytes, int, int]:
        at, offset, size = self._of_block[number]
        return encoded(self._temporary.get(at) or self._target(self._plan.entries[at])), offset, size

    # -- writing -----------------------------------------------------------------------------------

    def _begin(self, at: int) -> None:
        """Open the temporary file beside the target of an entry."""
        self._close()
        entry = self._plan.entries[at]
        made = self._temporary.get(at)
        if made is None:
            self._check_way(entry)
            directory, _, name = self._target(entry).rpartition("/")
            self._make_directories(at)
            made = "%s%s.%.50s.mpboot-%s" % (directory, "/" if directory or self._target(entry)[:1] == "/" else "",
                                              name, self._token)  # fmt: skip
            self._temporary[at] = made
            self._open = posix.open(
                encoded(made), posix.O_RDWR | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW, 0o600
            )
            posix.ftruncate(self._open, entry.size)
        else:
            self._open = posix.open(encoded(made), posix.O_RDWR | posix.O_NOFOLLOW)
        self._file = at

    def _close(self) -> None:
        if self._open >= 0:
            posix.close(self._open)
        self._file = self._open = -1

    def _make_directories(self, at: int) -> None:
        """All that come before this entry in the plan, those that it is in among them."""
        while self._made < at:
            one = self._plan.entries[self._made]
            if one.kind == DIRECTORY:
                self._check_way(one)
                self._make_directory(self._target(one))
            self._made += 1

    def _make_directory(self, path: str) -> None:
        try:
            posix.mkdir(encoded(path), 0o700)
        except FileExistsError:
            found = _stat(path)
            if found is None or not S_ISDIR(found.st_mode):
                raise Refused(UNSUPPORTED, "%s is there and no directory" % path) from None

    def _rename(self, entry: Entry, made: str, target: str) -> None:
        try:
            posix.chmod(encoded(made), entry.mode)
            _set_time(made, entry)
            posix.rename(encoded(made), encoded(target))
        except BaseException:
            posix.unlink(encoded(made))
            raise

    def _link(self, entry: Entry, target: str) -> None:
        if _is_link_to(target, entry.link):
            return
        made = "%s.mpboot-%s" % (target, self._token)
        posix.symlink(encoded(entry.link), encoded(made))
        try:
            posix.rename(encoded(made), encoded(target))
        except BaseException:
            posix.unlink(encoded(made))
            raise


def _stat(path: str, follow: bool = False) -> Optional[posix.stat_result]:
    try:
        return posix.stat(encoded(path)) if follow else posix.lstat(encoded(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _set_time(path: str, entry: Entry) -> None:
    posix.utime(encoded(path), ns=(entry.mtime, entry.mtime))


def _is_link_to(path: str, link: str) -> bool:
    try:
        return posix.readlink(encoded(path)) == encoded(link)
    except OSError:
        return False
