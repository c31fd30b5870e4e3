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
from mpboot.node.program import encoded
from mpboot.node.receive import read_frame
from mpboot.node.target import Refused, cause_of, from_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List, NoReturn, Tuple, Union

PIECE = 1 << 16
MOST_UNKNOWN = 1 << 26  # bytes of a file that does not say how large it is


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
    try:
        path = from_home(source).rstrip("/") or "/"
    except Refused as error:
        return _failed(error)
    name = path.rpartition("/")[2]
    if name in ("", ".", ".."):
        return _failed(Refused(files.UNSUPPORTED, "%s has no name that it could be kept under" % source))
    code = 0
    left = [(path, name)]
    while left:  # each directory before what is in it
        path, name = left.pop()
        try:
            code |= _one(path, name, left)
        except (OSError, Refused) as error:
            if isinstance(error, BrokenPipeError):
                raise
            code |= _failed(error)
    return code


def _failed(error: Union[OSError, Refused]) -> int:
    cause, detail = cause_of(error)
    _frame({"failed": cause, "detail": detail})
    return 1


def _one(path: str, name: str, left: List[Tuple[str, str]]) -> int:
    """Send what is there, and put what is in it to what is left. OSError, Refused: nothing of it was sent."""
    found = posix.stat(encoded(path)) if "/" not in name else posix.lstat(encoded(path))
    mode, mtime = S_IMODE(found.st_mode), found.st_mtime_ns
    if S_ISDIR(found.st_mode):
        names = sorted(posix.listdir(encoded(path)), reverse=True)
        _frame({"entry": files.Entry(name, files.DIRECTORY, mode, mtime).row()})
        for one in names:
            below = one.decode("utf-8", "surrogateescape")
            left.append(("%s/%s" % (path, below), "%s/%s" % (name, below)))
        return 0
    if S_ISLNK(found.st_mode):
        link = posix.readlink(encoded(path)).decode("utf-8", "surrogateescape")
        _frame({"entry": files.Entry(name, files.LINK, 0o777, mtime, 0, link).row()})
        return 0
    if not S_ISREG(found.st_mode):
        raise Refused(files.UNSUPPORTED, "%s is neither a file nor a directory nor a link" % path)
    fd = posix.open(encoded(path), posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)
    try:
        return _file(fd, path, name)
    finally:
        posix.close(fd)


def _file(fd: int, path: str, name: str) -> int:
    found = posix.fstat(fd)
    if not S_ISREG(found.st_mode):
        raise Refused(files.UNSUPPORTED, "%s is no file any more" % path)
    mode, mtime, size = S_IMODE(found.st_mode), found.st_mtime_ns, found.st_size
    if size > PIECE:
        _frame({"entry": files.Entry(name, files.FILE, mode, mtime, size).row()})
        return _bytes(fd, size, mtime)
    # One of the kernel's, as in /proc, has another size than it says.
    data = b"".join(_all(fd, path))
    now = posix.fstat(fd)
    whole = (now.st_size, now.st_mtime_ns) == (size, mtime)
    _frame({"entry": files.Entry(name, files.FILE, mode, mtime, len(data)).row()})
    _write(data)
    _write(files.digest(data) if whole else bytes(files.DIGEST))
    return int(not whole)


def _all(fd: int, path: str) -> Iterator[bytes]:
    """What is in a file, to its end. OSError, Refused."""
    left = MOST_UNKNOWN
    while left > 0:
        try:
            data = posix.read(fd, PIECE)
        except OSError as error:
            raise OSError(error.errno, error.strerror, encoded(path)) from None
        if not data:
            return
        left -= len(data)
        yield data
    raise Refused(files.UNSUPPORTED, "%s says that it is short, and has no end" % path)


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
