"""What comes of one host, as files below a directory; what the host says of itself leads nowhere else."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from contextlib import suppress
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG
from typing import Any

from mpboot.net import files, plain
from mpboot.net.fields import text
from mpboot.node.placing import nameless

MOST_FRAME = 1 << 16  # bytes of what is said of a file
LENGTH = 4
SAFE = 0o1777  # of a file's mode: whose rights it was to run with on the host says nothing here


class Incoming:
    """What comes of one host, into ``directory``. ``feed`` it; ValueError for nonsense, OSError.

    ``settles``: directories get their modes and times when it is closed; else by ``settle``, where they go on to.
    """

    def __init__(self, directory: str, settles: bool = True) -> None:
        self.bytes = 0
        self.tops: dict[str, Any] = {}  # by the name of what came: a hash of all that is in it, but for times
        self._settles = settles
        self.complete = False
        self.problem: tuple[str, str] | None = None  # cause and detail of the first that could not be had
        self.problems = 0
        self._directory = directory
        self._in = bytearray()
        self._entry: files.Entry | None = None  # the file that comes
        self._left = self._at = 0
        self._file = -1
        self._made = ""  # the name that the file has until it is whole, if it has one
        self._told: Any = None
        self._directories: dict[str, files.Entry] = {}

    def feed(self, data: bytes) -> None:
        """A part of it."""
        self._in += data
        while True:
            if self._entry is None:
                if not self._frame():
                    return
            elif self._left:
                piece = bytes(self._in[: self._left])
                if not piece:
                    return
                del self._in[: len(piece)]
                self._left -= len(piece)
                self._told.update(piece)
                self.bytes += len(piece)
                self._write(piece)
            elif not self._end_of_file():
                return

    def rest(self) -> None:
        """Have no file open until more comes: it gets a name, by which it is found again."""
        if self._file >= 0 and not self._made and self._entry is not None:
            self._name(self._beside(self._target(self._entry)))
        self._close()

    @property
    def writes(self) -> bool:
        """Has it a file open?"""
        return self._file >= 0

    def close(self) -> None:
        """No more comes: what is not complete goes."""
        self._in.clear()
        self._close()
        if self._made:
            with suppress(OSError):
                os.unlink(self._made)  # noqa: PTH108
            self._made = ""
        if self._settles:
            self.settle(self._directory)
            self._directories.clear()

    def settle(self, directory: str, top: str = "") -> None:
        """Give the directories that came, or those of one name, their modes and times; they are in ``directory``."""
        for entry in reversed(self._directories.values()):
            if top in ("", entry.path.partition("/")[0]):
                with suppress(OSError):
                    self._settle(f"{directory}/{entry.path}", entry)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _beside(self, target: str) -> str:
        return f"{os.path.dirname(target)}/.mpboot-{secrets.token_hex(8)}"  # noqa: PTH120

    def _name(self, name: str) -> None:
        """Give the open file a name."""
        os.link(f"/proc/self/fd/{self._file}", name, src_dir_fd=self._file)  # with that, Python has the link followed
        self._made = name

    def _write(self, piece: bytes) -> None:
        if self._file < 0:
            self._file = os.open(self._made, os.O_WRONLY | os.O_NOFOLLOW)
        size, at = len(piece), self._at
        self._at += size
        if piece and not piece[0] and piece == bytes(size):
            return  # a hole is as good
        while piece:
            written = os.pwrite(self._file, piece, at)
            piece, at = piece[written:], at + written

    def _problem(self, cause: str, detail: str) -> None:
        self.problem = self.problem or (cause, detail)
        self.problems += 1

    def _frame(self) -> bool:
        size = int.from_bytes(self._in[:LENGTH], "big")
        if size > MOST_FRAME:
            raise ValueError("a frame that is too long")
        if len(self._in) < LENGTH + size or len(self._in) < LENGTH:
            return False
        told = plain.loads(bytes(self._in[LENGTH : LENGTH + size]))
        del self._in[: LENGTH + size]
        if self.complete:
            raise ValueError("more after its end")
        if "failed" in told:
            cause = text(told["failed"], 64)
            self._problem(cause if cause in files.CAUSES else files.UNSUPPORTED, text(told["detail"]))
        elif "end" in told:
            self.complete = True
        else:
            self._begin(files.Entry.of(told["entry"]))
        return True

    def _begin(self, entry: files.Entry) -> None:
        target = self._target(entry)
        top = entry.path.partition("/")[0]
        kept = self.tops.setdefault(top, hashlib.blake2b(digest_size=files.DIGEST))
        kept.update(repr((entry.path, entry.kind, entry.mode, entry.size, entry.link)).encode())
        above = entry.path.rpartition("/")[0]
        if above and above not in self._directories:
            raise ValueError("a file in a directory that is not its own")
        if entry.kind == files.DIRECTORY:
            try:
                os.mkdir(target, 0o700)  # noqa: PTH102
            except FileExistsError:
                mode = os.lstat(target).st_mode
                if not S_ISDIR(mode):
                    raise
                if mode & 0o700 != 0o700:  # it is settled at the end
                    with suppress(OSError):
                        os.chmod(target, S_IMODE(mode) | 0o700)  # noqa: PTH101
            self._directories[entry.path] = entry
            return
        _check_place(target)
        if entry.kind == files.LINK:
            self._made = self._beside(target)
            os.symlink(entry.link, self._made)  # noqa: PTH211
            os.rename(self._made, target)  # noqa: PTH104
            self._made = ""
            return
        self._file = nameless(os.path.dirname(target))  # noqa: PTH120
        if self._file < 0:
            made = self._beside(target)
            self._file = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            self._made = made
        self._entry, self._left, self._at = entry, entry.size, 0
        self._told = hashlib.blake2b(digest_size=files.DIGEST)

    def _end_of_file(self) -> bool:
        if len(self._in) < files.DIGEST:
            return False
        found = bytes(self._in[: files.DIGEST])
        del self._in[: files.DIGEST]
        entry = self._entry
        assert entry is not None
        self._write(b"")
        self._entry = None
        os.ftruncate(self._file, entry.size)
        if found == self._told.digest():
            self.tops[entry.path.partition("/")[0]].update(found)
            target = self._target(entry)
            self._settle(self._file, entry)
            if not self._made:
                self._name(self._beside(target))
            try:
                os.rename(self._made, target)  # noqa: PTH104
            except OSError as error:
                raise OSError(error.errno, error.strerror, target) from None
        else:
            if self._made:
                os.unlink(self._made)  # noqa: PTH108
            if any(found):
                self._problem(files.HASH, f"{entry.path}: what came is not what was sent")
            else:
                self._problem(files.CHANGED, f"{entry.path}: it changed while it was read")
        self._made = ""
        self._close()
        return True

    def _settle(self, path: str | int, entry: files.Entry) -> None:
        os.chmod(path, entry.mode & SAFE)  # noqa: PTH101
        os.utime(path, ns=(entry.mtime, entry.mtime))

    def _target(self, entry: files.Entry) -> str:
        return f"{self._directory}/{entry.path}"


def _check_place(target: str) -> None:
    """OSError where something is that no file may take the place of, as a pipe."""
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return
    if not (S_ISREG(mode) or S_ISLNK(mode)):
        code = errno.EISDIR if S_ISDIR(mode) else errno.EEXIST
        raise OSError(code, "Is a directory" if S_ISDIR(mode) else "It is there and no file", target)
