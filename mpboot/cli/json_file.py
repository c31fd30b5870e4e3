"""The file that --json names: opened before anything happens, written at the end."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from mpboot.cli.codes import LOST_CODE, UsageError

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink


def open_for_json(path: str, *read: str | None) -> int:
    """Open the file before anything is launched; returns its descriptor, 1 for standard output.

    ``read``: what the same command reads, such as the hostfile.
    """
    if path == "-":
        return 1
    keep_apart("--json", path, *read)
    try:
        # Not to wait for a reader of a pipe; what is in the file stays there until there is a report.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666)
        os.set_blocking(fd, True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--json {path}: {why}: give a file that can be written, or -") from None
    return fd


def keep_apart(option: str, path: str, *read: str | None) -> None:
    """Refuse to write to what the same command reads."""
    for name in read:
        if name is not None and _is_file(path, name):
            raise UsageError(f"{option} {path}: {name} is read, and would be overwritten: name another file")


def keep_out_of(directory: str | None, path: str | None) -> None:
    """Refuse a file of --json that --output-dir may make as well."""
    if directory is None or path is None:
        return
    place, name = os.path.split(os.path.realpath(path))
    if place == os.path.realpath(directory) and name.endswith((".out", ".err")):
        raise UsageError(f"--json {path}: --output-dir has files of such names there: name another file")


def _is_file(path: str, name: str) -> bool:
    """Is it the regular file that is read as ``name``, where - is standard input?"""
    try:
        ours = os.stat(path)  # noqa: PTH116
        theirs = os.fstat(0) if name == "-" else os.stat(name)  # noqa: PTH116
    except (OSError, ValueError):  # there is none, which whoever opens it says
        return False
    return stat.S_ISREG(ours.st_mode) and os.path.samestat(ours, theirs)


def dumped(value: Any) -> str:
    """The text of a JSON file."""
    from json import dumps

    return dumps(value, indent=1)


def write_json(target: int, text: str, out: Sink, err: Sink, code: int) -> int:
    """Write the text; returns ``code``, or another exit code where that failed.

    What is no regular file, such as a pipe or /dev/null, is neither cut nor put in the place of another.
    """
    data = (text + "\n").encode()
    if target == 1:
        out.write(data)
        out.flush()
        return out.outcome(code)
    name = _name_of(target)
    try:
        with os.fdopen(target, "wb") as file:
            if stat.S_ISREG(os.fstat(target).st_mode):  # not /dev/null, which can't be cut
                file.truncate(0)
            file.write(data)
    except OSError as error:
        err.write(f"mpboot: --json {name}: {error.strerror}: it can't be written\n".encode("utf-8", "backslashreplace"))
        err.flush()
        return LOST_CODE
    return code


def _name_of(fd: int) -> str:
    """The name of an open file, as far as it is known."""
    from mpboot.text import printable

    try:
        return printable(os.readlink(f"/proc/self/fd/{fd}"))  # noqa: PTH115
    except OSError:
        return "FILE"
