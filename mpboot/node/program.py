"""Becoming the user's program, as execvp does it from a login shell: the same program, or the same error."""

from __future__ import annotations

import errno
import os

from mpboot.net.surroundings import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Mapping

SHELL = b"/bin/sh"
NOT_HERE = (errno.ENOENT, errno.ENOTDIR)
LINE = 256  # bytes of a script's first line that the kernel reads


class NotRun(Exception):
    """It is there, and can't be run; says why."""


def encoded(text: str) -> bytes:
    """The bytes of a word as it was typed on the head, whatever the locale is here: see head/root.py."""
    return text.encode("utf-8", "surrogateescape")


def become(argv: List[str], more: Mapping[str, str]) -> None:
    """Turn into a program, with ``more`` variables. FileNotFoundError if there is none, NotRun, OSError."""
    words = [encoded(word) for word in argv]
    variables = environment(os.environb)
    variables.update((encoded(name), encoded(value)) for name, value in more.items())
    denied = None
    for path in _places(words[0], variables.get(b"PATH", os.fsencode(os.defpath))):
        try:
            _exec(path, words, variables)
        except OSError as error:
            if error.errno == errno.EACCES:
                denied = error  # the next place may have one that we may run
            elif error.errno not in NOT_HERE:
                raise
            elif os.path.lexists(path):
                raise NotRun(_missing(path)) from None
    raise denied or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _places(name: bytes, path: bytes) -> List[bytes]:
    if not name:
        return []
    if b"/" in name:
        return [name]
    return [(directory or b".") + b"/" + name for directory in path.split(b":")]


def _exec(path: bytes, words: List[bytes], variables: Dict[bytes, bytes]) -> None:
    try:
        os.execve(path, words, variables)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        os.execve(SHELL, [SHELL, path, *words[1:]], variables)  # a script that does not say whose


def _missing(path: bytes) -> str:
    """What it is that is not there, where the program itself is."""
    with open(path, "rb") as file:
        line = file.readline(LINE)
    if not line.startswith(b"#!"):
        return "the loader or the library that it asks for is not there"
    return "bad interpreter: %s: not there" % line[2:].strip().decode("utf-8", "replace")
