"""How one piece of text becomes hosts, and the words in which it is refused. Whole files are in test_sources.py."""

from __future__ import annotations

import re
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

import pytest
from ClusterShell.NodeSet import NodeSet, NodeSetException

from mpboot.hosts import nodeset, syntax
from mpboot.hosts.host import Host, HostError
from mpboot.hosts.nodeset import set_size
from mpboot.hosts.syntax import (
    Term,
    check_host,
    check_name,
    check_range,
    check_user,
    expand,
    parse_number,
    parse_term,
    split_list,
)

LIMITS = {
    "MAX_BYTES": 16_777_216, "MAX_LINES": 1_000_000, "MAX_LINE": 131_072, "MAX_SLOTS": 1_000_000, "FIRST_PORT": 1024,
}  # fmt: skip
NAME_RULE = "use letters, digits, '.', '_' and '-', the first a letter, a digit or '_'"
USER_RULE = (
    "use 1 to 64 letters, digits, '.', '_' or '-', the first a letter, a digit or '_'; "
    "for any other name set User in ~/.ssh/config"
)
ADDRESS_RULE = "neither host:number nor an IPv6 address such as fe80::1%eth0 or [::1]:22"


def refusal(call: Any, *words: Any) -> str:
    with pytest.raises(HostError) as caught:
        call(*words)
    return str(caught.value)


def test_the_limits() -> None:
    assert {name: getattr(syntax, name) for name in LIMITS} == LIMITS
    assert (nodeset.MAX_HOSTS, nodeset.MAX_RANGES) == (200_000, 8)


# -- names and numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "9", "_a", "a.b-c_D9", "x" * 253, "10.0.0.1", "::1", "fe80::1%eth0"])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("text", "short"),
    [("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("FE80:0::A%a.b_c-9", "fe80::a%a.b_c-9")],
)
def test_addresses_are_written_in_their_shortest_form(text: str, short: str) -> None:
    assert check_name(text) == short


NO_NAMES = {
    "": f"bad host name '': {NAME_RULE}",
    ".a": f"bad host name '.a': {NAME_RULE}",
    "a/b": f"bad host name 'a/b': {NAME_RULE}",
    "-a": "bad host name '-a': it may not begin with '-', as rsh's options do",
    "x" * 254: f"bad host name '{'x' * 57}...': it has 254 characters, 253 is the most",
    "!" * 253: f"bad host name '{'!' * 57}...': {NAME_RULE}",
    "bücher": "bad host name 'bücher': it is not ASCII; write its punycode form: xn--bcher-kva",
    "ü;x": "bad host name 'ü;x': it is not ASCII; write its punycode form (xn--...)",
    "ü" * 70: f"bad host name '{'ü' * 57}...': it is not ASCII; write its punycode form (xn--...)",
    "a\u202eb": rf"bad host name 'a\u202eb': {NAME_RULE}",
    "1:2:3": f"bad address '1:2:3': {ADDRESS_RULE}",
    "::1%": "bad address '::1%': the zone is an interface's name, as in fe80::1%eth0",
    "::1%e/h": "bad address '::1%e/h': the zone is an interface's name, as in fe80::1%eth0",
    "::1%" + "e" * 33: f"bad address '::1%{'e' * 33}': the zone is an interface's name, as in fe80::1%eth0",
}


@pytest.mark.parametrize(("text", "why"), NO_NAMES.items())
def test_no_names(text: str, why: str) -> None:
    assert refusal(check_name, text) == why


def test_the_longest_zone_and_user() -> None:
    assert check_name("::1%" + "e" * 32) == "::1%" + "e" * 32
    assert check_user("u" * 64) == "u" * 64
    assert check_user("_j.o-e9") == "_j.o-e9"


@pytest.mark.parametrize("text", ["", "-l", ".a", "joe@corp", "u" * 65])
def test_no_users(text: str) -> None:
    shown = text if len(text) < 61 else text[:57] + "..."
    assert refusal(check_user, text) == f"bad user name '{shown}': {USER_RULE}"


INSIDE = {*ascii_letters, *digits, *"._-"}


@pytest.mark.parametrize("character", [chr(number) for number in range(128)])
def test_what_a_name_a_user_and_a_zone_may_be_made_of(character: str) -> None:
    """No letter more: what passes goes into the command line of a shell."""
    first = character in {*ascii_letters, *digits, "_"}
    for check, before in ((check_name, ""), (check_user, ""), (check_name, "::1%")):
        for text, good in ((character + "b", first), ("a" + character + "b", character in INSIDE)):
            if good:
                assert check(before + text) == before + text
            elif character not in ":%":
                assert refusal(check, before + text).startswith("bad ")


def test_numbers() -> None:
    assert [parse_number(text, "port", 99) for text in ("1", "99", "007")] == [1, 99, 7]
    for text in ("0", "100"):
        assert refusal(parse_number, text, "port", 99) == f"bad port {text}: give a whole number from 1 to 99"
    for text in ("", "x", "-1", "1.5", "1000000000", "٤"):
        assert refusal(parse_number, text, "port", 99) == f"bad port '{text}': give a whole number from 1 to 99"
    check_range(1, "port", 1)
    assert refusal(check_range, 0, "port", 9, "hosts:1: ") == "hosts:1: bad port 0: give a whole number from 1 to 9"
    assert refusal(check_range, 10, "port", 9).startswith("bad port 10: ")


# -- node sets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("a", 1), ("a[1]", 1), ("a[1-3]", 3), ("a[1-3,7]", 4), ("a[001-147]", 147), ("a[0-9/3]", 4), ("a[0-8/3]", 3),
        ("a[1-2]b[1-3]", 6), ("a[9-9]", 1), ("a[09-10]", 2), ("a[1-100000]b[1-2]", 200_000), ("a[0]", 1),
        ("n[1-100]m[1-2001]x[1-99]", 200_100), ("a[1-100000]b[1-2]c[1-2]", 400_000),
    ],
)  # fmt: skip
def test_how_many_hosts_a_set_stands_for(text: str, size: int) -> None:
    assert set_size(text) == size


@pytest.mark.parametrize("part", ["", "3-1", "1-3/0", "01-100", "1-", "-3", "1/2", "1-2-3", "1-1234567890123456"])
def test_no_ranges(part: str) -> None:
    assert refusal(set_size, f"n[{part}]") == f"bad range '{part}' in 'n[{part}]': write [1-3,7] or [001-147]"
    assert refusal(set_size, f"n[1-2,{part}]").startswith(f"bad range '{part}'")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n[1-3]", ["n1", "n2", "n3"]),
        ("n[08-10].x_y-z", ["n08.x_y-z", "n09.x_y-z", "n10.x_y-z"]),
        ("r[1-2]n[1,3]", ["r1n1", "r1n3", "r2n1", "r2n3"]),
        ("a[1]" * 8, ["a1" * 8]),
    ],
)
def test_sets(text: str, names: list[str]) -> None:
    assert expand(text) == names


SET_RULE = "write node[001-147], node[1-3,7], rack[1-2]n[1-4] or @group, without operators such as ! or &"
NO_SETS = {
    "n[1-3": f"bad node set 'n[1-3': {SET_RULE}",
    "n[a]": f"bad node set 'n[a]': {SET_RULE}",
    "n[1-9]!n3": f"bad node set 'n[1-9]!n3': {SET_RULE}",
    "@": f"bad node set '@': {SET_RULE}",
    "@-x": f"bad node set '@-x': {SET_RULE}",
    "@g[1": f"bad node set '@g[1': {SET_RULE}",
    "[1]a" * 9: f"node set '{'[1]a' * 9}' has 9 brackets: 8 is the most",
    "n[1-200001]": "node set 'n[1-200001]' stands for 200001 hosts or more: 200000 is the most",
    "@none": "node set '@none' has no hosts: `nodeset -LL` shows the groups that exist",
    "@none:x[1-2]": "node set '@none:x[1-2]' has no hosts: `nodeset -LL` shows the groups that exist",
    "-o[1-2]": "bad host name '-o1': it may not begin with '-', as rsh's options do",
}


@pytest.mark.parametrize(("text", "why"), NO_SETS.items())
def test_no_sets(text: str, why: str) -> None:
    assert refusal(expand, text) == why


@pytest.mark.parametrize("name", ["n", "n" * 200])
def test_what_clustershell_says_is_passed_on(name: str) -> None:
    with pytest.raises(NodeSetException) as caught:
        NodeSet(f"{name}[1][1]")
    said = str(caught.value)
    said = said if len(said) <= 120 else said[:117] + "..."
    assert refusal(expand, f"{name}[1][1]").endswith(f": ClusterShell says '{said}'")


def test_as_many_in_a_set_as_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodeset, "MAX_HOSTS", 3)
    assert expand("n[1-3]") == ["n1", "n2", "n3"]
    assert refusal(expand, "n[1-4]") == "node set 'n[1-4]' stands for 4 hosts or more: 3 is the most"


def test_without_clustershell_a_set_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ClusterShell.NodeSet", None)
    assert refusal(expand, "n[1-2]") == "node set 'n[1-2]' needs ClusterShell: python3 -m pip install ClusterShell"


# -- terms -----------------------------------------------------------------------------------------

TERMS = {
    "a": Term(["a"]),
    "a:4": Term(["a"], None, None, 4),
    "j@a": Term(["a"], "j"),
    "joe@a:4": Term(["a"], "joe", None, 4),
    "joe@n[1-2]:4": Term(["n1", "n2"], "joe", None, 4),
    "n[1-2]": Term(["n1", "n2"]),
    "[1-2]n:4": Term(["1n", "2n"], None, None, 4),
    "ssh://a": Term(["a"]),
    "ssh://a/": Term(["a"]),
    "ssh://joe@a:22/": Term(["a"], "joe", 22),
    "ssh://n[1-2]:22": Term(["n1", "n2"], None, 22),
    "::1": Term(["::1"]),
    "joe@::1": Term(["::1"], "joe"),
    "[::1]": Term(["::1"]),
    "[0:0::1]:22": Term(["::1"], None, 22),
    "ssh://joe@[::1]:22": Term(["::1"], "joe", 22),
}
NO_TERMS = {
    "": f"bad host name '': {NAME_RULE}",
    "@": f"bad node set '@': {SET_RULE}",
    "a:": "bad number '' after 'a': a port or a slot count is expected",
    "n[1-2]:x": "bad number 'x' after 'n[1-2]': a port or a slot count is expected",
    "ssh://a:": "bad port '': give a whole number from 1 to 65535",
    "ssh://a:65536": "bad port 65536: give a whole number from 1 to 65535",
    "[::1": "bad address '[::1': write [::1] or [::1]:2222",
    "[::1]x": "bad address '[::1]x': write [::1] or [::1]:2222",
    "[::1]:": "bad port '': give a whole number from 1 to 65535",
    "[::1]:0": "bad port 0: give a whole number from 1 to 65535",
    "[1::2::3]": f"bad address '1::2::3': {ADDRESS_RULE}",
    "-l@a": f"bad user name '-l': {USER_RULE}",
    "joe@-a": "bad host name '-a': it may not begin with '-', as rsh's options do",
    "n[1-2": f"bad node set 'n[1-2': {SET_RULE}",
    "a]": f"bad node set 'a]': {SET_RULE}",
    "joe@@none": "node set '@none' has no hosts: `nodeset -LL` shows the groups that exist",
}


@pytest.mark.parametrize(("text", "term"), TERMS.items())
def test_terms(text: str, term: Term) -> None:
    assert parse_term(text) == term


def test_a_term_stays_as_it_was_read() -> None:
    with pytest.raises(FrozenInstanceError):
        parse_term("a").port = 22  # type: ignore[misc]


@pytest.mark.parametrize(("text", "why"), NO_TERMS.items())
def test_no_terms(text: str, why: str) -> None:
    assert refusal(parse_term, text) == why


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []), (" , ", []), ("a,b c\td\ne\rf", [*"abcdef"]), ("n[1,3],a", ["n[1,3]", "a"]), ("n[1, 3]", ["n[1, 3]"]),
        ("n[1,3", ["n[1,3"]), ("a]b", ["a]b"]), (",,a,,", ["a"]),
    ],
)  # fmt: skip
def test_lists_are_cut_outside_brackets(text: str, pieces: list[str]) -> None:
    assert split_list(text) == pieces


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (Host("a", user="-l"), "bad user"),
        (Host("a", slots="4"), "bad slots ''4'': give a whole number from 1 to"),  # type: ignore[arg-type]
        (Host("a", max_slots=1.5), "bad max_slots '1.5': give a whole number from 1 to"),  # type: ignore[arg-type]
        (Host("a", cpu=True), "bad cpu 'True': give a whole number from 1 to"),
        (Host("a", port=0), "port"),
        (Host(5), "its name, alias, user and python are texts"),  # type: ignore[arg-type]
        (Host("a", alias=5), "its name, alias, user and python are texts"),  # type: ignore[arg-type]
        (Host("a", user=5), "its name, alias, user and python are texts"),  # type: ignore[arg-type]
        (Host("a", python=Path("/bin/python3")), "its name, alias, user and python are texts"),  # type: ignore[arg-type]
        (Host("a", schedule="no"), "schedule is True or False"),  # type: ignore[arg-type]
        (Host("a", alias="b\n"), r"bad alias 'b\n': give characters that can be printed"),
        (Host("a", alias="\ud800"), r"bad alias '\ud800': give characters that can be printed"),
    ],
)
def test_a_host_that_a_program_made_is_what_a_hostfile_could_name(host: Host, said: str) -> None:
    with pytest.raises(HostError, match=re.escape(said)):
        check_host(host)


def test_a_host_that_a_program_made_well() -> None:
    check_host(Host("a", user="joe", port=22, cpu=1, slots=2, max_slots=3))
    check_host(Host("a"))


def test_a_name_without_a_punycode_form_gets_the_general_advice() -> None:
    with pytest.raises(HostError, match=r"punycode form \(xn--\.\.\.\)$"):
        check_name("\u00fc" * 80)
