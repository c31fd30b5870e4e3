"""What runs on every host beside its first process: nothing (bare), sshd, or inetd with in.rshd.

Only files in the state directory are written; they come to their places in the hosts by bind mounts.
"""

from pathlib import Path

from .state import Config

Bind = tuple[Path, str]


def check(mode: str) -> None:
    """Raises UsageError when the mode can't work here."""


def prepare(mode: str, where: Path, config: Config) -> list[Bind]:
    del mode, where, config
    return []


def environment(mode: str, where: Path) -> dict[str, str]:
    """What commands on the head are given, so that mpboot finds the right rsh."""
    if mode == "bare":
        return {"MPBOOT_RSH": str(where / "bin" / "rsh-standin")}
    return {"MPBOOT_RSH": "rsh"} if mode == "rsh" else {}
