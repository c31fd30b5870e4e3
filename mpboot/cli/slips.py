"""Slips of the fingers: dashes and quotes of typography, values of other launchers, words for a shell."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import PurePath

from mpboot.text import shown

LONGEST = 160  # characters of a line that is proposed
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb"
_FOR_SHELL = ("|", "||", "&&", "&", ";", "<", ">", ">>", "2>", "2>&1", "&>")
_TAKE_THEM = ("find", "test", "[", "expr", "awk", "env", "xargs")  # for these they have a meaning of their own
_SHELLS = ("sh", "bash", "dash", "ksh", "zsh")


def cut(line: str) -> str:
    """The line, or as much of it as a message may hold."""
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def of_typography(args: Sequence[str]) -> str:
    """What is wrong with a word that begins with a dash or quote as word processors and web pages make them, or ""."""
    for word in args:
        if os.path.lexists(word):
            continue
        rest = word.lstrip(_DASHES)
        if word[: len(word) - len(rest)].strip("-"):
            meant = f"{'-' if len(rest) == 1 else '--'}{rest}"
            return f"{shown(word)} begins with a dash that is no hyphen: type {cut(shlex.join([meant]))}"
        if word[:1] and word[0] in _QUOTES:
            meant = cut(shlex.quote(word.strip(_QUOTES)))
            return f"{shown(word)} begins with a quote that no shell knows: type {meant}"
    return ""


def of_value(name: str, value: str | None) -> str:
    """What is meant by an option that has another meaning elsewhere, by a value that it can't have here, or ""."""
    if value is None or value.replace(".", "", 1).isdigit():
        return ""
    if name == "-u" and value.isidentifier():
        return f"-u takes seconds, as in pdsh and clush; a user is given as -l {shlex.quote(value)}"
    if name == "-f" and os.path.lexists(value):
        meant = cut(shlex.quote(value))
        return f"-f takes a number of launches at once; a file of hosts needs no option: mpboot {meant}"
    return ""


def of_command(command: Sequence[str]) -> str:
    """What a shell would make of a COMMAND that goes to the hosts as it stands, where that is not the same; or ""."""
    name = PurePath(command[0]).name
    if name in _SHELLS and len(command) > 3 and command[1] == "-c":
        if not command[2].isidentifier():
            return ""
        line = cut(shlex.quote(" ".join(command[2:])))
        return f"{name} -c runs {shown(command[2])} alone: was {name} -c {line} meant?"
    found = next((word for word in command[1:] if word in _FOR_SHELL), "")
    if not found or name in (*_SHELLS, *_TAKE_THEM):
        return ""
    line = " ".join(word if word in _FOR_SHELL else shlex.quote(word) for word in command)
    return f"{shown(found)} is a word for {name}, no shell reads it: was sh -c {cut(shlex.quote(line))} meant?"
