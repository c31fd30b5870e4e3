"""How the attributes and lines of a hostfile become hosts. Names, node sets and terms are in test_syntax.py."""

from __future__ import annotations

from typing import Any

import pytest

from mpboot.hosts import nodeset, syntax
from mpboot.hosts.host import Host, HostError
from mpboot.hosts.syntax import Entries, add_term, parse_attributes, parse_line


def refusal(call: Any, *words: Any) -> str:
    with pytest.raises(HostError) as caught:
        call(*words)
    return str(caught.value)


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


@pytest.mark.parametrize("path", ["python3.11", "/opt/py/bin/python3", "~/venv/bin/python", "../py"])
def test_the_interpreter(path: str) -> None:
    assert parse_attributes([f"python={path}"], Entries(), "") == {"python": path}


@pytest.mark.parametrize(("value", "schedule"), [("yes", True), ("No", False), ("NO", False), ("YES", True)])
def test_schedule(value: str, schedule: bool) -> None:
    assert parse_attributes([f"schedule={value}"], Entries(), "") == {"schedule": schedule}


NO_ATTRIBUTES = {
    "b": "unexpected 'b': one host a line, then attributes such as slots=4; "
    "hosts on one line need commas, without blanks",
    "cores=4": "unknown attribute 'cores': the known ones are cpu, max-slots, port, python, schedule, slots, user",
    "slots=1 count=2": "count= is given twice: give it once",
    "schedule=maybe": "bad schedule= 'maybe': give yes or no",
    "slots=4 max-slots=3": "max-slots=3 is less than slots=4: raise one or lower the other",
    "python=$(id)": (
        "bad python '$(id)': give a path or a name, of letters, digits, blanks and _./+,:@%=~-, at most 150"
    ),
    "user=-l": (
        "bad user name '-l': use 1 to 64 letters, digits, '.', '_' or '-', the first a letter, a digit or '_'; "
        "for any other name set User in ~/.ssh/config"
    ),
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
    slots = [Host("a", slots=1), Host("n1", slots=2), Host("n2", slots=2), Host("n3", slots=2)]
    assert read("a:1", "n[1-3]:2").hosts == slots


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
    monkeypatch.setattr(nodeset, "MAX_HOSTS", 5)
    for refused in ("n[1-2]", "n[1-5]"):
        assert refusal(read, "n[1-4]", refused).startswith(f"f:2: with '{refused}', node sets stand for more")
    entries = Entries()
    for text in ("n[1-3]", "n[1]", "a", "n[1-2]"):
        add_term(text, {}, entries, "")
    why = "with 'n[1-2]', node sets stand for more than 5 hosts: give fewer"
    assert refusal(add_term, "n[1-2]", {}, entries, "") == why
