"""Hostfiles and --hosts that are refused: always in one printable line, at once, with what to write instead."""

from __future__ import annotations

import re
from functools import partial

import pytest

from mpboot.hosts.host import HostError
from mpboot.hosts.nodeset import MAX_HOSTS
from mpboot.hosts.sources import HostList, parse_hosts, parse_hosts_option
from mpboot.hosts.syntax import MAX_LINES
from tests.support.host_texts import outcome


def refusal(text: str) -> str:
    """The message for a hostfile's text; always one printable line of sane length."""
    with pytest.raises(HostError) as caught:
        parse_hosts(text, "hosts")
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    return message


BAD = {
    "empty": ("", r"hosts: no hosts in it: give at least one"),
    "only comments": ("# a\n\n", r"hosts: no hosts in it"),
    "only commas": (",,\n", r"hosts: no hosts in it"),
    "unknown attribute": (
        "a\nb cores=4\n",
        r"hosts:2: unknown attribute 'cores': the known ones are cpu, max-slots, port, python, schedule, slots, user$",
    ),
    "two words": ("10.0.0.1 node1\n", r"hosts:1: unexpected 'node1': one host a line"),
    "attribute twice": ("a slots=2 count=3\n", r"hosts:1: count= is given twice"),
    "cpu=0": ("a cpu=0\n", r"hosts:1: bad cpu= 0: give a whole number from 1 to 1000000"),
    "cpu=x": ("a cpu=x\n", r"hosts:1: bad cpu= 'x': give a whole number"),
    "slots=": ("a slots=\n", r"hosts:1: bad slots= '': give a whole number"),
    "slots=-1": ("a slots=-1\n", r"hosts:1: bad slots= '-1'"),
    "slots=1e9": ("a slots=1000001\n", r"hosts:1: bad slots= 1000001"),
    "digits of another script": ("a slots=\u0664\n", r"hosts:1: bad slots= '\u0664'"),
    "max below slots": ("a slots=4 max-slots=2\n", r"hosts:1: max-slots=2 is less than slots=4"),
    "schedule=maybe": ("a schedule=maybe\n", r"hosts:1: bad schedule= 'maybe': give yes or no"),
    "port 0": ("ssh://a:0\n", r"hosts:1: bad port 0: give a whole number from 1 to 65535"),
    "port=70000": ("a port=70000\n", r"hosts:1: bad port= 70000: .* 65535"),
    "port too large": ("a\nb:65536\n", r"hosts:2: bad port 65536: give a whole number from 1 to 65535"),
    "port 0 among ports": ("a:2222\nb:0\n", r"hosts:2: bad port 0"),
    "no slots": ("a:0\n", r"hosts:1: bad slot count 0"),
    "nothing after the colon": ("a:\n", r"hosts:1: bad number '' after 'a'"),
    "no number after the colon": ("a:x\n", r"hosts:1: bad number 'x' after 'a'"),
    "two ports": ("a:2222 port=2223\n", r"hosts:1: a has two ports, 2222 and 2223"),
    "two users": ("joe@a user=ann\n", r"hosts:1: 'joe@a' has two users, joe and ann"),
    "range backwards": ("n[3-1]\n", r"hosts:1: bad range '3-1' in 'n\[3-1\]': write \[1-3,7\]"),
    "range empty": ("n[]\n", r"hosts:1: bad range ''"),
    "range uneven": ("n[01-100]\n", r"hosts:1: bad range '01-100'"),
    "range step 0": ("n[1-3/0]\n", r"hosts:1: bad range '1-3/0'"),
    "range open": ("n[1-3\n", r"hosts:1: bad node set 'n\[1-3'"),
    "range of letters": ("n[a-c]\n", r"hosts:1: bad node set 'n\[a-c\]': write node\[001-147\]"),
    "ranges side by side": ("n[1-3][1-3]\n", r"hosts:1: bad node set .* ClusterShell says"),
    "operators": ("n[1-9]!n3\n", r"hosts:1: bad node set .* without operators"),
    "a set too large": ("n[1-999999999]\n", r"stands for 999999999 hosts or more: 200000 is the most"),
    "a set of sets too large": ("a[1-9999]b[1-9999]c[1-9]\n", r"or more: 200000 is the most"),
    "many brackets": ("n" + "[1]a" * 9 + "\n", r"hosts:1: node set .* has 9 brackets: 8 is the most"),
    "sets that add up": ("n[1-150000]\nm[1-150000]\n", r"hosts:2: with .* more than 200000 hosts"),
    "unknown group": ("@no-such-group\n", r"hosts:1: node set '@no-such-group' has no hosts: .*nodeset -LL"),
    "unknown group source": ("@no-such:x\n", r"hosts:1: node set '@no-such:x' has no hosts"),
    "group with a command": ("@$(reboot)\n", r"hosts:1: bad node set '@\$\(reboot\)'"),
    "an option": ("-oProxyCommand=reboot\n", r"hosts:1: bad host name '-oProxyCommand=reboot': .* begin with '-'"),
    "an option after user@": ("joe@-oProxyCommand=x\n", r"hosts:1: bad host name '-oProxyCommand=x'"),
    "an option in a url": ("ssh://-oProxyCommand=x\n", r"hosts:1: bad host name '-oProxyCommand=x'"),
    "an option in a set": ("-o[1-2]\n", r"hosts:1: bad host name '-o1': it may not begin with '-'"),
    "an option as user": ("-oProxyCommand@a\n", r"hosts:1: bad user name '-oProxyCommand'"),
    "an option as user=": ("a user=-lroot\n", r"hosts:1: bad user name '-lroot'"),
    "an option in a zone": ("fe80::1%-oX\n", r"hosts:1: bad address 'fe80::1%-oX': the zone"),
    "user with metacharacters": ("a user=joe;reboot\n", r"hosts:1: bad user name 'joe;reboot'"),
    "user with two @": ("joe@corp.com@a\n", r"hosts:1: bad host name 'corp.com@a'"),
    "no user": ("a user=\n", r"hosts:1: bad user name ''"),
    "set with metacharacters": ("n[1-2]`id`\n", r"hosts:1: bad node set"),
    "not IPv6": ("a:b:c\n", r"hosts:1: bad address 'a:b:c': neither host:number nor an IPv6 address"),
    "IPv6 bracket open": ("[::1\n", r"hosts:1: bad address '\[::1': write \[::1\]"),
    "IPv6 with a tail": ("[::1]x\n", r"hosts:1: bad address '\[::1\]x'"),
    "zone with metacharacters": ("fe80::1%$(id)\n", r"hosts:1: bad address"),
    "not ASCII": ("b\u00fccher.example\n", r"not ASCII; write its punycode form: xn--bcher-kva\.example$"),
    "not even punycode": ("\u00fc;x\n", r"hosts:1: bad host name '\u00fc;x': it is not ASCII"),
    "right-to-left override": ("a\u202eb\n", r"hosts:1: bad host name 'a\\u202eb'"),
    "terminal escape": ("\x1b]0;owned\x07\n", r"hosts:1: bad node set '\\x1b\]0;owned\\x07'"),
    "escape in an attribute": ("a \x1b[2J=1\n", r"hosts:1: unknown attribute '\\x1b\[2J'"),
    "vertical tab": ("a\x0bb\n", r"hosts:1: bad host name 'a\\x0bb'"),
    "a name too long": ("x" * 254, r"hosts:1: bad host name 'x{57}\.\.\.': it has 254 characters, 253 is the most"),
    "a line too long": ("a" * 200_000, r"hosts:1: the line has 200000 characters, 131072 is the most"),
    "too many hosts": ("".join(f"n{i}\n" for i in range(MAX_HOSTS + 1)), r"hosts: 200001 hosts: 200000 is the most"),
    "too many lines": ("\n" * (MAX_LINES + 1), r"hosts: too large for a hostfile: 1000000 lines and 16 MiB"),
}


@pytest.mark.parametrize(("text", "gist"), BAD.values(), ids=BAD.keys())
def test_bad_hostfiles(text: str, gist: str) -> None:
    assert re.search(gist, refusal(text))


@pytest.mark.parametrize("character", list(" ;&|$`'\"\\<>(){}*?!~^%=+/\t\x00\x7f\x1b"))
@pytest.mark.parametrize("place", ["a{}b", "{}ab", "ab{}"])
def test_no_metacharacter_gets_into_a_name_or_user(character: str, place: str) -> None:
    odd = place.replace("{}", character)
    for text in (odd, f"{odd}@a", f"a user={odd}", f"ssh://{odd}", f"{odd}[1-2]"):
        found = outcome(partial(parse_hosts, text, "hosts"))
        hosts = found.hosts if isinstance(found, HostList) else ()
        words = [word for host in hosts for word in (host.name, host.user) if word is not None]
        assert not any(character in word for word in words)


@pytest.mark.parametrize(
    ("value", "gist"),
    [
        ("", "--hosts: no hosts in it"),
        (" , ", "--hosts: no hosts in it"),
        ("a,-oProxyCommand=reboot", "--hosts: bad host name '-oProxyCommand=reboot'"),
        ("a,n[1-2", "--hosts: bad node set 'n[1-2'"),
        ("a slots=4", "--hosts: bad host name 'slots=4'"),
        ("n[1-999999999]", "--hosts: node set 'n[1-999999999]' stands for 999999999 hosts or more"),
        ("a:99999", "--hosts: bad port 99999"),
        ("a," * 70_000, "--hosts has 140000 characters, 131072 is the most: use a hostfile"),
    ],
)
def test_bad_option(value: str, gist: str) -> None:
    with pytest.raises(HostError) as caught:
        parse_hosts_option(value)
    assert gist in str(caught.value)
