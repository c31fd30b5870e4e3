"""Exit codes of the command line's own, and the error that ends it with a line."""

from __future__ import annotations

USAGE_CODE = 2
LOST_CODE = 74  # sysexits' EX_IOERR: output or the report could not be written
UNREAD_CODE = 141  # nobody reads the output any more: what a shell makes of SIGPIPE


class UsageError(Exception):
    """What the user has to change, in a line; ``code``: the exit code."""

    code = USAGE_CODE


class OutputError(UsageError):
    """There is no place where output could be written."""

    code = LOST_CODE
