"""Hostfiles for the tests that read them, and what becomes of a text: hosts, or a line that says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mpboot.hosts.host import HostError
from mpboot.hosts.sources import HostList


def write(tmp_path: Path, content: str | bytes) -> str:
    path = tmp_path / "hosts"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def outcome(parse: Callable[[], HostList]) -> HostList | str:
    """The hosts, or the message of the HostError; any other exception is the test's failure."""
    try:
        return parse()
    except HostError as error:
        return str(error)
