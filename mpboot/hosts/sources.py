"""Hosts to boot, from wherever the user names them: a hostfile, --hosts, a batch system's allocation.

The front door: it reads, merges duplicates and gives unique labels. What a host is and how a line is read is
in `hostfile.py`, batch systems are in `allocation.py`; docs/hostfiles.md is the page for users.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mpboot.hosts.allocation import find_allocation
from mpboot.hosts.host import Host, HostError
from mpboot.hosts.syntax import (
    MAX_BYTES,
    MAX_HOSTS,
    MAX_LINE,
    MAX_LINES,
    NAME,
    Entries,
    add_term,
    parse_line,
    split_list,
)
from mpboot.text import printable

__all__ = [
    "MAX_BYTES",
    "MAX_HOSTS",
    "MAX_LINES",
    "Host",
    "HostError",
    "HostList",
    "find_hosts",
    "from_allocation",
    "parse_hosts",
    "parse_hosts_option",
    "read_hostfile",
]

_OPTION = "--hosts"
_TOO_LARGE = f"too large for a hostfile: {MAX_LINES} lines and {MAX_BYTES >> 20} MiB are the most"
_SHOWN = 5  # names in one warning
_STREAM = re.compile(r"/dev/stdin|/(?:dev|proc/self)/fd/[0-9]+")


@dataclass(frozen=True)
class HostList:
    """Different hosts in the order in which they were first named; their labels are unique."""

    hosts: tuple[Host, ...]
    warnings: tuple[str, ...]  # one line each, printable
    source: str  # the file's name, «standard input», «--hosts», or the batch system's variable


def read_hostfile(path: str) -> HostList:
    """The hosts of a file; `-` is standard input. Reads at most MAX_BYTES. Raises HostError."""
    return parse_hosts(_read_text(path), "standard input" if path == "-" else path)


def parse_hosts(text: str, source: str) -> HostList:
    """The hosts of a hostfile's text; `source` stands in front of every message. Raises HostError."""
    source = printable(source)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MAX_BYTES or text.count("\n") > MAX_LINES:
        raise HostError(f"{source}: {_TOO_LARGE}")
    entries = Entries()
    plain, hosts = NAME.fullmatch, entries.hosts
    for count, line in enumerate(text.split("\n"), 1):
        if plain(line):  # the fast way: nearly every line of a large file
            hosts.append(Host(line))
        elif bare := line.partition("#")[0].strip(" \t"):
            parse_line(bare, entries, f"{source}:{count}: ")
    entries.settle()
    return _host_list(entries, source)


def parse_hosts_option(value: str) -> HostList:
    """The hosts of `a,b,joe@c:2222,node[1-3]`; spaces do as commas. Raises HostError."""
    entries = Entries()
    if len(value) > MAX_LINE:
        raise HostError(f"{_OPTION} has {len(value)} characters, {MAX_LINE} is the most: use a hostfile")
    try:
        for piece in split_list(value):
            add_term(piece, {}, entries, f"{_OPTION}: ")
    except HostError as error:
        raise HostError(f"{_OPTION}: {error}") from None
    entries.settle()
    return _host_list(entries, _OPTION)


def from_allocation(environ: Mapping[str, str]) -> HostList | None:
    """The hosts that Slurm, PBS, LSF or SGE gave this job, or None outside of a job. Raises HostError."""
    found = find_allocation(environ, _read_text)
    return _host_list(*found) if found else None


def find_hosts(hostfile: str | None, hosts_option: str | None, environ: Mapping[str, str]) -> HostList:
    """The hostfile's hosts and then those of --hosts; with neither, the allocation's. Raises HostError."""
    lists = [read_hostfile(hostfile)] if hostfile is not None else []
    lists += [parse_hosts_option(hosts_option)] if hosts_option is not None else []
    if len(lists) == 2:
        return _union(*lists)
    found = lists[0] if lists else from_allocation(environ)
    if found is None:
        advice = "name a hostfile (- for standard input), or --hosts 'a,b,node[1-3]'"
        raise HostError(f"no hosts given: {advice}, or run inside a Slurm, PBS, LSF or SGE job")
    return found


def _host_list(entries: Entries, source: str) -> HostList:
    """Duplicates merged, labels given, limits checked."""
    hosts, warnings = entries.hosts, entries.warnings
    if not hosts:
        raise HostError(f"{source}: no hosts in it: give at least one, a name a line")
    if len({host.name for host in hosts}) < len(hosts):
        groups: dict[tuple[str, str | None, int | None], list[Host]] = {}
        for host in hosts:
            groups.setdefault((host.name, host.user, host.port), []).append(host)
        hosts = _labelled([_merge(same) if len(same) > 1 else same[0] for same in groups.values()])
        repeated = [host.label for host, same in zip(hosts, groups.values()) if len(same) > 1]
        if repeated:
            note = "hosts listed more than once are merged, their slots added up"
            warnings = [*warnings, f"{source}: {note}: {_some(repeated)}"]
    if len(hosts) > MAX_HOSTS:
        raise HostError(f"{source}: {len(hosts)} hosts: {MAX_HOSTS} is the most")
    return HostList(tuple(hosts), tuple(warnings), source)


def _merge(same: Sequence[Host]) -> Host:
    """One host for all entries that name it; an entry without a count stands for one slot, or LAM's cpu."""
    cpu = slots = bare = 0
    for host in same:
        cpu += host.cpu or 0
        slots += host.slots or 0
        bare += host.cpu is None and host.slots is None
    if cpu and not slots:
        cpu += bare
    else:
        slots += bare
    limits = [host.max_slots for host in same if host.max_slots is not None]
    return replace(
        same[0],
        cpu=cpu or None,
        slots=slots or None,
        max_slots=max(*limits, slots) if limits else None,
        schedule=all(host.schedule for host in same),
    )


def _labelled(hosts: Sequence[Host]) -> list[Host]:
    """The hosts with an alias each where several share a name: the user, the port, or both as they differ."""
    users: dict[str, set[str | None]] = {}
    ports: dict[str, set[int | None]] = {}
    for host in hosts:
        users.setdefault(host.name, set()).add(host.user)
        ports.setdefault(host.name, set()).add(host.port)
    labelled = []
    for host in hosts:
        by_user = host.user is not None and len(users[host.name]) > 1
        by_port = host.port is not None and len(ports[host.name]) > 1
        name = f"[{host.name}]" if by_port and ":" in host.name else host.name
        alias = (f"{host.user}@" if by_user else "") + name + (f":{host.port}" if by_port else "")
        new = alias if by_user or by_port else None
        labelled.append(host if new == host.alias else replace(host, alias=new))
    return labelled


def _union(first: HostList, second: HostList) -> HostList:
    """All of the first, then what only the second has; an entry of the first counts as it stands there."""
    have = {(host.name, host.user, host.port) for host in first.hosts}
    new = [host for host in second.hosts if (host.name, host.user, host.port) not in have]
    again = [host.label for host in second.hosts if (host.name, host.user, host.port) in have]
    warnings = [*first.warnings, *second.warnings]
    if again:
        note = f"{second.source}: already in {first.source}, kept as there"
        warnings.append(f"{note}: {_some(again)}")
    return _host_list(Entries([*first.hosts, *new], warnings), f"{first.source} and {second.source}")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _read_text(path: str) -> str:
    """The text of a file, a pipe behind /dev/fd, or standard input (`-`); bounded. Raises HostError."""
    name = "standard input" if path == "-" else path or "''"
    try:
        data = _read_stdin() if path == "-" else _read_file(path)
    except HostError:
        raise
    except OSError as error:
        advice = "give a readable hostfile, or - for standard input"
        raise HostError(f"{name}: {error.strerror or error}: {advice}") from None
    except ValueError:  # a NUL in the name
        raise HostError(f"{name}: no file can have this name: give a readable hostfile") from None
    if len(data) > MAX_BYTES:
        raise HostError(f"{name}: {_TOO_LARGE}")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise HostError(f"{name}: it is UTF-16, or binary: save it as UTF-8 text")
    if data.count(b"\n") > MAX_LINES:
        raise HostError(f"{name}: {_TOO_LARGE}")
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise HostError(f"{name}:{line}: binary data (a NUL byte): give a text file with a host a line")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise HostError(f"{name}:{line}: not UTF-8 text: give a text file with a host a line") from None


def _read_file(path: str) -> bytes:
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    info = Path(path).stat()
    is_stream = _STREAM.fullmatch(path) is not None
    if stat.S_ISDIR(info.st_mode):
        raise HostError(f"{path}: is a directory: give a hostfile in it")
    if not stat.S_ISREG(info.st_mode) and not is_stream:
        raise HostError(f"{path}: is a device, a pipe or a socket: give a file, or - to read standard input")
    if stat.S_ISREG(info.st_mode) and info.st_size > MAX_BYTES:
        raise HostError(f"{path}: {_TOO_LARGE}")
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        return _read_fd(fd)
    finally:
        os.close(fd)


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise HostError("standard input: it is closed: give a hostfile, or feed it one")
    try:
        fd = sys.stdin.fileno()
    except (OSError, ValueError):  # a stand-in without a descriptor, or closed
        return sys.stdin.buffer.read(MAX_BYTES + 1) if not sys.stdin.closed else b""
    return _read_fd(fd)


def _read_fd(fd: int) -> bytes:
    """Up to MAX_BYTES + 1 bytes: one more than allowed tells that there is more."""
    chunks, missing = [], MAX_BYTES + 1
    while missing > 0:
        try:
            chunk = os.read(fd, min(missing, 1 << 20))
        except BlockingIOError:  # someone left it non-blocking
            import select

            select.select([fd], [], [])
            continue
        if not chunk:
            break
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)
