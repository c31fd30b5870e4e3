"""The small programs that `mpboot env` puts in front of PATH: they call the real ssh with a session's sockets."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

LONGEST = 107  # bytes of a socket's path: ssh gives up where there are more
MARK = "# mpboot's own: "
RSH = ("rsh", "mpboot-rsh")  # these are the same as ssh
BY_OPTION = ("scp", "sftp")  # these are told which ssh to use


def control_path(directory: str) -> str:
    """ssh's option: a socket for each user, host as typed, and port."""
    return f"{directory.replace('%', '%%')}/%r@%n:%p"


def fits(directory: str) -> bool:
    """Can the directory stand in an option of ssh, and in PATH? ssh expands some characters."""
    return not any(odd in directory for odd in ('"', "\\", "${", ":", "\n"))


def options(directory: str) -> list[str]:
    """What stands in front of ssh's own arguments. Of an option that is given twice, ssh takes the first."""
    return ["-o", "ControlMaster=no", "-o", f'ControlPath="{control_path(directory)}"']


def real(name: str, path: str) -> str:
    """Where in ``path`` the program is that is not one of ours; "" if nowhere."""
    for directory in path.split(os.pathsep):
        found = Path(directory or ".", name)
        if os.access(found, os.X_OK) and found.is_file() and not is_ours(found):
            return str(found.absolute())
    return ""


def is_ours(program: Path) -> bool:
    """Is this one that ``scripts`` has made?"""
    try:
        with program.open("rb") as file:
            return MARK.encode() in file.read(len(MARK) + 16)
    except OSError:
        return False


def scripts(session: str, directory: str, place: str, path: str) -> dict[str, str]:
    """The text of each program: those of ssh's that are in ``path``. ``place``: where they will be."""
    ssh = real("ssh", path)
    if not ssh:
        return {}
    head = f"#!/bin/sh\n{MARK}over session {session}, where the host is in it\n"
    words = shlex.join([ssh, *options(directory)])
    texts = {name: head + _guarded(words, directory, ssh) for name in ("ssh", *RSH)}
    for name in BY_OPTION:
        program = real(name, path)
        if program:
            texts[name] = f'{head}exec {shlex.join([program, "-S", f"{place}/ssh"])} "$@"\n'
    return texts


def _guarded(words: str, directory: str, ssh: str) -> str:
    """ssh gives up where a socket's path would be too long, even if there is none: such a host is not looked for.

    A word that may be too long is no such host where one of the words is a host that has a socket; one that is too long
    for any user is none where such a host stands before it. For a jump (-J), ssh calls itself by the name that it was
    called by: bash can give it this program's.
    """
    most = LONGEST - len(os.fsencode(directory)) - len("/u@:1")
    least = most - len("65535") - 32  # for a port and a user's name
    place = shlex.quote(directory)
    return (
        "jumps=\n"
        "for word; do\n"
        "    case $word in\n"
        "    -J* | *[Pp]roxy[Jj]ump*) jumps=1 ;;\n"
        "    -* | *[!A-Za-z0-9_.@%:-]*) ;;\n"
        f"    {'?' * max(least, 1)}*)\n"
        "        rides=\n"
        "        for one; do\n"
        f'            for socket in {place}/*@"$one":* {place}/"$one":*; do\n'
        '                if [ -S "$socket" ]; then rides=1; fi\n'
        "            done\n"
        f'            if [ "$one" = "$word" ] && [ "${{#one}}" -gt {most} ]; then break; fi\n'
        "        done\n"
        f'        if [ -z "$rides" ]; then exec {shlex.quote(ssh)} "$@"; fi\n'
        "        ;;\n"
        "    esac\n"
        "done\n"
        'if [ -n "$jumps" ] && [ -x /bin/bash ]; then\n'
        f'    exec /bin/bash -c \'exec -a "$0" "$@"\' "$0" {words} "$@"\n'
        "fi\n"
        f'exec {words} "$@"\n'
    )


def write(place: Path, texts: Mapping[str, str]) -> None:
    """Have them there, each whole or not at all. OSError."""
    place.mkdir(mode=0o700, exist_ok=True)
    for name, text in texts.items():
        made = place / f".{name}.{os.getpid()}"
        made.write_text(text)
        made.chmod(0o700)
        made.rename(place / name)


def path_with(place: str, path: str) -> str:
    """PATH with this directory in front, and no other session's."""
    others = [one for one in path.split(os.pathsep) if not (one and is_ours(Path(one, "mpboot-rsh")))]
    return os.pathsep.join([place, *others])


def assignments(variables: Mapping[str, str], shell: str) -> str:
    """Lines that set these variables in a shell, for its eval; bash is to be as forgetful as the others are."""
    if shell in ("csh", "tcsh"):
        return "".join(f"setenv {name} {shlex.quote(value)};\n" for name, value in variables.items())
    if shell == "fish":
        return "".join(f"set -gx {name} {_fish(name, value)};\n" for name, value in variables.items())
    exports = "".join(f"export {name}={shlex.quote(value)};\n" for name, value in variables.items())
    return exports + '[ -z "${BASH_VERSION-}" ] || shopt -s checkhash;\n'


def forgetful(options: str) -> str:
    """BASHOPTS for a bash that looks again where a program is that it has found once: ours go with their session."""
    return ":".join(dict.fromkeys([*filter(None, options.split(":")), "checkhash"]))


def _fish(name: str, value: str) -> str:
    words = value.split(os.pathsep) if name == "PATH" else [value]
    return " ".join("'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'" for word in words)


def ssh_config(session: str, directory: str, hosts: Iterable[str]) -> str:
    """Lines for ssh's configuration."""
    return (
        f"# mpboot's session {session}: these hosts are reached over it while it is there\n"
        f"Host {' '.join(hosts)}\n"
        f"    ControlMaster no\n"
        f'    ControlPath "{control_path(directory)}"\n'
    )
