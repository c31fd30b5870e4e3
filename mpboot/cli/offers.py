"""What a shell offers when somebody presses its key for completion."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mpboot.cli import words
from mpboot.cli.arguments import REMOTE_SHELLS, SHELLS, TRANSPORTS
from mpboot.cli.habits import HOSTED, is_list
from mpboot.tree import causes
from mpboot.tree.policy import TOPOLOGIES
from mpboot.workers.commandline import SHELL_PROBES

FILES, DIRECTORIES = "files", "dirs"  # which the shell itself offers
MOST = 2000  # names of hosts
LARGEST = 1 << 18  # bytes of a hostfile that is read for its names
_CHOICES: dict[str, Sequence[str]] = {
    "--rsh": REMOTE_SHELLS, "--topology": TOPOLOGIES, "--transport": TRANSPORTS, "--shell-probe": SHELL_PROBES,
    "--children": ("auto",), "--shell": SHELLS, **dict.fromkeys(words.COMPLETION, words.COMPLETED),
    "--signal": ("TERM", "INT", "HUP", "KILL", "QUIT", "USR1", "USR2", "STOP", "CONT"),
}  # fmt: skip
_FILES = ("--json", "--stdin", "--push", "--plot", "--latency")
_WITH_FILES = (*HOSTED, "push", "pull")  # whose words are files


@dataclass(frozen=True)
class Offers:
    """Whole words, each with a text about it; ``kind``: files or directories beside them; ``goes_on``: no blank."""

    rows: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    goes_on: bool = False


def offers(typed: Sequence[str], current: str, commands: Mapping[str, Any], front: Sequence[Any]) -> Offers:
    """What may follow the words ``typed`` behind mpboot, where ``current`` has been begun.

    ``commands``: by name, as typer has them; ``front``: the options in front of all.
    """
    if "--" in typed:
        return Offers(kind=FILES)
    if typed[:1] and typed[0] in words.COMPLETION:
        return _matching(current, _CHOICES[typed[0]])
    named = bool(typed) and typed[0] in commands
    name, rest = (typed[0], typed[1:]) if named else ("boot", typed)
    options = words.options_of(commands[name].params)
    found = words.read(rest, options)
    if found and found[-1].lacks_value:
        return _values(found[-1].param, current, name, rest, options)
    before, equals, value = current.partition("=")
    if current.startswith("--") and equals:
        param = options.get(before)
        return _behind(before + "=", _values(param, value, name, rest, options)) if param is not None else Offers()
    param = options.get(current[:2])
    if len(current) > 2 and not current.startswith("--") and param is not None and not param.is_flag:
        return _behind(current[:2], _values(param, current[2:], name, rest, options))
    if current.startswith("-"):
        return _options(current, [*commands[name].params, *(() if typed else front)])
    if not typed:
        rows = [(one, command.get_short_help_str(60)) for one, command in commands.items()]
        return Offers(tuple(row for row in rows if row[0].startswith(current)), FILES)
    if name == "explain":
        return _matching(current, causes.ALL)
    if name == "kill":
        return _matching(current, _ask(rest, options, lambda session: [str(job["job"]) for job in session.jobs()]))
    if name in HOSTED and any(not one.name for one in found):
        return Offers()
    return Offers(kind=FILES if name in _WITH_FILES else "")


def _matching(current: str, values: Iterable[str]) -> Offers:
    return Offers(tuple((value, "") for value in values if value.startswith(current)))


def _behind(before: str, found: Offers) -> Offers:
    """The same as parts of a word that begins with ``before``."""
    return replace(found, rows=tuple((before + value, text) for value, text in found.rows))


def _options(current: str, params: Sequence[Any]) -> Offers:
    """The long names of options, and those that have none."""
    rows = {"--help": "Show this message and exit."}
    for param in params:
        if param.param_type_name == "option" and (not param.hidden or not current.strip("-")):
            rows[max(param.opts, key=len)] = str(param.help)
    return Offers(tuple((name, text) for name, text in rows.items() if name.startswith(current)))


def _values(param: Any, current: str, command: str, rest: Sequence[str], options: Mapping[str, Any]) -> Offers:
    """The values of an option."""
    name = max(param.opts, key=len)
    if name in _CHOICES:
        return _matching(current, _CHOICES[name])
    if name in _FILES:
        return Offers(kind=FILES)
    if name == "--output-dir":
        return Offers(kind=DIRECTORIES)
    if name == "--env":
        return replace(_matching(current, sorted(os.environ)), goes_on=True)
    if name == "--name" and command != "inspect":
        from mpboot.session.handle import sessions
        from mpboot.session.registry import SessionError

        with suppress(SessionError, OSError):
            return _matching(current, sessions())
    if name in ("--hosts", "--exclude"):
        return _sets(current, command, rest, options)
    return Offers()


def _sets(current: str, command: str, rest: Sequence[str], options: Mapping[str, Any]) -> Offers:
    """Hosts, behind the last comma of those that are there already."""
    if current.rpartition("[")[2].count("]") < current.count("["):
        return Offers()
    before, comma, last = current.rpartition(",")
    if last.startswith("@"):
        known: Iterable[str] = (f"@{group}" for group in _groups())
    elif command in HOSTED:
        known = _listed(rest, options)
    else:
        known = _ask(rest, options, lambda session: session.nodes())
    there = {*before.split(",")}
    found = [one for one in known if one.startswith(last) and one not in there][:MOST]
    return replace(_behind(before + comma, _matching(last, found)), goes_on=True)


def _groups() -> list[str]:
    try:
        from mpboot.hosts.groups import names

        return names()
    except Exception:  # no ClusterShell, or none of its sources can be asked
        return []


def _listed(rest: Sequence[str], options: Mapping[str, Any]) -> Iterator[str]:
    """The hosts of the hostfile that is named, if it is small, and of --hosts."""
    from mpboot.hosts.host import HostError
    from mpboot.hosts.sources import parse_hosts_option, read_hostfile

    for one in words.read(rest, options):
        with suppress(HostError, OSError):
            if not one.name and Path(rest[one.at]).is_file() and Path(rest[one.at]).stat().st_size <= LARGEST:
                yield from (host.label for host in read_hostfile(rest[one.at]).hosts)
            given = one.value if one.name in ("--hosts", "-w") else "" if one.name else rest[one.at]
            if given and (one.name or is_list(given)):
                yield from (host.label for host in parse_hosts_option(given).hosts)


def _ask(rest: Sequence[str], options: Mapping[str, Any], what: Any) -> list[str]:
    """What a session says, if it lives; nothing where it can't be asked."""
    from mpboot.session.handle import Session
    from mpboot.session.registry import DEFAULT, VARIABLE, SessionError

    typed = [one.value for one in words.read(rest, options) if one.name == "--name" and one.value]
    with suppress(SessionError, OSError):
        return list(what(Session(typed[-1] if typed else os.environ.get(VARIABLE) or DEFAULT)))
    return []
