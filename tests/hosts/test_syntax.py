"""How one piece of text becomes hosts, and the words in which it is refused. Whole files are in test_sources.py."""

from __future__ import annotations

import sys
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from mpboot.hosts import syntax
from mpboot.hosts.host import Host, HostError
from mpboot.hosts.syntax import (
    Entries,
    Term,
    add_term,
    check_name,
    check_range,
    check_user,
    expand,
    parse_attributes,
    parse_line,
    parse_number,
    parse_term,
    set_size,
    split_list,
)

LIMITS = {
    "MAX_HOSTS": 200_000, "MAX_BYTES": 16_777_216, "MAX_LINES": 1_000_000, "MAX_LINE": 131_072, "MAX_RANGES": 8,
    "MAX_SLOTS": 1_000_000, "FIRST_PORT": 1024,
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


# -- names and numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "9", "_a", "a.b-c_D9", "x" * 253, "10.0.0.1", "::1", "fe80::1%eth0"])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("text", "short"),
    [("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("::FFFF:10.0.0.1%a.b_c-9", "::ffff:a00:1%a.b_c-9")],
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
        ("n[1-100]m[1-2001]x[1-99]", 200_100),
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


def test_what_clustershell_says_is_passed_on() -> None:
    why = refusal(expand, "n[1][1]")
    assert why.startswith("bad node set 'n[1][1]': ClusterShell says '")


def test_without_clustershell_a_set_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ClusterShell.NodeSet", None)
    assert refusal(expand, "n[1-2]") == "node set 'n[1-2]' needs ClusterShell: python3 -m pip install ClusterShell"


# -- terms -----------------------------------------------------------------------------------------

TERMS = {
    "a": Term(["a"]),
    "a:4": Term(["a"], None, None, 4),
    "joe@a": Term(["a"], "joe"),
    "joe@a:4": Term(["a"], "joe", None, 4),
    "joe@n[1-2]:4": Term(["n1", "n2"], "joe", None, 4),
    "n[1-2]": Term(["n1", "n2"]),
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


# -- attributes ------------------------------------------------------------------------------------

KEYS = {
    "cpu": ["cpu", "cpus"],
    "slots": ["slots", "count"],
    "max_slots": ["max_slots", "max-slots", "slots_max", "slots-max"],
    "port": ["port"],
}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in KEYS.items() for key in keys])
def test_numbers_by_all_their_names(name: str, key: str) -> None:
    assert parse_attributes([f"{key}=4"], Entries(), "") == {name: 4}
    most = 65535 if name == "port" else 1_000_000
    assert parse_attributes([f"{key}={most}"], Entries(), "") == {name: most}
    why = refusal(parse_attributes, [f"{key}={most + 1}"], Entries(), "")
    assert why == f"bad {key}= {most + 1}: give a whole number from 1 to {most}"


@pytest.mark.parametrize("key", ["user", "username", "user_name", "user-name"])
def test_the_user_by_all_its_names(key: str) -> None:
    assert parse_attributes([f"{key}=joe"], Entries(), "") == {"user": "joe"}


@pytest.mark.parametrize(("value", "schedule"), [("yes", True), ("No", False), ("NO", False), ("YES", True)])
def test_schedule(value: str, schedule: bool) -> None:
    assert parse_attributes([f"schedule={value}"], Entries(), "") == {"schedule": schedule}


NO_ATTRIBUTES = {
    "b": "unexpected 'b': one host a line, then attributes such as slots=4; hosts on one line need commas",
    "cores=4": "unknown attribute 'cores': the known ones are cpu, max-slots, port, schedule, slots, user",
    "slots=1 count=2": "count= is given twice: give it once",
    "schedule=maybe": "bad schedule= 'maybe': give yes or no",
    "slots=4 max-slots=3": "max-slots=3 is less than slots=4: raise one or lower the other",
    "user=": f"bad user name '': {USER_RULE}",
}


@pytest.mark.parametrize(("text", "why"), NO_ATTRIBUTES.items())
def test_no_attributes(text: str, why: str) -> None:
    assert refusal(parse_attributes, text.split(), Entries(), "") == why


def test_as_many_slots_as_there_may_be() -> None:
    assert parse_attributes(["slots=4", "max-slots=4"], Entries(), "") == {"slots": 4, "max_slots": 4}


def test_what_means_nothing_is_warned_of_once_a_file() -> None:
    entries = Entries()
    assert parse_attributes(["binding=rr", "slots=2", "prefix=/opt"], entries, "f:1: ") == {"slots": 2}
    assert parse_attributes(["binding=rr"], entries, "f:2: ") == {}
    assert entries.warnings == [
        "f:1: binding= means nothing to mpboot and is ignored",
        "f:1: prefix= means nothing to mpboot and is ignored",
    ]


# -- terms and lines into entries ------------------------------------------------------------------


def read(*lines: str) -> Entries:
    entries = Entries()
    for number, line in enumerate(lines, 1):
        parse_line(line, entries, f"f:{number}: ")
    entries.decide_colons()
    return entries


def test_a_line() -> None:
    assert read("joe@n[1-2],b  slots = 4\tport=22").hosts == [
        Host("n1", "joe", 22, slots=4), Host("n2", "joe", 22, slots=4), Host("b", None, 22, slots=4),
    ]  # fmt: skip
    assert refusal(read, "a", "b x") == "f:2: " + NO_ATTRIBUTES["b"].replace("'b'", "'x'")
    assert refusal(read, "a" * 131_073) == "f:1: the line has 131073 characters, 131072 is the most: split it"
    assert refusal(read, "a" * 131_072).startswith("f:1: bad host name")


def test_two_that_contradict_each_other() -> None:
    assert refusal(read, "joe@a user=ann") == "f:1: 'joe@a' has two users, joe and ann: give one"
    assert refusal(read, "[::1]:22 port=23") == "f:1: '[::1]:22' has two ports, 22 and 23: give one"
    assert refusal(read, "a:2222 port=2223") == "f:1: a has two ports, 2222 and 2223: give one"
    assert read("a:2222 port=2222", "joe@b user=joe").hosts == [Host("a", port=2222), Host("b", "joe")]


@pytest.mark.parametrize(
    ("lines", "slots", "port"),
    [
        (["a:4"], 4, None), (["a:1023"], 1023, None), (["a:1024"], None, 1024), (["a:22", "b:1024"], None, 22),
        (["a:22", "joe@b:23"], None, 22), (["a:22", "b:4 slots=2"], None, 22), (["a:22", "b:4 cpu=2"], None, 22),
        (["a:4", "joe@b"], 4, None), (["a:4", "b slots=2"], 4, None), (["a:4 user=joe"], 4, None),
    ],
)  # fmt: skip
def test_numbers_after_bare_colons_are_slots_unless_the_file_says_ports(
    lines: list[str], slots: int | None, port: int | None
) -> None:
    host = read(*lines).hosts[0]
    assert (host.slots, host.port) == (slots, port)


@pytest.mark.parametrize(
    ("number", "warned"), [(22, True), (222, True), (443, True), (21, False), (223, False), (444, False)]
)
def test_slots_that_look_like_a_port_are_warned_of_once(number: int, warned: bool) -> None:
    entries = read(f"n[1-2]:{number}", f"b:{number}")
    why = f"f:1: 'n1:{number}' is read as {number} slots, as MPICH reads it; for a port write ssh://n1:{number}"
    assert entries.warnings == [why] * warned


def test_numbers_out_of_range_are_told_where_they_stand() -> None:
    assert refusal(read, "a", "b:0") == "f:2: bad slot count 0: give a whole number from 1 to 1000000"
    assert refusal(read, "a:2222", "b:65536") == "f:2: bad port 65536: give a whole number from 1 to 65535"
    assert read("a:1", "b:2").hosts == [Host("a", slots=1), Host("b", slots=2)]


def test_colons_are_decided_once() -> None:
    entries = read("a:4")
    entries.numbers.append((0, 1024, ""))
    entries.decide_colons()
    assert entries.hosts == [Host("a", slots=4, port=1024)]


def test_as_many_hosts_as_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "MAX_LINES", 5)
    entries = Entries()
    for _ in range(5):
        add_term("a", {}, entries, "")
    assert refusal(add_term, "a", {}, entries, "") == "more than 5 hosts are written here, repeats included: give fewer"


def test_sets_may_add_up_to_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "MAX_HOSTS", 5)
    entries = Entries()
    for text in ("n[1-3]", "n[1]", "a", "n[1-2]"):
        add_term(text, {}, entries, "")
    why = "with 'n[1-2]', node sets stand for more than 5 hosts: give fewer"
    assert refusal(add_term, "n[1-2]", {}, entries, "") == why
