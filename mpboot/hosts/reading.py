"""The text of a hostfile: read whole, but never more than a hostfile may hold."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from pathlib import Path

from mpboot.hosts.host import HostError
from mpboot.hosts.syntax import MAX_BYTES, MAX_LINES
from mpboot.text import named

TOO_LARGE = f"too large for a hostfile: {MAX_LINES} lines and {MAX_BYTES >> 20} MiB are the most"
_ODD = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8, as surrogateescape has them
STREAM = re.compile(r"/dev/stdin|/(?:dev|proc/self)/fd/[0-9]+")


def read_text(path: str) -> str:
    """The text of a file, a pipe behind /dev/fd, or standard input (`-`); bounded. Raises HostError."""
    name = "standard input" if path == "-" else named(path)
    try:
        data = _read_stdin() if path == "-" else _read_file(path)
    except HostError:
        raise
    except OSError as error:
        advice = "give a readable hostfile, or - for standard input"
        raise HostError(f"{name}: {error.strerror or error}: {advice}") from None
    except ValueError:  # a NUL in the name
        raise HostError(f"{name}: no file can have this name: give a readable hostfile") from None
    if len(data) > MAX_BYTES:
        raise HostError(f"{name}: {TOO_LARGE}")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise HostError(f"{name}: it is UTF-16, or binary: save it as UTF-8 text")
    if data.count(b"\n") > MAX_LINES:
        raise HostError(f"{name}: {TOO_LARGE}")
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise HostError(f"{name}:{line}: binary data (a NUL byte): give a text file with a host a line")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _without_odd_comments(data.decode("utf-8", "surrogateescape"), name)


def _without_odd_comments(text: str, name: str) -> str:
    """The text without comments that are not UTF-8. HostError where anything else is not."""
    lines = re.split(r"\r\n|\r|\n", text)
    for at, line in enumerate(lines):
        if _ODD.search(line):
            lines[at] = line.partition("#")[0]
            if _ODD.search(lines[at]):
                raise HostError(f"{name}:{at + 1}: not UTF-8 text: give a text file with a host a line")
    return "\n".join(lines)


def _read_file(path: str) -> bytes:
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    info = Path(path).stat()
    is_stream = STREAM.fullmatch(path) is not None
    if stat.S_ISDIR(info.st_mode):
        raise HostError(f"{named(path)}: is a directory: give a hostfile in it")
    if not stat.S_ISREG(info.st_mode) and not is_stream:
        raise HostError(f"{named(path)}: is a device, a pipe or a socket: give a file, or - to read standard input")
    if stat.S_ISREG(info.st_mode) and info.st_size > MAX_BYTES:
        raise HostError(f"{named(path)}: {TOO_LARGE}")
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        return _read_fd(fd)
    finally:
        os.close(fd)


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise HostError("standard input: it is closed: give a hostfile, or feed it one")
    try:
        fd = sys.stdin.fileno()
    except (OSError, ValueError):  # a stand-in without a descriptor, or closed
        return sys.stdin.buffer.read(MAX_BYTES + 1) if not sys.stdin.closed else b""
    return _read_fd(fd)


def _read_fd(fd: int) -> bytes:
    """Up to MAX_BYTES + 1 bytes: the last one shows that there are too many."""
    chunks, missing = [], MAX_BYTES + 1
    while missing > 0:
        try:
            chunk = os.read(fd, min(missing, 1 << 20))
        except BlockingIOError:  # someone left it non-blocking
            import select

            select.select([fd], [], [])
            continue
        if not chunk:
            break
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)
