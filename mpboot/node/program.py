"""Starting the user's program, as execvp does it from a login shell: the same program, or the same error."""

from __future__ import annotations

import errno
import posix

from mpboot.net.surroundings import environment
from mpboot.workers.spawn import spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Mapping, Sequence

SHELL = b"/bin/sh"
PATH = b"/bin:/usr/bin"  # where there is no such variable
NOT_HERE = (errno.ENOENT, errno.ENOTDIR)
LINE = 256  # bytes of a script's first line that the kernel reads


class NotRun(Exception):
    """It is there, and can't be run; says why."""


def encoded(text: str) -> bytes:
    """The bytes of a word as it was typed on the head, whatever the locale is here: see head/root.py."""
    return text.encode("utf-8", "surrogateescape")


def start(argv: Sequence[str], more: Mapping[str, str], stdio: Sequence[int], defaults: Sequence[int]) -> int:
    """Start a program with ``more`` variables; its pid. FileNotFoundError if there is none, NotRun, OSError.

    ``stdio`` and ``defaults``: see spawn.
    """
    words = [encoded(word) for word in argv]
    variables = environment(posix.environ)
    variables.update((encoded(name), encoded(value)) for name, value in more.items())
    denied = None
    for path in _places(words[0], variables.get(b"PATH", PATH)):
        try:
            return _spawn(path, words, variables, stdio, defaults)
        except OSError as error:
            if error.errno == errno.EACCES:
                denied = error  # the next place may have one that we may run
            elif error.errno not in NOT_HERE:
                raise
            elif _is_there(path):
                raise NotRun(_missing(path)) from None
    raise denied or FileNotFoundError(errno.ENOENT, posix.strerror(errno.ENOENT))


def _places(name: bytes, path: bytes) -> List[bytes]:
    if not name:
        return []
    if b"/" in name:
        return [name]
    return [(directory or b".") + b"/" + name for directory in path.split(b":")]


def _spawn(
    path: bytes, words: List[bytes], variables: Dict[bytes, bytes], stdio: Sequence[int], defaults: Sequence[int]
) -> int:
    try:
        return spawn(path, words, variables, stdio, defaults)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        return spawn(SHELL, [SHELL, path, *words[1:]], variables, stdio, defaults)  # a script that does not say whose


def _is_there(path: bytes) -> bool:
    try:
        posix.lstat(path)
    except OSError:
        return False
    return True


def _missing(path: bytes) -> str:
    """What it is that is not there, where the program itself is."""
    with open(path, "rb") as file:
        line = file.readline(LINE)
    if not line.startswith(b"#!"):
        return "the loader or the library that it asks for is not there"
    return "bad interpreter: %s: not there" % line[2:].strip().decode("utf-8", "replace")
