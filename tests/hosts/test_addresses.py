"""Which names are this machine's own, and what is said of a machine that is named twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mpboot.hosts import addresses
from mpboot.hosts.addresses import Addresses, is_loopback, literal, remarks
from mpboot.hosts.host import Host
from mpboot.hosts.sources import find_hosts

FILE = """# of the tests
127.0.0.1 localhost
127.0.1.1 Self.example.com self   # as Debian has it
10.0.0.5  other other-alias
10.0.0.6  both
127.0.0.9 both
::1       six
nonsense  nobody
"""


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Addresses:
    path = tmp_path / "hosts"
    path.write_text(FILE)
    monkeypatch.setattr(addresses, "HOSTS", str(path))
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "self", "", "", "")))
    return Addresses()


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("10.0.0.5", "10.0.0.5"), ("127.1", "127.0.0.1"), ("0", "0.0.0.0"), ("::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1%eth0"), ("1node", None), ("node1", None), ("300.1.1.1", None), ("::g", None),
    ],
)  # fmt: skip
def test_a_name_that_is_an_address(name: str, address: str | None) -> None:
    assert literal(name) == address


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::1%lo", "0.0.0.0", "::"])
def test_loopback(address: str) -> None:
    assert is_loopback(address)
    assert not is_loopback("1" + address)


@pytest.mark.parametrize(
    "name", ["localhost", "LocalHost.", "ip6-localhost", "a.localhost", "127.0.0.1", "127.3", "::1", "self", "SIX"]
)
def test_names_that_are_only_loopback(known: Addresses, name: str) -> None:
    assert known.only_here(name)


@pytest.mark.parametrize("name", ["other", "both", "10.0.0.5", "nobody", "notlocalhost", "localhost.example.com"])
def test_names_that_are_not(known: Addresses, name: str) -> None:
    assert not known.only_here(name)


def test_a_file_that_is_not_there_knows_nobody(tmp_path: Path) -> None:
    assert not Addresses(str(tmp_path / "none")).of("other")


def test_remarks(known: Addresses) -> None:
    assert remarks([Host("other"), Host("localhost", port=1), Host("localhost", port=2), Host("nobody")], known) == []
    assert remarks([Host("other"), Host("self.example.com")], known) == [
        "this machine itself is among the hosts: self.example.com"
    ]
    assert remarks([Host("other"), Host("10.0.0.5"), Host("other-alias"), Host("10.0.0.5", port=2)], known) == [
        "one machine under 3 names (10.0.0.5): other, 10.0.0.5, other-alias"
    ]


def test_what_is_typed_is_remarked_on_and_what_a_batch_system_gives_is_not(known: Addresses) -> None:
    assert known.only_here("self")
    assert find_hosts(None, "self", {}).warnings == ("this machine itself is among the hosts: self",)
    assert find_hosts(None, None, {"SLURM_JOB_NODELIST": "self,x"}).warnings == ()
