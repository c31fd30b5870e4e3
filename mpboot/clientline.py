"""The command line of an ssh or rsh client, read as the client reads it; what may stand in one that we write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

VALUED = set("bBcDeEFiIJlLmoOpPQRSwW")  # ssh's options that take a value
VALUED_LONG = ("-pw", "-pwfile", "-load", "-hostkey", "-proxycmd", "-sessionlog", "-sshlog")  # plink's

# An interpreter on a host: no option, and nothing in it that any login shell would take for more than itself.
PYTHON = re.compile(r"(?:~/|[A-Za-z0-9_./])[A-Za-z0-9_./+,:@%=~ -]{0,149}")
PYTHON_RULE = "a path or a name, of letters, digits, blanks and _./+,:@%=~-, at most 150"


@dataclass(frozen=True)
class Words:
    """What a client's command line says: the host, what is to run there, and the letters of its options."""

    host: str = ""
    command: tuple[str, ...] = ()
    flags: str = ""


def read_words(argv: Sequence[str]) -> Words:
    """Read a command line, the client's own name in front; what it does not say is empty."""
    host, flags, words = "", "", list(argv[1:])
    while words:
        word = words.pop(0)
        if word == "--":
            continue
        if word.startswith("-") and word != "-":
            letters, value_follows = _read_options(word)
            flags += letters
            if value_follows:
                del words[:1]
        elif host:
            return Words(host, (word, *words), flags)
        else:
            host = _host_of(word)
    return Words(host, (), flags)


def _read_options(word: str) -> tuple[str, bool]:
    """The letters in a word such as -tp22, and whether the next word is the value of the last."""
    if word in VALUED_LONG:
        return "", True
    for at, letter in enumerate(word[1:], 2):
        if letter in VALUED:
            return word[1:at], at == len(word)
    return word[1:], False


def _host_of(word: str) -> str:
    """The host in HOST, USER@HOST, or ssh://USER@HOST:PORT; there with its port."""
    scheme, separator, rest = word.partition("://")
    return (rest if separator else scheme).rpartition("@")[2]
