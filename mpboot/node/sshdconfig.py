"""What a host's sshd_config says of its user's logins, as far as it can be read and known here."""

from __future__ import annotations

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Sequence, Tuple

    Lines = List[Tuple[str, List[str]]]

CONFIG = "/etc/ssh/sshd_config"
MOST_FILES = 64  # that are read
LONGEST_NAME = 200  # characters of a variable's


def read(user: str, path: str = CONFIG) -> Dict[str, List[List[str]]]:
    """The words of each line, by keyword in small letters; empty: not known.

    What stands in a Match that holds for the user counts more than what stands before all of them.
    """
    for_all: Lines = []
    matched: Lines = []
    _read(path, user, for_all, matched)
    found: Dict[str, List[List[str]]] = {}
    for lines in (for_all, matched):
        its: Dict[str, List[List[str]]] = {}
        for keyword, words in lines:
            its.setdefault(keyword, []).append(words)
        found.update(its)
    return found


def permits_terminal(config: Dict[str, List[List[str]]]) -> bool:
    """Does sshd give a terminal to who asks for one?"""
    return config.get("permittty", [["yes"]])[0][:1] != ["no"]


def accepts(patterns: Sequence[str], name: str) -> bool:
    """Does one of these patterns fit the name of a variable?"""
    return len(name) <= LONGEST_NAME and any(_matches(pattern, name) for pattern in patterns)


def is_set(config: Dict[str, List[List[str]]], name: str) -> bool:
    """Does sshd itself set this variable, whatever a client sends?"""
    return any(word.startswith(name + "=") for words in config.get("setenv", ()) for word in words)


def _read(path: str, user: str, for_all: Lines, matched: Lines, depth: int = 0, holds: Optional[bool] = None) -> None:
    """``holds``: does the Match hold in which this file is included? None: it is in none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        words = _words_of(line)
        if not words:
            continue
        keyword = words[0].lower()
        if keyword == "match":
            holds = _holds(words[1:], user)
        elif keyword == "include" and depth < 4:
            for pattern in words[1:]:
                for one in _files(pattern if pattern.startswith("/") else "/etc/ssh/" + pattern):
                    _read(one, user, for_all, matched, depth + 1, holds)
        elif holds is not False:
            (for_all if holds is None else matched).append((keyword, words[1:]))


def _holds(criteria: Sequence[str], user: str) -> bool:
    """Does a Match hold for the user's logins, wherever they come from?"""
    if [word.lower() for word in criteria] == ["all"]:
        return True
    values = criteria[1::2]
    for kind, value in zip(criteria[::2], values):
        names = {"user": lambda: [user], "group": _groups}.get(kind.lower())
        if names is None or not _lists(value.split(","), names()):
            return False  # of addresses and the like another login may differ from this one
    return bool(criteria) and len(criteria) == 2 * len(values)


def _lists(patterns: Sequence[str], names: Sequence[str]) -> bool:
    """Is one of the names in this list, and none in it behind a mark of exclamation?"""
    hits = [pattern for pattern in patterns for name in names if _matches(pattern.lstrip("!"), name)]
    return bool(hits) and not any(pattern.startswith("!") for pattern in hits)


def _groups() -> List[str]:
    """The names of our groups that are in /etc/group: no name service is asked, since one may hang."""
    mine = {b"%d" % gid for gid in (posix.getgid(), *posix.getgroups())}
    try:
        with open("/etc/group", "rb") as file:
            rows = [line.split(b":") for line in file]
    except OSError:
        return []
    return [row[0].decode("utf-8", "replace") for row in rows if len(row) > 2 and row[2] in mine]


def _words_of(line: str) -> List[str]:
    """Keyword and arguments, which may have = between them; without what is a remark."""
    line = line.strip()
    keyword = line.split("=", 1)[0].split(None, 1)[0] if line.strip("=") else ""
    rest = line[len(keyword) :].lstrip().lstrip("=") if keyword else ""
    words = [keyword, *rest.replace('"', " ").split()]
    end = next((at for at, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:end] if keyword else []


def _files(pattern: str) -> List[str]:
    """The files of a pattern, which may have a star in its last part."""
    directory, _, last = pattern.rpartition("/")
    if "*" not in last and "?" not in last:
        return [pattern]
    try:
        names = sorted(posix.listdir(directory))
    except OSError:
        return []
    return ["%s/%s" % (directory, name) for name in names if _matches(last, name)][:MOST_FILES]


def _matches(pattern: str, name: str) -> bool:
    """As a shell has * and ?."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return _matches(pattern[1:], name) or (bool(name) and _matches(pattern, name[1:]))
    return bool(name) and pattern[0] in ("?", name[0]) and _matches(pattern[1:], name[1:])
