"""Whether the end of a login would end a session that it began: systemd's logind may be set up to do that."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from pathlib import Path

_SETTING = re.compile(r"\s*KillUserProcesses\s*=\s*(\S+)")
_KILLS = ("1", "yes", "y", "true", "t", "on")


def advice(root: Path = Path("/")) -> str:
    """What to do where a session would not outlive its login, in a line; or an empty string."""
    if not (root / "run/systemd/seats").is_dir():  # no logind runs here
        return ""
    kills = "no"
    for file in _files(root):
        for line in file.read_text(errors="replace").splitlines():
            found = _SETTING.match(line)
            kills = found[1].lower() if found else kills
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in a container: nobody can have told logind of it
        name = ""
    if kills not in _KILLS or os.getuid() == 0 or (name and (root / "var/lib/systemd/linger" / name).exists()):
        return ""
    return "logind ends what a login leaves (KillUserProcesses), this session too: loginctl enable-linger keeps it"


def _files(root: Path) -> Iterator[Path]:
    """logind's settings, the later ones over the earlier."""
    for directory in ("usr/lib/systemd", "etc/systemd"):
        main = root / directory / "logind.conf"
        if main.is_file():
            yield main
        yield from sorted((root / directory / "logind.conf.d").glob("*.conf"))
