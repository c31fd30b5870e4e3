"""Exit codes of the command line, and the error that ends it with a line."""

from __future__ import annotations

USAGE_CODE = 2
INTERRUPTED_CODE = 130  # what a shell makes of SIGINT
UNREAD_CODE = 141  # nobody reads the output any more: what a shell makes of SIGPIPE


class UsageError(Exception):
    """What the user has to change, in a line."""
