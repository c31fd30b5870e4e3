"""No core file of a process that knows keys; what such a process starts has the user's own limits again."""

from __future__ import annotations

import resource

_before = resource.getrlimit(resource.RLIMIT_CORE)
_files = resource.getrlimit(resource.RLIMIT_NOFILE)  # which a parent raises


def none() -> None:
    """From now on this process leaves no core: neither as a file, nor to a program, which 1 means and 0 does not."""
    hard = _before[1]
    resource.setrlimit(resource.RLIMIT_CORE, (1 if hard else 0, hard))


def as_before() -> None:
    """The limits that there were, for what is about to be started."""
    resource.setrlimit(resource.RLIMIT_CORE, _before)
    resource.setrlimit(resource.RLIMIT_NOFILE, _files)
