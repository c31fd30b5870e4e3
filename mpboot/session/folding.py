"""What came of many hosts, equal ones once: under the set of their hosts, as DIR/node[001-147]/NAME."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from secrets import token_hex
from stat import S_ISDIR

from mpboot.session.incoming import Incoming
from mpboot.text import fold

LONGEST = 200  # bytes of a set's name, as a directory's


@contextmanager
def stage(directory: str) -> Iterator[str]:
    """A place beside them for what is not folded yet; nothing of it stays. OSError."""
    made = f"{directory}/.mpboot-{token_hex(8)}"
    os.mkdir(made, 0o700)  # noqa: PTH102
    try:
        yield made
    finally:
        with suppress(OSError):
            _remove(made)


def name_of(hosts: Sequence[str]) -> str:
    """The name of the directory of some hosts: their set; where that is too long or no name, the first and a number."""
    found = fold(hosts)
    if len(os.fsencode(found)) <= LONGEST and "/" not in found:
        return found
    mark = blake2b("\n".join(hosts).encode("utf-8", "surrogateescape"), digest_size=3).hexdigest()
    return f"{hosts[0]}+{len(hosts) - 1}-{mark}"


def folded(
    staged: str, directory: str, came: Mapping[str, Incoming], whole: Sequence[str]
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Move all to its place; what is not of the ``whole`` hosts stays by itself.

    Returns the hosts of each place (SET/NAME), and by host why it could not be moved.
    """
    groups: dict[tuple[str, bytes, str], list[str]] = {}
    for host, incoming in came.items():
        for top, kept in incoming.tops.items():
            own = "" if host in whole else host
            groups.setdefault((top, kept.digest(), own), []).append(host)
    places: dict[str, list[str]] = {}
    problems: dict[str, str] = {}
    for (top, _, _), hosts in groups.items():
        if not os.path.lexists(f"{staged}/{hosts[0]}/{top}"):
            continue  # it has changed while it was read, or the like
        place = f"{directory}/{name_of(hosts)}"
        try:
            os.makedirs(place, exist_ok=True)  # noqa: PTH103
            os.rename(f"{staged}/{hosts[0]}/{top}", f"{place}/{top}")  # noqa: PTH104
        except OSError as error:
            problems.update(dict.fromkeys(hosts, f"{place}/{top}: {error.strerror}: give another directory"))
            continue
        came[hosts[0]].settle(place, top)
        places[f"{name_of(hosts)}/{top}"] = hosts
    return places, problems


def _remove(path: str) -> None:
    """A directory and all in it, however deep."""
    left = [path]
    found = []
    while left:
        one = left.pop()
        found.append(one)
        for name in os.listdir(one):  # noqa: PTH208
            below = f"{one}/{name}"
            if S_ISDIR(os.lstat(below).st_mode):
                left.append(below)
            else:
                os.unlink(below)  # noqa: PTH108
    for one in reversed(found):
        os.rmdir(one)  # noqa: PTH106
