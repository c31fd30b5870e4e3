"""What is to be pushed: files of the head, looked at and read once, so that it is known what hosts must get."""

from __future__ import annotations

import os
from collections.abc import Iterable
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG

from mpboot.net.files import DIRECTORY, FILE, LINK, Entry, digest


class Manifest:
    """Sources as entries and blocks. ValueError for what can't be named, OSError for a source that is not there.

    ``problems``: what below a source can't be sent, a line each.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        self.entries: list[Entry] = []
        self.problems: list[str] = []
        self._paths: list[str] = []  # of the entries, here
        self._blocks: list[tuple[int, int, int]] = []  # entry, offset, size
        names: set[str] = set()
        for source in sources:
            path = source.rstrip("/") or "/"
            name = os.path.basename(path)  # noqa: PTH119 - a trailing dot counts
            if name in ("", ".", ".."):
                raise ValueError(f"{source}: it has no name that it could be given there: say dir/* or the like")
            if name in names:
                raise ValueError(f"two sources are called {name}")
            names.add(name)
            self._add(path, name, follow=True)
        digests = []
        for at, entry in enumerate(self.entries):
            if entry.kind == FILE:
                digests += self._read(at, entry)
        self.digests = b"".join(digests)

    @property
    def size(self) -> int:
        """How much a host gets that has none of it."""
        return sum(entry.size for entry in self.entries)

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

    def _add(self, path: str, name: str, follow: bool = False) -> None:
        try:
            found = os.stat(path) if follow else os.lstat(path)  # noqa: PTH116
            mode, mtime = S_IMODE(found.st_mode), found.st_mtime_ns
            if S_ISDIR(found.st_mode):
                below = sorted(os.listdir(path))  # noqa: PTH208
                self._keep(path, Entry(name, DIRECTORY, mode, mtime))
                for one in below:
                    self._add(f"{path.rstrip('/')}/{one}", f"{name}/{one}")
            elif S_ISLNK(found.st_mode):
                self._keep(path, Entry(name, LINK, 0o777, mtime, 0, os.readlink(path)))  # noqa: PTH115
            elif S_ISREG(found.st_mode):
                os.close(os.open(path, os.O_RDONLY))  # can it be read?
                self._keep(path, Entry(name, FILE, mode, mtime, found.st_size))
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

    def _read(self, at: int, entry: Entry) -> list[bytes]:
        found = []
        with open(self._paths[at], "rb") as file:  # noqa: PTH123
            for _, size in entry.cut():
                found.append(digest(file.read(size).ljust(size, b"\0")))
        return found


def pieces(manifest: Manifest) -> Iterable[bytes]:
    """All blocks, one after the other."""
    return (manifest.block(number) for number in range(manifest.count))


def _differs(path: str, entry: Entry) -> bool:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return True
    return (found.st_size, found.st_mtime_ns) != (entry.size, entry.mtime)
