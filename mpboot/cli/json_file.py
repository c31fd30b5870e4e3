"""The file that --json names: opened before anything happens, written at the end."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from mpboot.cli.codes import LOST_CODE, UsageError

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink


def open_for_json(path: str) -> int:
    """Open the file before anything is launched; returns its descriptor, 1 for standard output."""
    if path == "-":
        return 1
    try:
        # Not to wait for a reader of a pipe; what is in the file stays there until there is a report.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666)
        os.set_blocking(fd, True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--json {path}: {why}: give a file that can be written, or -") from None
    return fd


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
    try:
        with os.fdopen(target, "wb") as file:
            if stat.S_ISREG(os.fstat(target).st_mode):  # not /dev/null, which can't be cut
                file.truncate(0)
            file.write(data)
    except OSError as error:
        err.write(f"mpboot: the file of --json can't be written: {error.strerror}\n".encode())
        err.flush()
        return LOST_CODE
    return code
