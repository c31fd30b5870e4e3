"""Faults made by bind mounts in the host's own mount namespace, so that real logins meet them too.

They are: no python3, another python3, another login shell, another home directory.
"""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from . import wire
from .state import HEAD_ADDRESS, ClusterError, Config, UsageError

KINDS = ("no-python", "python", "shell", "home")
PLACES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
PYTHON = re.compile(r"(python|pypy|pydoc)[0-9.]*")


def login_paths(state: Path, config: Config, host: str) -> list[str]:
    """Where the user's own shell looks on that host, with and without his profile."""
    variables = {"HOME": str(Path.home()), "USER": config.user, "SSH_CLIENT": f"{HEAD_ADDRESS} 40000 22"}
    client = [str(state / "bin" / "cluster-exec"), str(state), "-", host, config.shell]
    found: list[str] = []
    for option in ("-c", "-lc"):
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):
            done = subprocess.run(
                [*client, option, "echo; echo PATH=$PATH"], env={**variables, "PATH": ":".join(PLACES)},
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=5, check=False,
            )  # fmt: skip
            for line in done.stdout.splitlines():
                found += line[5:].split(":") if line.startswith("PATH=") else []
    return found


def python_places(more: list[str]) -> list[Path]:
    """Directories of programs, each real one once, that hold a python."""
    wanted = [*PLACES, *more, *os.environ.get("PATH", "").split(":")]
    real = {Path(place).resolve(): None for place in wanted if place.startswith("/")}
    return [place for place in real if any(PYTHON.fullmatch(entry.name) for entry in entries(place))]


def entries(place: Path) -> list[Path]:
    try:
        return list(place.iterdir())
    except OSError:
        return []


def link_all(place: Path, origin: Path, links: Path, python: str) -> None:
    """A directory of links to all programs of the place but python; origin is where they stay reachable."""
    origin.mkdir(parents=True, exist_ok=True)
    links.mkdir(parents=True)
    for entry in place.iterdir():
        if not PYTHON.fullmatch(entry.name):
            (links / entry.name).symlink_to(origin / entry.name)
    if python:
        (links / "python3").symlink_to(python)


def mount(state: Path, host: str, source: Path, target: str, read_only: bool = False) -> None:
    wire.control(state, host, "bind", str(source), target, "ro" if read_only else "")
    with (state / "mounts" / f"{host}.list").open("a") as file:
        file.write(f"{target}\n")


def replace_python(state: Path, config: Config, host: str, python: str) -> None:
    for index, place in enumerate(python_places(login_paths(state, config, host))):
        origin, links = state / "mounts" / host / f"origin{index}", state / "mounts" / host / f"links{index}"
        link_all(place, origin, links, python)
        mount(state, host, place, str(origin))
        mount(state, host, links, str(place), read_only=True)  # pyenv would put its python back


def write_passwd(path: Path, original: Path, user: str, changes: dict[int, str]) -> None:
    """A copy of /etc/passwd with other values in fields of the user's line (5: home, 6: shell)."""
    lines = [line.split(":") for line in original.read_text().splitlines()]
    mine = [line for line in lines if line[0] == user]
    if not mine:
        raise ClusterError(f"{user} is not in /etc/passwd")
    for field, value in changes.items():
        mine[0][field] = value
    path.write_text("\n".join(":".join(line) for line in lines) + "\n")
    path.chmod(0o644)


def replace_account(state: Path, config: Config, host: str, field: int, value: str) -> None:
    """The user's line in the host's /etc/passwd gets another value in one field."""
    path = state / "mounts" / f"{host}.passwd"
    common = state / "passwd"
    mounted = path.exists()
    original = path if mounted else common if common.exists() else Path("/etc/passwd")
    write_passwd(path, original, config.user, {field: value})
    if not mounted:
        mount(state, host, path, "/etc/passwd")


def set_fault(state: Path, config: Config, host: str, kind: str, argument: str) -> None:
    if kind == "no-python":
        if argument:
            raise UsageError("no-python takes no argument")
        replace_python(state, config, host, "")
        return
    path = str(Path(argument).absolute())
    if not argument or not Path(path).exists():
        raise UsageError(f"{kind} takes the path of something that exists, not {argument!r}")
    if kind == "python":
        replace_python(state, config, host, path)
    else:
        replace_account(state, config, host, 6 if kind == "shell" else 5, path)


def wrap_shell(state: Path, config: Config, host: str, first: str) -> None:
    """A login shell that does something before it becomes the user's own."""
    script = state / "mounts" / f"{host}.shell"
    script.write_text(f'#!/bin/sh\n{first}\nexec {config.shell} "$@"\n')
    script.chmod(0o755)
    replace_account(state, config, host, 6, str(script))


def is_mounted(state: Path, host: str, target: str) -> bool:
    path = state / "mounts" / f"{host}.list"
    return path.exists() and target in path.read_text().splitlines()


def clear(state: Path, host: str) -> None:
    path = state / "mounts" / f"{host}.list"
    if path.exists():
        for target in reversed(path.read_text().splitlines()):
            wire.control(state, host, "unbind", target)
        path.unlink()
    (state / "mounts" / f"{host}.passwd").unlink(missing_ok=True)
    made = state / "mounts" / host
    if made.exists():
        shutil.rmtree(made)
