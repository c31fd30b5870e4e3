"""Files that come are put in their places: each whole or not at all, and nowhere else."""

from __future__ import annotations

import errno
import posix
from _stat import S_IMODE, S_ISDIR, S_ISREG

from mpboot.net.files import BLOCK, DIRECTORY, FILE, HOLE, LINK, UNSUPPORTED, Entry, Plan, hashing
from mpboot.node.blocks import Blocks
from mpboot.node.program import encoded
from mpboot.node.target import Refused, Target, status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Tuple, Union

LONGEST = 255  # bytes of a name
NAMELESS = getattr(posix, "O_TMPFILE", 0)  # a file without a name: whatever ends us, nothing is left of it
NO_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)  # not in this file system


class Placing:
    """Puts the files of a plan. ``wanted``: numbers of the blocks that are not here yet. OSError, Refused.

    ``beat()`` is called now and then while it works.
    """

    def __init__(self, plan: Plan, beat: Callable[[], None] = lambda: None) -> None:
        self._plan = plan
        self._beat = beat
        self._token = posix.urandom(4).hex()
        self._file, self._open = -1, -1  # the entry that is written, its descriptor
        self._temporary = ""  # its name as long as it is not complete, if it has one
        self._target = Target(plan)
        self._opened: Dict[str, int] = {}  # directories of our own that may be written meanwhile: their modes
        self._made = 0  # so many entries were looked at for directories
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
        self.wanted = [number for number in range(self.blocks.count) if not self._is_there(number)]
        self._last = {self._of_block[number][0]: number for number in self.wanted}  # of each entry

    def put(self, number: int, data: memoryview) -> None:
        """The next of the wanted blocks has come. OSError."""
        at, offset, _ = self._of_block[number]
        try:
            if at != self._file:
                self._begin(at)
            self._write(data, offset)
            if number == self._last[at]:
                self._complete()
        except OSError as error:
            raise self._named(error, at) from None
        self.blocks.ready[number] = 1

    def finish(self) -> None:
        """All is there: have everything under its name. OSError, Refused."""
        entries = self._plan.entries
        self._make_directories(len(entries))
        for at, entry in enumerate(entries):
            self._beat()
            try:
                if entry.kind == LINK:
                    self._link(entry)
                elif entry.kind == FILE and self._there[at]:
                    self._settle(self._target.of(entry), entry)
                elif entry.kind == FILE and at not in self._last:  # it is empty, or nothing but holes
                    self._begin(at)
                    self._complete()
            except OSError as error:
                raise self._named(error, at) from None
        for entry in reversed(entries):
            if entry.kind == DIRECTORY:
                self._beat()
                self._settle(self._target.of(entry), entry)
        self._opened.clear()

    def clear(self) -> None:
        """Take away what is not complete."""
        fd, self._open, self._file = self._open, -1, -1
        made, self._temporary = self._temporary, ""
        if made:
            try:
                posix.unlink(encoded(made))
            except OSError:
                pass  # it is gone
        if fd >= 0:
            posix.close(fd)
        while self._opened:
            path, mode = self._opened.popitem()
            try:
                posix.chmod(encoded(path), mode)
            except OSError:
                pass  # it is gone

    # -- looking -----------------------------------------------------------------------------------

    def _look(self, at: int) -> bool:
        """Is a file there already? Refused for what would have to go for it."""
        self._beat()
        entry = self._plan.entries[at]
        found = self._target.look(entry)
        if found is None or entry.kind != FILE or not S_ISREG(found.st_mode) or found.st_size != entry.size:
            return False
        if self._plan.verify:
            return (_is_as_told(found, entry) or posix.geteuid() in (0, found.st_uid)) and self._is_same(at)
        return _is_as_told(found, entry)

    def _is_same(self, at: int) -> bool:
        digest = hashing(self._plan.hash)
        with open(encoded(self._target.of(self._plan.entries[at])), "rb") as file:
            for number in self._numbers(at):
                self._beat()
                data = file.read(BLOCK)
                wanted = self._plan.digest_of(number)
                if (data != bytes(len(data))) if wanted == HOLE else (digest(data) != wanted):
                    return False
        return True

    def _is_there(self, number: int) -> bool:
        """Need a block not come: since it is here, or is none but zeros?"""
        return bool(self.blocks.ready[number]) or self._plan.digest_of(number) == HOLE

    def _numbers(self, at: int) -> range:
        first = self._first[at]
        return range(first, first + len(self._plan.entries[at].cut()))

    def _place(self, number: int) -> Tuple[Union[bytes, int], int, int]:
        at, offset, size = self._of_block[number]
        if at == self._file:
            return self._open, offset, size
        return encoded(self._target.of(self._plan.entries[at])), offset, size

    def _named(self, error: OSError, at: int) -> OSError:
        """The same error, of the file that people know: a temporary one has another name on each host."""
        return OSError(error.errno, error.strerror, encoded(self._target.of(self._plan.entries[at])))

    # -- writing -----------------------------------------------------------------------------------

    def _begin(self, at: int) -> None:
        """Open a file in the directory of an entry's target: one without a name, where that is to be had."""
        entry = self._plan.entries[at]
        self._target.check_way(entry)
        self._make_directories(at)
        target = self._target.of(entry)
        self._file = at
        self._open = nameless(target.rpartition("/")[0] or ("/" if target[:1] == "/" else "."))
        if self._open < 0:
            self._temporary = self._beside(target)
            self._open = posix.open(
                encoded(self._temporary),
                posix.O_RDWR | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC,
                0o600,
            )
        posix.ftruncate(self._open, entry.size)

    def _beside(self, target: str) -> str:
        """A name that nobody has, in the directory of a target."""
        directory, slash, name = target.rpartition("/")
        end = ".mpboot-%s" % self._token
        while len(encoded(name)) + 1 + len(end) > LONGEST:
            name = name[:-1]
        return "%s%s.%s%s" % (directory, slash, name, end)

    def _write(self, data: memoryview, offset: int) -> None:
        while data:
            written = posix.pwrite(self._open, data, offset)
            data, offset = data[written:], offset + written

    def _complete(self) -> None:
        """All of the open file is there: it gets its name."""
        entry = self._plan.entries[self._file]
        target = self._target.of(entry)
        posix.fchmod(self._open, entry.mode)
        posix.utime(self._open, ns=(entry.mtime, entry.mtime))
        posix.close(posix.dup(self._open))  # where a quota or a file server may say no at last
        self._target.check_way(entry)
        there = self._target.look(entry)
        if not self._temporary:
            self._name(target, there is not None)
        if self._temporary:
            posix.rename(encoded(self._temporary), encoded(target))
        fd, self._open = self._open, -1
        self._temporary, self._file = "", -1
        posix.close(fd)
        self._beat()

    def _name(self, target: str, there: bool) -> None:
        """Give the open file its name; where that is taken, one beside it, to be renamed."""
        own = b"/proc/self/fd/%d" % self._open
        if not there:
            try:
                posix.link(own, encoded(target), src_dir_fd=self._open)  # with that, Python has the link followed
                return
            except FileExistsError:
                self._target.look(self._plan.entries[self._file])  # it has come meanwhile
        self._temporary = self._beside(target)
        posix.link(own, encoded(self._temporary), src_dir_fd=self._open)

    def _make_directories(self, at: int) -> None:
        """All that come before this entry in the plan, those that it is in among them."""
        while self._made < at:
            one = self._plan.entries[self._made]
            if one.kind == DIRECTORY:  # those that it is in were made, or seen, before
                self._beat()
                self._make_directory(self._target.of(one))
            self._made += 1

    def _make_directory(self, path: str) -> None:
        try:
            posix.mkdir(encoded(path), 0o700)
        except FileExistsError:
            found = status(path)
            if found is None or not S_ISDIR(found.st_mode):
                raise Refused(UNSUPPORTED, "%s is there and no directory" % path) from None
            mode = S_IMODE(found.st_mode)
            if mode & 0o700 != 0o700 and found.st_uid == posix.geteuid():
                self._opened[path] = mode
                posix.chmod(encoded(path), mode | 0o700)

    def _settle(self, path: str, entry: Entry) -> None:
        """Give what is there the mode and time that it has at the head."""
        found = status(path)
        try:
            if found is not None and S_IMODE(found.st_mode) != entry.mode:
                posix.chmod(encoded(path), entry.mode)
            if found is not None and found.st_mtime_ns != entry.mtime:
                posix.utime(encoded(path), ns=(entry.mtime, entry.mtime))
        except PermissionError:
            if found is None or entry.kind != DIRECTORY or found.st_uid == posix.geteuid():
                raise  # else it is another user's, and was there: what is in it is what was asked for

    def _link(self, entry: Entry) -> None:
        target = self._target.of(entry)
        self._target.check_way(entry)
        self._target.look(entry)
        if not _is_link_to(target, entry.link):
            self._temporary = self._beside(target)
            posix.symlink(encoded(entry.link), encoded(self._temporary))
            posix.rename(encoded(self._temporary), encoded(target))
            self._temporary = ""
            try:
                posix.utime(encoded(target), ns=(entry.mtime, entry.mtime), follow_symlinks=False)
            except OSError:
                pass  # not every file system has times of links


def _is_as_told(found: posix.stat_result, entry: Entry) -> bool:
    """Has a file the mode and time that it is to have?"""
    return bool(found.st_mtime_ns == entry.mtime and S_IMODE(found.st_mode) == entry.mode)


def nameless(directory: str) -> int:
    """Open a file without a name, to get one in this directory; -1 where that is not to be had. OSError."""
    if not NAMELESS:
        return -1
    try:
        fd = posix.open(encoded(directory), posix.O_RDWR | NAMELESS | posix.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in NO_NAMELESS:
            return -1
        raise
    if status("/proc/self/fd/%d" % fd) is None:  # it gets its name by this
        posix.close(fd)
        return -1
    return fd


def _is_link_to(path: str, link: str) -> bool:
    try:
        return posix.readlink(encoded(path)) == encoded(link)
    except OSError:
        return False
