"""The addresses under which other hosts may reach this machine."""

from __future__ import annotations

import _socket
import fcntl  # no os: a host that receives files has none, and it takes 1.5 ms to load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Sequence

_SIOCGIFADDR = 0x8915  # Linux
LOOPBACK = "127.0.0.1"


def own_addresses(families: Sequence[int], here: bool) -> List[str]:
    """Addresses of this machine, of these families, best first. Never what its name resolves to.

    (Debian's installer lets the hostname resolve to 127.0.1.1, which no other host can connect to.) Loopback is among
    them only if the agents are ``here``, on this machine, or there is no other: elsewhere somebody else listens there.
    """
    found: List[str] = []
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    for _, name in _socket.if_nameindex():
        try:
            reply = fcntl.ioctl(
                probe.fileno(), _SIOCGIFADDR, name.encode("utf-8", "surrogateescape")[:15].ljust(256, b"\0")
            )
        except OSError:
            continue
        found.append(_socket.inet_ntoa(reply[20:24]))
    probe.close()
    if _socket.AF_INET6 not in families:
        return _with_loopback(found, here)
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as lines:
            for line in lines:
                digits, _, _, scope, _, _ = line.split()
                if scope == "00":
                    found.append(_socket.inet_ntop(_socket.AF_INET6, bytes.fromhex(digits)))
    except (OSError, ValueError):
        pass  # no IPv6 here, or no Linux
    return _with_loopback(found, here)


def _with_loopback(found: List[str], here: bool) -> List[str]:
    outside = [address for address in found if not address.startswith("127.")]
    return [*outside, LOOPBACK] if here or not outside else outside


def listen(backlog: int) -> List[_socket.socket]:
    """Listening sockets for IPv4 and, where there is any, IPv6 on one port that the kernel chooses. OSError."""
    v4 = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    v4.bind(("", 0))
    v4.listen(backlog)
    listeners = [v4]
    try:
        v6 = _socket.socket(_socket.AF_INET6, _socket.SOCK_STREAM)
        v6.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        v6.bind(("::", v4.getsockname()[1]))
        v6.listen(backlog)
        listeners.append(v6)
    except OSError:
        pass  # no IPv6, or the port is taken there: IPv4 alone will do
    for listener in listeners:
        listener.setblocking(False)
    return listeners
