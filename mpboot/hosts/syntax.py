"""How a line of text becomes hosts: names, users, ports, node sets, attributes.

Whole files are read in `sources.py`; duplicates and labels are in `hostlist.py`. No name or user passes that rsh could
take for an option, or a shell for anything but a word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from mpboot.hosts import nodeset
from mpboot.hosts.host import Host, HostError, check_kinds, check_python
from mpboot.text import shown

MAX_BYTES = 16 * 1024 * 1024  # of a hostfile
MAX_LINES = 1_000_000  # of a hostfile, blank ones and comments included; hosts written, repeats included
MAX_LINE = 128 * 1024  # characters in one line
MAX_LABEL = 400  # characters of what reports call a host
MAX_SLOTS = 1_000_000  # for cpu=, slots= and max-slots=
FIRST_PORT = 1024  # one number as large as this after a bare colon makes all of the file's numbers ports

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_ZONE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,31}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_ATTRIBUTES = {
    **dict.fromkeys(("cpu", "cpus"), "cpu"),
    **dict.fromkeys(("slots", "count"), "slots"),
    **dict.fromkeys(("max_slots", "max-slots", "slots_max", "slots-max"), "max_slots"),
    **dict.fromkeys(("user", "username", "user_name", "user-name"), "user"),
    **{name: name for name in ("port", "python", "schedule")},
}
_IGNORED = ("binding", "prefix")  # Hydra's and LAM's: they say nothing about a boot
_LIKELY_PORTS = (22, 222, 443)


@dataclass
class Entries:
    """Hosts as written, in order; `decide_colons` says what the numbers after bare colons are."""

    hosts: list[Host] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    expanded: int = 0  # hosts that came out of node sets
    ports: bool = False  # a line has shown that a number after a bare colon is a port here
    numbers: list[tuple[int, int, str]] = field(default_factory=list)  # index in hosts, number, where

    def decide_colons(self) -> None:
        """Apply the colon rule of docs/hostfiles.md to the whole file."""
        ports = self.ports or any(number >= FIRST_PORT for _, number, _ in self.numbers)
        for index, number, where in self.numbers:
            host = self.hosts[index]
            if not ports:
                check_range(number, "slot count", MAX_SLOTS, where)
                self.hosts[index] = replace(host, slots=number)
                if number in _LIKELY_PORTS and not any("for a port" in old for old in self.warnings):
                    likely = f"{where}'{host.name}:{number}' is read as {number} slots, as MPICH reads it"
                    self.warnings.append(f"{likely}; for a port write ssh://{host.name}:{number}")
                continue
            check_range(number, "port", 65535, where)
            if host.port not in (None, number):
                raise HostError(f"{where}{host.name} has two ports, {number} and {host.port}: give one")
            self.hosts[index] = replace(host, port=number)
        self.numbers.clear()


@dataclass(frozen=True)
class Term:
    """One comma-free piece of host syntax: the names it stands for and what came with them."""

    names: list[str]
    user: str | None = None
    port: int | None = None
    number: int | None = None  # after a bare colon: slots or port, which the whole file decides


def check_range(number: int, what: str, most: int, where: str = "") -> None:
    """HostError unless the number is from 1 to `most`."""
    if not 1 <= number <= most:
        raise HostError(f"{where}bad {what} {number}: give a whole number from 1 to {most}")


def parse_number(text: str, what: str, most: int) -> int:
    """A whole number from 1 to `most`, or HostError."""
    if not _NUMBER.fullmatch(text):
        raise HostError(f"bad {what} {shown(text)}: give a whole number from 1 to {most}")
    check_range(int(text), what, most)
    return int(text)


def check_user(text: str) -> str:
    """The user name, or HostError."""
    if USER.fullmatch(text):
        return text
    rule = "1 to 64 letters, digits, '.', '_' or '-', the first a letter, a digit or '_'"
    raise HostError(f"bad user name {shown(text)}: use {rule}; for any other name set User in ~/.ssh/config")


def check_name(text: str) -> str:
    """The host name, or an IPv6 address in its shortest form (without brackets), or HostError."""
    if NAME.fullmatch(text):
        return text
    if ":" in text:
        return _address(text)
    if text.startswith("-"):
        raise HostError(f"bad host name {shown(text)}: it may not begin with '-', as rsh's options do")
    if not text.isascii() and text.isprintable():
        try:
            ascii_name = text.encode("idna").decode()
        except UnicodeError:
            ascii_name = ""
        advice = f": {ascii_name}" if NAME.fullmatch(ascii_name) else " (xn--...)"
        raise HostError(f"bad host name {shown(text)}: it is not ASCII; write its punycode form{advice}")
    if any(letter in text for letter in "*?{"):
        raise HostError(f"bad host name {shown(text)}: patterns are no hosts: write node[001-003]")
    if len(text) > 253:
        raise HostError(f"bad host name {shown(text)}: it has {len(text)} characters, 253 is the most")
    rule = "letters, digits, '.', '_' and '-', the first a letter, a digit or '_'"
    raise HostError(f"bad host name {shown(text)}: use {rule}")


def _address(text: str) -> str:
    from ipaddress import AddressValueError, IPv6Address

    address, percent, zone = text.partition("%")
    rule = "neither host:number nor an IPv6 address such as fe80::1%eth0 or [::1]:22"
    try:
        short = str(IPv6Address(address))
    except AddressValueError:
        raise HostError(f"bad address {shown(text)}: {rule}") from None
    if percent and not _ZONE.fullmatch(zone):
        raise HostError(f"bad address {shown(text)}: the zone is an interface's name, as in fe80::1%eth0")
    return short + percent + zone


def check_host(host: Host) -> None:
    """HostError for a Host that no hostfile could name: programs make them as they like."""
    check_kinds(host)
    if check_name(host.name) != host.name:
        raise HostError(f"bad address {shown(host.name)}: write it as {check_name(host.name)}")
    for check, given in ((check_user, host.user), (check_python, host.python)):
        if given is not None:
            check(given)
    for what, most in (("port", 65535), ("cpu", MAX_SLOTS), ("slots", MAX_SLOTS), ("max_slots", MAX_SLOTS)):
        number = getattr(host, what)
        if type(number) not in (int, type(None)):
            raise HostError(f"bad {what} {shown(repr(number))}: give a whole number from 1 to {most}")
        check_range(1 if number is None else number, what, most)
    if len(host.label) > MAX_LABEL:
        raise HostError(f"bad alias {shown(host.label)}: it has {len(host.label)} characters, {MAX_LABEL} is the most")


def expand(text: str) -> list[str]:
    """The names that one node set or @group stands for, in NodeSet's order. HostError."""
    return [check_name(name) for name in nodeset.names_of(text)]


def parse_term(text: str) -> Term:
    """`name`, `user@name`, `name:number`, `ssh://name`, an IPv6 address, a node set or a group."""
    if NAME.fullmatch(text):
        return Term([text])
    is_url = text.startswith("ssh://")
    rest = text[6:].rstrip("/") if is_url else text
    user = None
    if rest.find("@") > 0:
        before, _, rest = rest.partition("@")
        user = check_user(before)
    if rest.startswith("@"):
        return Term(expand(rest), user)
    if rest.startswith("[") and ":" in rest.partition("]")[0]:
        address, closing, after = rest[1:].partition("]")
        if not closing or (after and not after.startswith(":")):
            raise HostError(f"bad address {shown(text)}: write [::1] or [::1]:2222")
        return Term([_address(address)], user, parse_number(after[1:], "port", 65535) if after else None)
    if rest.count(":") > 1:
        return Term([check_name(rest)], user)
    name, colon, digits = rest.partition(":")
    names = expand(name) if "[" in name or "]" in name else [check_name(name)]
    if is_url:
        return Term(names, user, parse_number(digits, "port", 65535) if colon else None)
    if colon and not _NUMBER.fullmatch(digits):
        raise HostError(f"bad number {shown(digits)} after {shown(name)}: a port or a slot count is expected")
    return Term(names, user, None, int(digits) if colon else None)


def split_list(text: str) -> list[str]:
    """The non-empty pieces between commas, blanks or newlines that stand outside [brackets]."""
    return re.findall(r"(?:\[[^\]]*\]?|[^\[, \t\r\n])+", text)


def parse_attributes(words: list[str], entries: Entries, where: str) -> dict[str, object]:
    """`slots=4` and its like, keyed as Host's fields; those that mean nothing here get one warning a file."""
    found: dict[str, object] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            rule = "one host a line, then attributes such as slots=4; hosts on one line need commas, without blanks"
            raise HostError(f"unexpected {shown(word)}: {rule}")
        if key in _IGNORED:
            note = f"{key}= means nothing to mpboot and is ignored"
            if not any(old.endswith(note) for old in entries.warnings):
                entries.warnings.append(where + note)
            continue
        if key not in _ATTRIBUTES:
            known = "cpu, max-slots, port, python, schedule, slots, user"
            raise HostError(f"unknown attribute {shown(key)}: the known ones are {known}")
        name = _ATTRIBUTES[key]
        if name in found:
            raise HostError(f"{key}= is given twice: give it once")
        if name == "user":
            found[name] = check_user(value)
        elif name == "python":
            found[name] = check_python(value)
        elif name == "schedule":
            if value.lower() not in ("yes", "no"):
                raise HostError(f"bad schedule= {shown(value)}: give yes or no")
            found[name] = value.lower() == "yes"
        else:
            found[name] = parse_number(value, f"{key}=", 65535 if key == "port" else MAX_SLOTS)
    slots, most = found.get("slots"), found.get("max_slots")
    if isinstance(slots, int) and isinstance(most, int) and most < slots:
        raise HostError(f"max-slots={most} is less than slots={slots}: raise one or lower the other")
    return found


def add_term(text: str, given: dict[str, object], entries: Entries, where: str) -> None:
    """Parse one term and append its hosts, with the attributes of its line; HostError without «where»."""
    term = parse_term(text)
    if len(entries.hosts) + len(term.names) > MAX_LINES:
        raise HostError(f"more than {MAX_LINES} hosts are written here, repeats included: give fewer")
    entries.expanded += len(term.names) if len(term.names) > 1 else 0
    if entries.expanded > nodeset.MAX_HOSTS:
        raise HostError(f"with {shown(text)}, node sets stand for more than {nodeset.MAX_HOSTS} hosts: give fewer")
    merged = dict(given)
    for key, value in (("user", term.user), ("port", term.port)):
        if value is not None and merged.setdefault(key, value) != value:
            raise HostError(f"{shown(text)} has two {key}s, {value} and {merged[key]}: give one")
    if term.number is not None:
        entries.ports = entries.ports or term.user is not None or "slots" in given or "cpu" in given
        entries.numbers += [(len(entries.hosts) + i, term.number, where) for i in range(len(term.names))]
    entries.hosts += [Host(name, **merged) for name in term.names]  # type: ignore[arg-type]


def parse_line(text: str, entries: Entries, where: str) -> None:
    """Append the hosts of one line without comment or surrounding blanks; HostError starts with «where»."""
    try:
        if len(text) > MAX_LINE:
            raise HostError(f"the line has {len(text)} characters, {MAX_LINE} is the most: split it")
        words = re.sub(" ?= ?", "=", " ".join(re.split(r"[ \t]+", text))).split(" ")
        given = parse_attributes(words[1:], entries, where)
        for piece in split_list(words[0]):
            add_term(piece, given, entries, where)
    except HostError as error:
        raise HostError(f"{where}{error}") from None
