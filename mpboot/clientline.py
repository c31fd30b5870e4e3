"""The command line of an ssh or rsh client, read as the client reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_VALUED = set("bBcDeEFiIJlLmoOpPQRSwW")  # ssh's options that take a value


_VALUED_LONG = ("-pw", "-pwfile", "-load", "-hostkey", "-proxycmd", "-sessionlog", "-sshlog")  # plink's


@dataclass(frozen=True)
class Words:
    """A client's command line, read as ssh reads it."""

    host: str = ""
    command: tuple[str, ...] = ()
    flags: str = ""


def read_words(argv: Sequence[str]) -> Words:
    """Where it goes and what it is to run there."""
    host, flags, words = "", "", list(argv[1:])
    while words:
        word = words.pop(0)
        if word.startswith("-") and len(word) > 1 and word != "--":
            if word in _VALUED_LONG:
                del words[:1]
                continue
            for at, letter in enumerate(word[1:], 2):
                flags += letter
                if letter in _VALUED:
                    if at == len(word):
                        del words[:1]
                    break
        elif word != "--":
            if host:
                return Words(host, (word, *words), flags)
            host = word.rpartition("@")[2] if "://" not in word else word.partition("://")[2].rpartition("@")[2]
    return Words(host, (), flags)
