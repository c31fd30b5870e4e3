"""Sending files from a host to the head: a process of its own, which writes all of it to its standard output.

Each file, directory or link is a frame (4 bytes length, JSON of its row), the bytes of a file, and their digest. Where
the file has changed meanwhile, that is zeros. What can't be sent has a frame of its own. The last one says that this
was all.
"""

from __future__ import annotations

import posix
from _blake2 import blake2b
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG

from mpboot.net import files, plain
from mpboot.net.fields import each, record, text
from mpboot.node.placing import Refused, cause_of
from mpboot.node.program import encoded
from mpboot.node.receive import read_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

PIECE = 1 << 16


def send() -> NoReturn:
    """Be the process; what to send comes on standard input."""
    asked = record(read_frame(), {"sources": lambda value: each(value, lambda one: text(one, 1 << 12))})
    code = 0
    try:
        for source in asked["sources"]:
            code |= _source(source)
        _frame({"end": True})
    except BrokenPipeError:
        code = 1
    posix._exit(code)


def _source(source: str) -> int:
    path = source.rstrip("/") or "/"
    name = path.rpartition("/")[2]
    if name in ("", ".", ".."):
        _frame({"failed": files.UNSUPPORTED, "detail": "%s has no name that it could be kept under" % source})
        return 1
    return _walk(path, name, follow=True)


def _walk(path: str, name: str, follow: bool = False) -> int:
    try:
        found = posix.stat(encoded(path)) if follow else posix.lstat(encoded(path))
        mode, mtime = S_IMODE(found.st_mode), found.st_mtime_ns
        if S_ISDIR(found.st_mode):
            names = sorted(posix.listdir(encoded(path)))
            _frame({"entry": files.Entry(name, files.DIRECTORY, mode, mtime).row()})
            code = 0
            for one in names:
                below = one.decode("utf-8", "surrogateescape")
                code |= _walk("%s/%s" % (path, below), "%s/%s" % (name, below))
            return code
        if S_ISLNK(found.st_mode):
            link = posix.readlink(encoded(path)).decode("utf-8", "surrogateescape")
            _frame({"entry": files.Entry(name, files.LINK, 0o777, mtime, 0, link).row()})
            return 0
        if not S_ISREG(found.st_mode):
            raise Refused(files.UNSUPPORTED, "%s is neither a file nor a directory nor a link" % path)
        fd = posix.open(encoded(path), posix.O_RDONLY | posix.O_NONBLOCK)
    except (OSError, Refused) as error:
        cause, detail = cause_of(error)
        _frame({"failed": cause, "detail": detail})
        return 1
    try:
        _frame({"entry": files.Entry(name, files.FILE, mode, mtime, found.st_size).row()})
        return _bytes(fd, found.st_size, mtime)
    finally:
        posix.close(fd)


def _bytes(fd: int, size: int, mtime: int) -> int:
    told, left = blake2b(digest_size=files.DIGEST), size
    whole = True
    while left:
        try:
            data = posix.read(fd, min(PIECE, left)) if whole else b""
        except OSError:
            data = b""
        if not data:
            whole, data = False, bytes(min(PIECE, left))
        told.update(data)
        _write(data)
        left -= len(data)
    now = posix.fstat(fd)
    whole = whole and (now.st_size, now.st_mtime_ns) == (size, mtime)
    _write(told.digest() if whole else bytes(files.DIGEST))
    return int(not whole)


def _frame(told: Any) -> None:
    body = plain.dumps(told)
    _write(len(body).to_bytes(4, "big") + body)


def _write(data: bytes) -> None:
    while data:
        data = data[posix.write(1, data) :]
