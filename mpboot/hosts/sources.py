"""Hosts to boot, from wherever the user names them: a hostfile, --hosts, a batch system's allocation.

How a line is read is in `syntax.py`, what becomes of duplicates in `hostlist.py`, batch systems are in `allocation.py`.
docs/hostfiles.md is the page for users.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace

from mpboot.hosts.addresses import Addresses, remarks
from mpboot.hosts.allocation import find_allocation
from mpboot.hosts.host import Host, HostError
from mpboot.hosts.hostlist import HostList, host_list, unite
from mpboot.hosts.reading import TOO_LARGE, read_text
from mpboot.hosts.syntax import MAX_BYTES, MAX_LINE, MAX_LINES, NAME, Entries, add_term, parse_line, split_list
from mpboot.text import named, printable, shown

__all__ = ["HostList", "find_hosts", "from_allocation", "parse_hosts", "parse_hosts_option", "read_hostfile"]

_OPTION = "--hosts"
_SGE_LINE = re.compile(r"^(\S+)[ \t]+([0-9]+)[ \t]+[^\s=]+@[^\s=]+[ \t]+[^\s=]+$")  # host, slots, queue, processors


def read_hostfile(path: str) -> HostList:
    """The hosts of a file; `-` is standard input. Reads at most MAX_BYTES. Raises HostError."""
    return parse_hosts(read_text(path), "standard input" if path == "-" else named(path))


def parse_hosts(text: str, source: str) -> HostList:
    """The hosts of a hostfile's text; `source` stands in front of every message. Raises HostError."""
    source = printable(source)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MAX_BYTES or text.count("\n") > MAX_LINES:
        raise HostError(f"{source}: {TOO_LARGE}")
    entries = Entries()
    plain, hosts = NAME.fullmatch, entries.hosts
    for count, line in enumerate(text.split("\n"), 1):
        if plain(line):  # the fast way: nearly every line of a large file
            hosts.append(Host(line))
        elif bare := line.partition("#")[0].strip(" \t"):
            parse_line(_SGE_LINE.sub(r"\1 slots=\2", bare), entries, f"{source}:{count}: ")
    entries.decide_colons()
    return host_list(entries, source)


def parse_hosts_option(value: str, option: str = _OPTION) -> HostList:
    """The hosts of `a,b,joe@c:2222,node[1-3]`; spaces do as commas. Raises HostError."""
    entries = Entries()
    if len(value) > MAX_LINE:
        raise HostError(f"{option} has {len(value)} characters, {MAX_LINE} is the most: use a hostfile")
    try:
        for piece in split_list(value):
            if piece.startswith("^"):
                raise HostError(f"bad host name {shown(piece)}: {_of_file(piece[1:], option)}")
            if piece.startswith("-") and NAME.fullmatch(piece[1:].partition("[")[0]):
                raise HostError(f"bad host name {shown(piece)}: hosts are left out by --exclude {piece[1:]}")
            add_term(piece, {}, entries, f"{option}: ")
    except HostError as error:
        raise HostError(f"{option}: {error}") from None
    entries.decide_colons()
    return host_list(entries, option)


def _of_file(path: str, option: str) -> str:
    """What to type for a file of hosts that was given to an option."""
    if option == _OPTION:
        return "a file of hosts is given as HOSTFILE, without --hosts"
    return f'the hosts of a file are given as {option} "$(cat {shlex.quote(path)})"'


def from_allocation(environ: Mapping[str, str]) -> HostList | None:
    """The hosts that the batch system gave this job, or None outside of a job. Raises HostError."""
    found = find_allocation(environ, read_text)
    return host_list(*found) if found else None


def find_hosts(hostfile: str | None, hosts_option: str | None, environ: Mapping[str, str]) -> HostList:
    """The hostfile's hosts and then those of --hosts; with neither, the allocation's. Raises HostError."""
    lists = [read_hostfile(hostfile)] if hostfile is not None else []
    lists += [parse_hosts_option(hosts_option)] if hosts_option is not None else []
    if lists:
        named = unite(*lists) if len(lists) == 2 else lists[0]
        return replace(named, warnings=(*named.warnings, *remarks(named.hosts, Addresses())))
    found = from_allocation(environ)
    if found is None:
        advice = "name a hostfile (- for standard input), or --hosts 'a,b,node[1-3]'"
        raise HostError(f"no hosts given: {advice}, or run inside a Slurm, PBS, LSF, SGE, OAR or Cobalt job")
    return found
