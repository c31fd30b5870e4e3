"""This machine's addresses, and a listening socket on all of them."""

from __future__ import annotations

import _socket
import io
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from mpboot.node import address
from mpboot.node.address import listen, own_addresses

BOTH = (socket.AF_INET, socket.AF_INET6)
INET6 = """\
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
20010db8000000000000000000000005 04 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
fd000000000000000000000000000002 04 40 00 82     eth0
"""
IN_PROC = "/proc/net/if_inet6"


@pytest.fixture
def sockets() -> Iterator[list[Any]]:
    made = listen(7)
    yield made
    for one in made:
        one.close()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def pretend(monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    """Have /proc say this about IPv6; None: there is no such file."""

    def opened(path: str, **_: object) -> io.StringIO:
        if path != IN_PROC or text is None:
            raise FileNotFoundError(path)
        return io.StringIO(text)

    monkeypatch.setattr(address, "open", opened, raising=False)


# -- addresses -------------------------------------------------------------------------------------


def test_the_addresses_are_those_of_the_interfaces() -> None:
    mine = own_addresses(BOTH, True)
    by_interface = [
        [one.address.partition("%")[0] for one in all_of_it if one.family in (socket.AF_INET, socket.AF_INET6)]
        for all_of_it in psutil.net_if_addrs().values()
    ]
    assert set(mine) <= {one for addresses in by_interface for one in addresses}
    for addresses in by_interface:
        first = [one for one in addresses if ":" not in one][:1]
        assert set(first) <= set(mine)
    wide = {one for addresses in by_interface for one in addresses if ":" in one and one[:4] != "fe80" and one != "::1"}
    assert wide == {one for one in mine if ":" in one}


def test_loopback_is_last_and_once() -> None:
    mine = own_addresses(BOTH, True)
    assert mine[-1] == "127.0.0.1"
    assert not any(
        ipaddress.ip_address(one).is_loopback or ipaddress.ip_address(one).is_link_local for one in mine[:-1]
    )
    assert len(mine) == len(set(mine))


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have no interfaces but these."""
    monkeypatch.setattr(_socket, "if_nameindex", lambda: [(socket.if_nametoindex(name), name) for name in names])


def test_loopback_is_no_address_for_agents_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """There somebody else listens on it; but where there is no other address it is all that can be offered."""
    pretend(monkeypatch, INET6)
    assert own_addresses(BOTH, False) == own_addresses(BOTH, True)[:-1]
    assert "127.0.0.1" not in own_addresses(BOTH, False)
    only(monkeypatch, "lo")
    assert own_addresses([socket.AF_INET], False) == ["127.0.0.1"]
    assert own_addresses(BOTH, False) == ["2001:db8::5", "fd00::2"]


def test_only_what_is_bound_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever has the port there could be taken for us."""
    pretend(monkeypatch, INET6)
    assert all(":" not in one for one in own_addresses([socket.AF_INET], True))
    assert own_addresses([socket.AF_INET], True)


def test_of_ipv6_those_are_taken_that_reach_far(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, INET6)
    assert [one for one in own_addresses(BOTH, True) if ":" in one] == ["2001:db8::5", "fd00::2"]


@pytest.mark.parametrize("text", [None, "", "what is this\n"])
def test_where_nothing_is_known_of_ipv6(text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, text)
    mine = own_addresses(BOTH, True)
    assert all(":" not in one for one in mine)
    assert mine[-1] == "127.0.0.1"


def test_an_interface_without_an_address_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """…and those after it are not; names as long as the kernel has them."""
    real = _socket.if_nameindex()
    monkeypatch.setattr(_socket, "if_nameindex", lambda: [(99, "x" * 15), *real])
    pretend(monkeypatch, None)
    everybody = own_addresses(BOTH, True)
    monkeypatch.setattr(_socket, "if_nameindex", lambda: real)
    assert everybody == own_addresses(BOTH, True)


def test_nothing_stays_open() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    own_addresses(BOTH, True)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# -- the listening socket --------------------------------------------------------------------------


def test_one_port_on_every_address(sockets: list[Any]) -> None:
    port = sockets[0].getsockname()[1]
    assert port
    assert {one.getsockname()[1] for one in sockets} == {port}
    assert len(sockets) == (2 if has_ipv6() else 1)
    assert [one.family for one in sockets] == [socket.AF_INET, socket.AF_INET6][: len(sockets)]
    for listener, where in zip(sockets, ("127.0.0.1", "::1")):
        with socket.create_connection((where, port), 10):
            fd, _ = listener._accept()
            os.close(fd)
    for where in own_addresses([one.family for one in sockets], True):
        socket.create_connection((where, port), 10).close()


def test_nobody_waits_for_who_does_not_come(sockets: list[Any]) -> None:
    for listener in sockets:
        with pytest.raises(BlockingIOError):
            listener._accept()


def test_so_many_may_wait_to_be_let_in(sockets: list[Any]) -> None:
    for listener in sockets:
        # linux/tcp.h: of a socket that listens, tcpi_sacked is the backlog
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
        assert struct.unpack_from("I", info, 28)[0] == 7


def test_a_port_that_somebody_has_there_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of IPv6: the port is taken there, and IPv4 alone will do."""
    if not has_ipv6():
        pytest.skip("there is no IPv6 here")
    real, squatters = _socket.socket, []

    class Squatted(real):  # type: ignore[misc,valid-type]
        """A socket; whoever binds one of IPv6 finds somebody else there."""

        def bind(self, target: Any) -> None:
            if self.family == socket.AF_INET6:
                squatters.append(real(socket.AF_INET6, socket.SOCK_STREAM))
                squatters[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                squatters[-1].bind(target)
                squatters[-1].listen(1)
            super().bind(target)

    monkeypatch.setattr(_socket, "socket", Squatted)
    made = listen(7)
    assert [one.family for one in made] == [socket.AF_INET]
    for one in [*made, *squatters]:
        one.close()


def test_ipv4_alone_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_socket, "AF_INET6", 9999)  # of a kernel that has none
    (only,) = listen(7)
    socket.create_connection(("127.0.0.1", only.getsockname()[1]), 10).close()
    only.close()
