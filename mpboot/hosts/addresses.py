"""Which names are this machine's own, and what addresses names have, as far as that is known without asking anybody.

What counts is the names themselves and /etc/hosts: a name server may take long to answer, and is not asked.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from mpboot.hosts.host import Host

HOSTS = "/etc/hosts"
MOST = 4 << 20  # bytes of it that are read
LOCAL_NAMES = ("localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback")
SHOWN = 5  # names in one remark


def literal(name: str) -> str | None:
    """The address that a name itself is, in its shortest form; None if it is no address."""
    try:
        if ":" in name:
            packed = socket.inet_pton(socket.AF_INET6, name.partition("%")[0])
            if packed[:12] == bytes(10) + b"\xff\xff":
                return socket.inet_ntoa(packed[12:])
            zone = name.partition("%")[2]
            return socket.inet_ntop(socket.AF_INET6, packed) + (f"%{zone}" if zone else "")
        return socket.inet_ntoa(socket.inet_aton(name)) if name[:1].isdigit() else None  # 127.1 too, as ssh does
    except OSError:
        return None


def is_loopback(address: str) -> bool:
    """Does an address (of ``literal``) lead to whichever machine uses it? 0.0.0.0 and :: do as well."""
    return address.startswith("127.") or address.partition("%")[0] in ("::1", "0.0.0.0", "::")


class Addresses:
    """The addresses of names that stand in a file such as /etc/hosts."""

    def __init__(self, path: str | None = None) -> None:
        """A file that can't be read has no names."""
        self._known: dict[str, list[str]] = {}
        try:
            with Path(path or HOSTS).open("rb") as file:
                text = file.read(MOST).decode("utf-8", "replace")
        except OSError:
            text = ""
        for line in text.splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            found = literal(address)
            if found is not None:
                for name in names:
                    self._known.setdefault(name.lower(), []).append(found)

    def of(self, name: str) -> Sequence[str]:
        """What is known of a name; nothing where only a name server could tell."""
        address = literal(name)
        if address is not None:
            return [address]
        name = name.lower().rstrip(".")
        if name in LOCAL_NAMES or name.endswith(".localhost"):
            return ["127.0.0.1"]
        return self._known.get(name, [])

    def only_here(self, name: str) -> bool:
        """Does a name lead to whichever machine uses it, or here alone to this one?"""
        found = self.of(name)
        return bool(found) and all(is_loopback(address) for address in found)

    def is_own_name(self, name: str) -> bool:
        """Is it this machine's name, in any form that is known (localhost and addresses apart)?"""
        own = os.uname().nodename.lower()
        asked = name.lower()
        if literal(name) is not None or asked in LOCAL_NAMES or asked.endswith(".localhost"):
            return False
        short = "." not in own or "." not in asked
        if asked == own or (short and asked.partition(".")[0] == own.partition(".")[0]):
            return True
        return self.only_here(name) or not set(self.of(name)).isdisjoint(self.of(own))


def remarks(hosts: Sequence[Host], addresses: Addresses) -> list[str]:
    """What a person may not have meant: this machine itself is among the hosts, or a machine has two names there."""
    own = [host.label for host in hosts if addresses.is_own_name(host.name)]
    told = [f"this machine itself is among the hosts: {_some(own)}"] if own else []
    names: dict[tuple[str, int | None], dict[str, None]] = {}
    for host in hosts:
        for address in addresses.of(host.name)[:1]:
            names.setdefault((address, host.port), {})[host.name] = None
    for (address, _), same in names.items():
        if len(same) > 1:
            told.append(f"one machine under {len(same)} names ({address}): {_some(list(same))}")
    return told


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
