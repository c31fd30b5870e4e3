"""What is to be pushed: files of the head, looked at and read once, so that it is known what hosts must get."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from stat import S_IMODE, S_ISDIR, S_ISGID, S_ISLNK, S_ISREG, S_ISUID

from mpboot.net.fields import MANY
from mpboot.net.files import BLAKE2B, BLOCK, DIRECTORY, FILE, HOLE, LINK, SHA256, SMALL, Entry, hashing


class Manifest:
    """Sources as entries and blocks. ValueError for what can't be named, OSError for a source that is not there.

    ``problems``: what below a source can't be sent, a line each.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        self.entries: list[Entry] = []
        self.problems: list[str] = []
        self._paths: list[str] = []  # of the entries, here
        self._blocks: list[tuple[int, int, int]] = []  # entry, offset, size
        self._digests: list[bytes] = []
        named = names(sources)
        self.hash = _fastest() if _is_much(source for source, _ in named) else BLAKE2B
        self._digest = hashing(self.hash)
        for source, name in named:
            left = [(source.rstrip("/"), name)]
            while left:  # each directory before what is in it
                path, name_of_it = left.pop()
                self._add(path, name_of_it, left)
        self.digests = b"".join(self._digests)

    @property
    def size(self) -> int:
        """How much a host gets that has none of it."""
        return sum(entry.size for entry in self.entries)

    @property
    def data(self) -> int:
        """The same without holes."""
        return sum(size for (_, _, size), digest in zip(self._blocks, self._digests) if digest != HOLE)

    def is_hole(self, number: int) -> bool:
        """Is a block all zeros?"""
        return self._digests[number] == HOLE

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return len(self._blocks)

    def place(self, number: int) -> tuple[bytes, int, int]:
        """Where a block is: path, offset, size."""
        at, offset, size = self._blocks[number]
        return os.fsencode(self._paths[at]), offset, size

    def block(self, number: int) -> bytes:
        """A block's bytes; zeros in place of those that are not there any more."""
        path, offset, size = self.place(number)
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - its name may be any bytes
                file.seek(offset)
                return file.read(size).ljust(size, b"\0")
        except OSError:
            return bytes(size)

    def changed(self) -> list[str]:
        """The sources that are not any more what they were."""
        return [path for path, entry in zip(self._paths, self.entries) if entry.kind == FILE and _differs(path, entry)]

    # -- inside ------------------------------------------------------------------------------------

    def _add(self, path: str, name: str, left: list[tuple[str, str]]) -> None:
        if len(self.entries) == MANY:
            raise ValueError(f"more than {MANY} files at once: send an archive of them")
        follow = "/" not in name
        try:
            found = os.stat(path) if follow else os.lstat(path)  # noqa: PTH116
            mode, mtime = S_IMODE(found.st_mode), found.st_mtime_ns
            if S_ISDIR(found.st_mode):
                below = sorted(os.listdir(path), reverse=True)  # noqa: PTH208
                self._keep(path, Entry(name, DIRECTORY, mode, mtime))
                left += [(f"{path}/{one}", f"{name}/{one}") for one in below]
            elif S_ISLNK(found.st_mode):
                self._keep(path, Entry(name, LINK, 0o777, mtime, 0, os.readlink(path)))  # noqa: PTH115
            elif S_ISREG(found.st_mode):
                self._file(path, name)
            else:
                raise OSError(0, "neither a file nor a directory nor a link", path)
        except OSError as error:
            if follow:
                raise
            self.problems.append(f"{path}: {error.strerror}: not sent")

    def _keep(self, path: str, entry: Entry) -> None:
        at = len(self.entries)
        self.entries.append(entry)
        self._paths.append(path)
        self._blocks += [(at, offset, size) for offset, size in entry.cut()]

    def _file(self, path: str, name: str) -> None:
        """Read it, and keep what it is. OSError, also where it is another by then."""
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:  # noqa: PTH123
            found = os.fstat(fd)
            entry = Entry(name, FILE, _mode(found), found.st_mtime_ns, found.st_size)
            digests, buffer, data_at = [], bytearray(BLOCK), -1
            with memoryview(buffer) as view:
                for offset, size in entry.cut():
                    if data_at < offset:
                        data_at = _next_data(fd, offset, entry.size)
                    if data_at >= offset + size:
                        digests.append(HOLE)
                        continue
                    if os.preadv(fd, [view[:size]], offset) != size:
                        raise OSError(0, "it changed while it was read", path)
                    is_zero = not buffer[0] and bytes(view[:size]) == bytes(size)
                    digests.append(HOLE if is_zero else self._digest(view[:size]))
            if not found.st_size and file.read(1):
                raise OSError(0, "its size is not known (a file of the kernel's?): send a copy of it", path)
            now = os.fstat(fd)
            if (now.st_size, now.st_mtime_ns) != (entry.size, entry.mtime):
                raise OSError(0, "it changed while it was read", path)
        self._keep(path, entry)
        self._digests += digests


def names(sources: Iterable[str]) -> Sequence[tuple[str, str]]:
    """Each source, and what it is called where it goes. ValueError for what has no name, or that of another."""
    found: dict[str, str] = {}
    for source in sources:
        if not source:
            raise ValueError("a source without a name")
        name = source.rstrip("/").rpartition("/")[2]
        if name in ("", ".", "..") or source.rstrip("/") == "~":
            raise ValueError(f"{source}: it gives no name for the copy: name what is in it")
        if name in found:
            raise ValueError(f"two sources are called {name}")
        found[name] = source
    return [(source, name) for name, source in found.items()]


def pieces(manifest: Manifest) -> Iterable[bytes]:
    """All blocks but holes, one after the other."""
    return (manifest.block(number) for number in range(manifest.count) if not manifest.is_hole(number))


def _next_data(fd: int, at: int, size: int) -> int:
    """Where data begin, from there on; ``size`` where none do."""
    try:
        return os.lseek(fd, at, os.SEEK_DATA)
    except OSError as error:
        return size if error.errno == errno.ENXIO else at
    except AttributeError:  # a system that knows nothing of holes
        return at


def _is_much(sources: Iterable[str]) -> bool:
    """Is it worth it to load what has another hash, on each host?"""
    found = [os.stat(source) for source in sources]  # noqa: PTH116 - a slash at its end counts
    return not all(S_ISREG(one.st_mode) for one in found) or sum(one.st_size for one in found) > SMALL


def _fastest() -> str:
    """SHA-256 where the processor has instructions for it."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            for line in file:
                if line.startswith(("flags", "Features")):
                    return SHA256 if {"sha_ni", "sha2"} & set(line.split()) else BLAKE2B
    except OSError:
        pass
    return BLAKE2B


def _mode(found: os.stat_result) -> int:
    """Owners are not kept: so a program that runs as its owner, or with its group, does so only if that is the user."""
    mode = S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        mode &= ~S_ISUID
    if found.st_uid != os.geteuid() or found.st_gid != os.getegid():
        mode &= ~S_ISGID
    return mode


def _differs(path: str, entry: Entry) -> bool:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return True
    return (found.st_size, found.st_mtime_ns) != (entry.size, entry.mtime)
