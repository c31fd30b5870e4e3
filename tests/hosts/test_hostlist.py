"""A list of different hosts: what duplicates come to, labels that are unique, two lists in one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.hosts import hostlist
from mpboot.hosts.host import Host, HostError
from mpboot.hosts.hostlist import HostList, host_list, unite
from mpboot.hosts.sources import parse_hosts
from mpboot.hosts.syntax import Entries

# -- duplicates ------------------------------------------------------------------------------------

MERGED = {
    "bare lines count one slot each": ("a\nb\na\na\n", [Host("a", slots=3), Host("b")]),
    "slots add up": ("a slots=4\na slots=2\n", [Host("a", slots=6)]),
    "a bare line adds one slot": ("a slots=4\na\n", [Host("a", slots=5)]),
    "a bare line adds one cpu": ("a\na cpu=2\n", [Host("a", cpu=3)]),
    "cpu and slots stay apart": ("a cpu=2\na slots=4\n", [Host("a", cpu=2, slots=4)]),
    "max-slots never below slots": ("a slots=4 max-slots=5\na slots=4\n", [Host("a", slots=8, max_slots=8)]),
    "the first interpreter named": ("a\na python=p\na python=q\n", [Host("a", slots=3, python="p")]),
    "schedule=no wins": ("a\na schedule=no\n", [Host("a", slots=2, schedule=False)]),
    "Hydra's add up": ("a:4\nb:1\na:4\n", [Host("a", slots=8), Host("b", slots=1)]),
    "one address in two spellings": ("::1\n0:0:0:0:0:0:0:1\n", [Host("::1", slots=2)]),
}


@pytest.mark.parametrize(("text", "expected"), MERGED.values(), ids=MERGED.keys())
def test_duplicates_are_merged_with_a_warning(text: str, expected: list[Host]) -> None:
    found = parse_hosts(text, "hosts")
    assert list(found.hosts) == expected
    note = "hosts: hosts listed more than once are merged, their slots added up: "
    assert found.warnings == (note + expected[0].name,)


def test_the_warning_names_what_the_report_names() -> None:
    (warning,) = parse_hosts("a\njoe@a\njoe@a\n", "hosts").warnings
    assert warning.endswith("added up: joe@a")


def test_a_thousand_duplicates_make_one_short_warning() -> None:
    (warning,) = parse_hosts("n[1-1000]\n" * 2, "hosts").warnings
    assert warning.endswith("added up: n1, n2, n3, n4, n5 and 995 more")


LABELS = {
    "ports": ("localhost:2201\nlocalhost:2202\n", ["localhost:2201", "localhost:2202"]),
    "with and without port": ("a\na port=2222\n", ["a", "a:2222"]),
    "users": ("joe@a\nann@a\na\n", ["joe@a", "ann@a", "a"]),
    "both": ("joe@a:2201\nann@a:2202\nann@a:2203\n", ["joe@a:2201", "ann@a:2202", "ann@a:2203"]),
    "one user, two ports": ("joe@a:2201\njoe@a:2202\n", ["a:2201", "a:2202"]),
    "IPv6": ("[::1]:22\n[::1]:23\n", ["[::1]:22", "[::1]:23"]),
    "unique names keep theirs": ("joe@a:2201\nb:2202\n::1\n", ["a", "b", "::1"]),
}


@pytest.mark.parametrize(("text", "expected"), LABELS.values(), ids=LABELS.keys())
def test_labels(text: str, expected: list[str]) -> None:
    found = parse_hosts(text, "hosts")
    assert [host.label for host in found.hosts] == expected
    assert found.warnings == ()


# -- host by host ----------------------------------------------------------------------------------


def merged(*hosts: Host) -> Host:
    (found,) = host_list(Entries([*hosts]), "f").hosts
    return found


@pytest.mark.parametrize(
    ("same", "expected"),
    [
        ([Host("a", cpu=2), Host("a", cpu=3)], Host("a", cpu=5)),
        ([Host("a", cpu=2), Host("a")], Host("a", cpu=3)),
        ([Host("a"), Host("a", cpu=2), Host("a")], Host("a", cpu=4)),
        ([Host("a", slots=2), Host("a"), Host("a")], Host("a", slots=4)),
        ([Host("a", cpu=2), Host("a", slots=3), Host("a")], Host("a", cpu=2, slots=4)),
        ([Host("a", cpu=2, slots=3), Host("a", cpu=1)], Host("a", cpu=3, slots=3)),
        ([Host("a", slots=1, max_slots=9), Host("a", slots=1, max_slots=5)], Host("a", slots=2, max_slots=9)),
        ([Host("a", slots=4, max_slots=5), Host("a", slots=4)], Host("a", slots=8, max_slots=8)),
        ([Host("a", cpu=9, max_slots=5), Host("a", cpu=9)], Host("a", cpu=18, max_slots=5)),
        ([Host("a"), Host("a", schedule=False), Host("a")], Host("a", slots=3, schedule=False)),
        ([Host("a", "joe", 22), Host("a", "joe", 22)], Host("a", "joe", 22, slots=2)),
    ],
)
def test_merged(same: list[Host], expected: Host) -> None:
    assert merged(*same) == expected


COUNTS = st.none() | st.integers(1, 9)
SAME = st.builds(Host, st.just("a"), cpu=COUNTS, slots=COUNTS, max_slots=COUNTS, schedule=st.booleans())


@given(st.lists(SAME, min_size=2))
def test_counts_add_up(same: list[Host]) -> None:
    found = merged(*same)
    bare = sum(host.cpu is None and host.slots is None for host in same)
    cpu, slots = sum(host.cpu or 0 for host in same), sum(host.slots or 0 for host in same)
    assert (found.cpu or 0) + (found.slots or 0) == cpu + slots + bare
    assert (found.cpu or 0) in (cpu, cpu + bare)
    assert found.schedule == all(host.schedule for host in same)
    limits = [host.max_slots for host in same if host.max_slots is not None]
    assert found.max_slots == (max([*limits, found.slots or 0]) if limits else None)


def test_what_is_different_keeps_its_order_and_its_counts() -> None:
    hosts = [Host("c", slots=2), Host("a", "joe"), Host("c", port=3), Host("a"), Host("b", cpu=1)]
    found = host_list(Entries(hosts, ["w"]), "f")
    assert [(host.name, host.user, host.port) for host in found.hosts] == [
        ("c", None, None), ("a", "joe", None), ("c", None, 3), ("a", None, None), ("b", None, None),
    ]  # fmt: skip
    assert [host.slots for host in found.hosts] == [2, None, None, None, None]
    assert [host.alias for host in found.hosts] == [None, "joe@a", "c:3", None, None]
    assert (found.warnings, found.source) == (("w",), "f")


def test_an_alias_that_is_no_longer_needed_goes() -> None:
    first = host_list(Entries([Host("a", "joe"), Host("a", "ann")]), "f").hosts
    assert [host.alias for host in host_list(Entries([first[0], first[0]]), "g").hosts] == [None]


def test_none_and_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HostError, match=r"^f: no hosts in it: give at least one, a name a line$"):
        host_list(Entries(), "f")
    monkeypatch.setattr(hostlist, "MAX_HOSTS", 2)
    assert len(host_list(Entries([Host("a"), Host("b")]), "f").hosts) == 2
    assert len(host_list(Entries([Host("a"), Host("b"), Host("a")]), "f").hosts) == 2
    with pytest.raises(HostError, match=r"^f: 3 hosts: 2 is the most$"):
        host_list(Entries([Host("a"), Host("b"), Host("c")]), "f")


@pytest.mark.parametrize(
    ("repeated", "told"),
    [(1, "h0"), (5, "h0, h1, h2, h3, h4"), (6, "h0, h1, h2, h3, h4 and 1 more"), (9, "h0, h1, h2, h3, h4 and 4 more")],
)
def test_five_names_are_shown(repeated: int, told: str) -> None:
    hosts = [Host(f"h{number}") for number in range(10)]
    found = host_list(Entries([*hosts, *hosts[:repeated]], ["before"]), "f")
    note = f"f: hosts listed more than once are merged, their slots added up: {told}"
    assert found.warnings == ("before", note)


# -- two lists in one ------------------------------------------------------------------------------


def test_two_lists_in_one() -> None:
    first = HostList((Host("b", slots=4), Host("a", "joe")), ("one",), "f")
    second = HostList((Host("c"), Host("b", slots=9), Host("a"), Host("a", "joe")), ("two",), "--hosts")
    both = unite(first, second)
    assert both.hosts == (Host("b", slots=4), Host("a", "joe", alias="joe@a"), Host("c"), Host("a"))
    assert both.warnings == ("one", "two", "--hosts: already in f, kept as there: b, a")
    assert both.source == "f and --hosts"


def test_two_lists_that_have_nothing_in_common() -> None:
    both = unite(HostList((Host("a"),), (), "f"), HostList((Host("b"), Host("a", port=2)), (), "g"))
    assert [host.label for host in both.hosts] == ["a", "b", "a:2"]
    assert both.warnings == ()
