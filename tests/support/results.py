"""What a worker or the watcher may say: a right value of each kind, and how it travels."""

from __future__ import annotations

import os
from typing import Any

RESULTS = ("Started", "Ended", "NoFork", "Hung", "Sighting", "Told", "Blind")


def result(kind: str, launch: int) -> Any:
    """A value that fits, about this launch."""
    verdict = ["auth", "handshake", "denied", [["started", 1.5]], "Permission denied"]
    values: dict[str, list[Any]] = {
        "Started": [launch, os.getpid(), 1, 1000, os.getpid()],
        "Ended": [launch, verdict],
        "NoFork": [launch, 11],
        "Hung": [launch, "connect-timeout", "connect", "no answer"],
        "Sighting": [launch, "connect", 2.5, [["SYN_SENT", "192.0.2.1:22"]], ["sleeping"], ""],
    }
    return [kind, *values.get(kind, [])]


def framed(data: bytes) -> bytes:
    """Bytes as a result's."""
    return len(data).to_bytes(4, "big") + data
