"""No core file of a process that knows keys; what such a process starts has the user's own limit again."""

from __future__ import annotations

import resource

_before = resource.getrlimit(resource.RLIMIT_CORE)


def none() -> None:
    """From now on this process leaves no core, neither as a file nor (since the limit is 1) to a program."""
    resource.setrlimit(resource.RLIMIT_CORE, (min(1, _before[1]) if _before[1] >= 0 else 1, _before[1]))


def as_before() -> None:
    """The limit that there was, for what is about to be started."""
    resource.setrlimit(resource.RLIMIT_CORE, _before)
