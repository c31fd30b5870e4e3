"""What people type out of habit, from other launchers or in haste: refused with what is to be typed instead."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from mpboot.cli import foreign, slips, words
from mpboot.cli.codes import UsageError
from mpboot.text import named, shown

COMMANDS = (
    "boot", "exec", "nodes", "sessions", "jobs", "kill", "grow", "shrink", "halt", "push", "pull",
    "env", "plan", "inspect", "explain",
)  # fmt: skip
HOSTED = ("boot", "plan", "grow")  # take a hostfile
RUNS = ("boot", "exec", "env", "plan")  # take a command behind --
MOVES = ("push", "pull")  # take files behind --, as cp does
NOT_FOUND = 127  # exit code of a program that is not there
MOST = 1000  # files of a directory that are looked through for one that may have been meant
ELSEWHERE = {  # what other programs call it
    "run": "exec", "list": "nodes", "ls": "nodes", "status": "nodes", "ps": "jobs", "add": "grow", "remove": "shrink",
    "stop": "halt", "end": "halt", "down": "halt", "copy": "push", "cp": "push", "put": "push", "get": "pull",
    "fetch": "pull", "start": "boot", "up": "boot",
}  # fmt: skip
BUILTINS = (
    "cd", "exit", "export", "set", "unset", "source", ".", "alias", "exec", "eval", "trap", "ulimit", "umask", "wait",
)  # fmt: skip

_FOR_SHELL = re.compile(r"[;|&<>$`*?()\n]|^~")
_MAY_BE_FILE = re.compile(r"\.{0,2}/[^;|&<>$`*?\n]*")
_LIST = re.compile(r"@[^/\s]+|[^/\s]*[,\[][^/\s]*")  # hosts
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,60}")  # of a host, perhaps
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def settle(
    command: str,
    args: Sequence[str],
    every: Mapping[str, Mapping[str, Any]],
    room: int | None,
    behind: Sequence[str] | None,
    typed: bool = True,
) -> list[str]:
    """What typer is to read, for what was typed in front of ``--``. UsageError for what can't be meant.

    ``every``: the options of each command, by name; ``room``: how many words a command takes that are no options, None
    for any number; ``behind``: the words behind ``--``, None without it; ``typed``: was the command's name?
    """
    slip = slips.of_typography(args)
    if slip:
        raise UsageError(slip)
    args = _bare_json(args) if command == "inspect" else list(args)
    found = words.read(args, every[command])
    plain = [one.at for one in found if not one.name]
    if not typed and plain and plain[0] and args[plain[0]] in COMMANDS and not os.path.lexists(args[plain[0]]):
        name = args.pop(plain[0])
        line = shlex.join([name, *_known_to(name, args, every, command), *([] if behind is None else ["--", *behind])])
        raise UsageError(f"the command comes first, then its options: type mpboot {slips.cut(line)}")
    surplus = _surplus(command, args, found, plain, room)
    for one in found:
        if surplus is not None and one.at >= surplus:
            break
        if one.name in ("--help", "-h"):
            return ["--help"]
        if one.name in ("--version", "-V"):
            return ["--version"]
        problem = _problem(command, args, one, every)
        if problem:
            if not typed and plain[:1] == [0] and _nearest_command(args[0]):
                check_hostfile(args[0])
            raise UsageError(problem)
    if [one.name for one in found].count("--name") > 1:
        raise UsageError("--name is given twice: give one")
    if surplus is not None:
        if command in HOSTED and surplus != plain[0] and (behind is None or args[plain[0]] in ELSEWHERE):
            check_hostfile(args[plain[0]])
        raise UsageError(_too_many(command, args, surplus, behind is not None))
    if behind is not None and command not in RUNS and command not in MOVES:
        raise UsageError(f"{command} runs no command: leave out -- and what follows")
    if command in HOSTED and plain and is_list(args[plain[0]]):
        args[plain[0]] = f"--hosts={args[plain[0]]}"
    return args


def _known_to(name: str, args: Sequence[str], every: Mapping[str, Mapping[str, Any]], other: str) -> list[str]:
    """The words without options of an ``other`` command that the one of this name does not have."""
    strange = [one for one in words.read(args, every[other]) if one.param is not None and one.name not in every[name]]
    gone = {at for one in strange for at in range(one.at, one.at + 1 + one.apart)}
    return [word for at, word in enumerate(args) if at not in gone]


def is_list(word: str) -> bool:
    """Is it no file, and written as hosts are, such as a,b or node[1-3] or @group?"""
    return not os.path.lexists(word) and _LIST.fullmatch(word) is not None


def _bare_json(args: Sequence[str]) -> list[str]:
    """The same with --json=- for a --json that no file's name follows: inspect takes numbers of processes."""
    following = [*args[1:], "-v"]
    return [
        "--json=-" if word == "--json" and (after.isdigit() or (after[:1] == "-" and after != "-")) else word
        for word, after in zip(args, following)
    ]


def _problem(command: str, args: Sequence[str], one: words.Word, every: Mapping[str, Mapping[str, Any]]) -> str:
    """What is wrong with an option, or an empty text."""
    if one.is_foreign:
        return foreign.refusal(command, one.name, every)
    if one.lacks_value:
        return f"{one.name} needs a value: {one.name} {one.param.metavar}; see {foreign.help_of(command)}"
    value = one.value
    if one.apart and value is not None and (value.startswith("--") or value in {*every[command], *words.FLAGS}):
        named = "/".join(one.param.opts)
        file = f", or {one.name} ./{value} for a file" if "FILE" in one.param.metavar or named == "--output-dir" else ""
        equals = f"{one.name}={value}" if one.name.startswith("--") else f"{one.name}{value}"
        return f"{one.name} needs a value, and {value} is an option: type {equals} if it is meant{file}"
    slip = slips.of_value(one.name, value)
    if slip:
        return slip
    after = args[one.at + 1] if one.at + 1 < len(args) else ""
    if one.name == "-n" and args[one.at] == "-n" and after.isdigit() and not os.path.lexists(after):
        return "-n takes no number, it means no input: every host that is given is booted, once"
    return ""


def _surplus(
    command: str, args: Sequence[str], found: Sequence[words.Word], plain: Sequence[int], room: int | None
) -> int | None:
    """Where the first word stands that is one too many, or None."""
    if room is None:
        return None
    if command in HOSTED and plain:
        hosts = any(one.name in ("--hosts", "-w") for one in found)
        first = args[plain[0]]
        room = int(not hosts or first == "-" or os.path.lexists(first) or is_list(first))
    return plain[room] if len(plain) > room else None


def _too_many(command: str, args: Sequence[str], at: int, dashes: bool) -> str:
    """What to say of a word that is one too many."""
    word = f"{shown(args[at])} is one word too many"
    if command in ("shrink", "exec", "env") and (is_list(args[at]) or command == "shrink"):
        if command != "env":
            return f"{word}: hosts of a session are given as -w {slips.cut(shlex.quote(args[at]))}"
    elif command == "exec" and dashes:
        name = slips.cut(shlex.quote(args[at]))
        return f"{word}: a session knows its hosts, leave it out; some of them are given as -w {name}"
    elif command in HOSTED and os.path.isfile(args[at]) and not os.access(args[at], os.X_OK):  # noqa: PTH113
        return f"{word}: more than one hostfile are given as cat FILE FILE | mpboot -"
    elif command in RUNS and not dashes:
        name = "" if command == "boot" else f"{command} "
        before = _with_its_file(args[:at])
        line = slips.cut(f"mpboot {name}{shlex.join(before)}{' ' * bool(before)}-- {_split(args[at:])}")
        what = "a command for the hosts" if command != "env" else "a command"
        is_host = command == "exec" and args[at + 1 :] and _NAME.fullmatch(args[at]) and args[at][-1].isdigit()
        return f"{word}: {what} goes behind --: type {line}{' (a host is given as -w HOST)' if is_host else ''}"
    if command in ("nodes", "jobs", "halt"):
        return f"{word}: a session is given as --name {_as_name(args[at])}"
    if command == "sessions":
        return f"{word}: mpboot nodes --name {_as_name(args[at])} shows one"
    if command in HOSTED:
        return f"{word}: give one hostfile, or all hosts together as --hosts a,b"
    return f"{word}; see {foreign.help_of(command)}"


def _as_name(word: str) -> str:
    """A word that may be the name of a session, to be typed; else NAME."""
    return slips.cut(shlex.quote(word)) if _NAME.fullmatch(word) else "NAME"


def _with_its_file(args: Sequence[str]) -> Sequence[str]:
    """The same words, with a file of hosts as HOSTFILE that was given as pdsh has it: -w ^FILE."""
    for at, word in enumerate(args[:-1]):
        if word in ("-w", "--hosts") and args[at + 1][:1] == "^" and len(args[at + 1]) > 1:
            return [args[at + 1][1:], *args[:at], *args[at + 2 :]]
    return args


def _nearest_command(word: str) -> str:
    """The command that may have been meant by a word that is no file, or an empty text."""
    from difflib import get_close_matches

    if not word or word[-1].isdigit() or "/" in word or os.path.lexists(word):
        return ""
    return (get_close_matches(word, [*COMMANDS, "help", "version"], 1) or [""])[0]


def check_hostfile(hostfile: str | None) -> None:
    """UsageError where there is no such file, with what may have been meant."""
    if not hostfile or hostfile == "-" or os.path.lexists(hostfile):
        return
    near = ELSEWHERE.get(hostfile) or _nearest_command(hostfile)
    if near and near != hostfile:
        meant = near if near in COMMANDS else f"--{near}"
        advice = f"did you mean mpboot {meant}? the commands are {', '.join(COMMANDS)}"
    elif file := _nearest_file(hostfile):
        advice = f"did you mean mpboot {slips.cut(shlex.quote(file))}?"
    elif re.search(r"\s", hostfile):
        advice = 'hosts are given as --hosts "a b c", or one a line in a file'
    elif re.search(r"[\[,@]", hostfile):
        advice = f"hosts are given as --hosts {slips.cut(shlex.quote(hostfile))}"
    else:
        name = hostfile if _NAME.fullmatch(hostfile) else "a,b"
        advice = (
            f"give a readable hostfile, - for standard input, hosts as --hosts {name}, or a command of mpboot's "
            f"({', '.join(COMMANDS)}); a command for the hosts goes behind --"
        )
    name = shown(hostfile)[1:-1]
    raise UsageError(f"{named(name)}: No such file or directory: {advice}")


def _nearest_file(name: str) -> str:
    """The file that may have been meant by a name that is none, or an empty text."""
    from difflib import get_close_matches

    try:
        path = Path(name)
        there = [one.name for one in islice(path.parent.iterdir(), MOST) if one.is_file()]
    except (OSError, ValueError):
        return ""
    alike = {one.lower(): one for one in sorted(there)}
    near = get_close_matches(path.name.lower(), alike, 1, 0.6) if len(name) < slips.LONGEST else []
    return str(path.with_name(alike[near[0]])) if near else ""


def check_command(command: Sequence[str]) -> None:
    """UsageError for a COMMAND that only a shell could read: no shell reads it on the hosts.

    A path with blanks in it may be a program's there: if it is not, ``hint`` says the same at the end.
    """
    if not (command and command[0]):
        raise UsageError("the command after -- is an empty word" if command else "no command after --")
    first = command[0]
    if _ASSIGNMENT.match(first):
        raise UsageError(f"{shown(first)} is no program: type -- env {slips.cut(shlex.join(command))}")
    if len(command) == 1 and not _MAY_BE_FILE.fullmatch(first):
        advice = _as_words(first)
        if advice:
            raise UsageError(advice)


def hint(command: Sequence[str], codes: Iterable[int | None]) -> str:
    """What may be wrong with a COMMAND that was not found on a host, by its exit codes; or an empty text."""
    if NOT_FOUND not in codes:
        return ""
    if command[0] in BUILTINS:
        place = f"--chdir {shlex.join(command[1:])} in front of --, or " if command[0] == "cd" and command[1:] else ""
        return f"{command[0]} is built into shells, and no shell runs here: type {place}-- sh -c '{command[0]} …'"
    return _as_words(command[0]) if len(command) == 1 else ""


def _split(command: Sequence[str]) -> str:
    """A COMMAND as it is to be typed: one word that is a whole command line in words, or for a shell."""
    if len(command) == 1 and _FOR_SHELL.search(command[0]):
        return f"sh -c {shlex.quote(command[0])}"
    with suppress(ValueError):
        return shlex.join(shlex.split(command[0]) if len(command) == 1 else command)
    return shlex.join(command)


def _as_words(first: str) -> str:
    """What to type instead of a COMMAND that is one word, if that is not a program's name."""
    if _FOR_SHELL.search(first):
        return f"{shown(first)} is one word, and no shell reads it: type -- {slips.cut(f'sh -c {shlex.quote(first)}')}"
    try:
        parts = shlex.split(first)
    except ValueError:
        parts = [first]
    if len(parts) > 1:
        return f"{shown(first)} is one word, and no shell splits it: type -- {slips.cut(shlex.join(parts))}"
    return ""
