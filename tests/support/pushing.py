"""What a push has left, and what it has said of each host."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from mpboot.net.files import BLOCK


def spotted(path: Path, size: int, first: bytes = b"x") -> None:
    """A large file that takes hardly any room: a byte in each block, so none is a hole. ``first``: how it begins."""
    with path.open("wb") as file:
        file.truncate(size)
        for at in range(0, size, BLOCK):
            file.seek(at)
            file.write(b"x")
        file.seek(0)
        file.write(first)


def left_over(path: Path) -> list[Path]:
    """Files that are not complete: with a name of their own, or with none and open in some process."""
    named = [one for one in path.rglob("*") if "mpboot-" in one.name]
    return [*named, *nameless(path).values()]


def nameless(path: Path) -> dict[int, Path]:
    """Files without a name below a directory, by the process that has them open."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            for fd in (process / "fd").iterdir():
                link = str(fd.readlink())
                if link.startswith(f"{path}/") and "/#" in link and link.endswith(" (deleted)"):
                    found[int(process.name)] = fd
    return found


def outcomes(tmp_path: Path) -> dict[str, dict[str, str]]:
    return dict(json.loads((tmp_path / "report").read_text())["hosts"])
