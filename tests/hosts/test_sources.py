"""Hostfiles and --hosts: every format, and which source counts."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest

from mpboot.hosts import sources
from mpboot.hosts.host import Host, HostError
from mpboot.hosts.sources import HostList, find_hosts, parse_hosts, parse_hosts_option, read_hostfile
from tests.support.host_texts import write

# --- formats ---------------------------------------------------------------------------------------------

FORMATS = {
    "names": ("a\nb.example.com\n10.0.0.1\n", [Host("a"), Host("b.example.com"), Host("10.0.0.1")]),
    "order": ("c\na\nb\n", [Host("c"), Host("a"), Host("b")]),
    "no newline at the end": ("a\nb", [Host("a"), Host("b")]),
    "comments and blanks": ("# top\n\n  a  # first\n\t\nb#x\n", [Host("a"), Host("b")]),
    "CRLF": ("a\r\nb slots=2\r\n\r\n", [Host("a"), Host("b", slots=2)]),
    "CR alone": ("a\rb\r", [Host("a"), Host("b")]),
    "byte order mark": ("\ufeffa\nb\n", [Host("a"), Host("b")]),
    "trailing blanks": ("a  \t\nb\t\n", [Host("a"), Host("b")]),
    "user": ("joe@a\nann@10.0.0.1\n", [Host("a", user="joe"), Host("10.0.0.1", user="ann")]),
    "LAM": (
        "# my cluster\nserver schedule=no\nn1 cpu=2 user=joe\nn2 schedule=yes cpu=1\n",
        [Host("server", schedule=False), Host("n1", cpu=2, user="joe"), Host("n2", cpu=1)],
    ),
    "Open MPI": (
        "a slots=4 max-slots=8\nb slots=2 max_slots=2\nc slots = 3\nd count=2 slots-max=4\n",
        [
            Host("a", slots=4, max_slots=8),
            Host("b", slots=2, max_slots=2),
            Host("c", slots=3),
            Host("d", slots=2, max_slots=4),
        ],
    ),
    "Hydra": ("a:4 # rack 1\nb:2 user=joe\nc\n", [Host("a", slots=4), Host("b", slots=2, user="joe"), Host("c")]),
    "port attribute": ("a port=2222\n", [Host("a", port=2222)]),
    "url": ("ssh://a\nssh://b:22\nssh://joe@c:4/\n", [Host("a"), Host("b", port=22), Host("c", "joe", 4)]),
    "IPv6": (
        "::1\nfe80::1%eth0\n[2001:DB8::1]\njoe@[2001:db8::2]\n[::2]:2222\nssh://[::3]:22\nann@::4\n2001:db8:0:0::22\n",
        [
            Host("::1"),
            Host("fe80::1%eth0"),
            Host("2001:db8::1"),
            Host("2001:db8::2", user="joe"),
            Host("::2", port=2222),
            Host("::3", port=22),
            Host("::4", user="ann"),
            Host("2001:db8::22"),
        ],
    ),
    "node sets": (
        "node[008-010]\nn[1-3,7] slots=2\n",
        [Host(f"node{n}") for n in ("008", "009", "010")] + [Host(f"n{n}", slots=2) for n in (1, 2, 3, 7)],
    ),
    "two ranges": ("rack[1-2]n[1-2].x\n", [Host(f"rack{r}n{n}.x") for r in (1, 2) for n in (1, 2)]),
    "steps": ("n[1-9/4]\n", [Host("n1"), Host("n5"), Host("n9")]),
    "set with user and number": ("joe@n[1-2]:2222\n", [Host("n1", "joe", 2222), Host("n2", "joe", 2222)]),
    "list on a line": ("b,n[1,3],a slots=2\n", [Host(n, slots=2) for n in ("b", "n1", "n3", "a")]),
    "same user twice": ("joe@a user=joe\n", [Host("a", user="joe")]),
}


@pytest.mark.parametrize(("text", "expected"), FORMATS.values(), ids=FORMATS.keys())
def test_formats(tmp_path: Path, text: str, expected: list[Host]) -> None:
    path = write(tmp_path, text)
    assert read_hostfile(path) == HostList(tuple(expected), (), path)


# The colon rule: per file, ports when any number is 1024 or more or a line leaves no other reading.
COLONS = {
    "small numbers are slots": ("a:4\nb:8\n", [Host("a", slots=4), Host("b", slots=8)]),
    "1023 is a slot count": ("a:1023\n", [Host("a", slots=1023)]),
    "1024 is a port": ("a:1024\n", [Host("a", port=1024)]),
    "a large one makes all ports": ("a:22\nb:2222\n", [Host("a", port=22), Host("b", port=2222)]),
    "slots= leaves only a port": ("a:22 slots=4\nb:23\n", [Host("a", slots=4, port=22), Host("b", port=23)]),
    "cpu= too": ("a:22 cpu=4\n", [Host("a", cpu=4, port=22)]),
    "user@ too": ("joe@a:22\nb:23\n", [Host("a", "joe", 22), Host("b", port=23)]),
    "user= does not": ("a:4 user=joe\n", [Host("a", "joe", slots=4)]),
    "urls and brackets say nothing": (
        "ssh://a:2222\n[::1]:2222\nb:4\n",
        [Host("a", port=2222), Host("::1", port=2222), Host("b", slots=4)],
    ),
}


@pytest.mark.parametrize(("text", "expected"), COLONS.values(), ids=COLONS.keys())
def test_colon_rule(text: str, expected: list[Host]) -> None:
    assert list(parse_hosts(text, "hosts").hosts) == expected


def test_slot_counts_that_look_like_ports_are_warned_of_once() -> None:
    found = parse_hosts("a\nb:22\nc:443\n", "hosts")
    assert [host.slots for host in found.hosts] == [None, 22, 443]
    assert found.warnings == ("hosts:2: 'b:22' is read as 22 slots, as MPICH reads it; for a port write ssh://b:22",)


def test_attributes_that_mean_nothing_here_are_warned_of_once_each() -> None:
    found = parse_hosts("a:2 binding=rr\nb:2 binding=rr\nc prefix=/opt/lam\n", "hosts")
    assert [host.name for host in found.hosts] == ["a", "b", "c"]
    assert found.warnings == (
        "hosts:1: binding= means nothing to mpboot and is ignored",
        "hosts:3: prefix= means nothing to mpboot and is ignored",
    )


def test_attributes_are_json_ready() -> None:
    text = "joe@a:2222 cpu=2 slots=3 max-slots=4 schedule=no\nb\n"
    first, second = parse_hosts(text, "hosts").hosts
    expected = {"user": "joe", "port": 2222, "cpu": 2, "slots": 3, "max_slots": 4, "schedule": False}
    assert first.attributes() == expected
    assert second.attributes() == {}


# --- --hosts, and both together --------------------------------------------------------------------------


def test_option() -> None:
    found = parse_hosts_option("a, b,node[1-2,7],joe@c:2222 ssh://d:22")
    names = [Host("a"), Host("b"), Host("node1"), Host("node2"), Host("node7")]
    assert list(found.hosts) == [*names, Host("c", "joe", 2222), Host("d", port=22)]
    assert (found.warnings, found.source) == ((), "--hosts")


def test_hostfile_and_option_are_united(tmp_path: Path) -> None:
    path = write(tmp_path, "b slots=4\na\n")
    found = find_hosts(path, "c,b,a:2222", {})
    assert [host.label for host in found.hosts] == ["b", "a", "c", "a:2222"]
    assert found.hosts[0].slots == 4
    assert found.warnings == (f"--hosts: already in {path}, kept as there: b",)
    assert found.source == f"{path} and --hosts"


def test_precedence(tmp_path: Path) -> None:
    path = write(tmp_path, "a\n")
    job = {"SLURM_JOB_NODELIST": "s[1-2]"}
    assert [host.name for host in find_hosts(path, None, job).hosts] == ["a"]
    assert [host.name for host in find_hosts(None, "b", job).hosts] == ["b"]
    assert [host.name for host in find_hosts(None, None, job).hosts] == ["s1", "s2"]
    with pytest.raises(
        HostError, match=r"no hosts given: name a hostfile .* or --hosts .* PBS, LSF, SGE, OAR or Cobalt job"
    ):
        find_hosts(None, None, {})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_anywhere_and_are_counted(end: str) -> None:
    with pytest.raises(HostError, match=r"^f:4: unexpected 'c': "):
        parse_hosts(end.join(["a", "", "b", "b c"]), "f")


def test_as_much_as_is_allowed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 6)
    monkeypatch.setattr(sources, "MAX_LINES", 2)
    assert [host.name for host in parse_hosts("a\nb\ncd", "f").hosts] == ["a", "b", "cd"]
    for text in ("abcdefg", "a\nb\nc\n", "a\r\rb\r"):
        with pytest.raises(HostError, match=r"^f: too large for a hostfile: 1000000 lines and 16 MiB are the most$"):
            parse_hosts(text, "f")


def test_an_option_as_long_as_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_LINE", 3)
    assert [host.name for host in parse_hosts_option("a,b").hosts] == ["a", "b"]
    message = r"^--hosts has 4 characters, 3 is the most: use a hostfile$"
    with pytest.raises(HostError, match=message):
        parse_hosts_option("a,bc")


def test_messages_of_the_option() -> None:
    with pytest.raises(HostError, match=r"^--hosts: bad host name 'a/b': "):
        parse_hosts_option("x,a/b")
    with pytest.raises(HostError, match=r"^--hosts: bad port 70000: "):
        parse_hosts_option("x,a:70000")
    assert parse_hosts_option("a:22").warnings == (
        "--hosts: 'a:22' is read as 22 slots, as MPICH reads it; for a port write ssh://a:22",
    )


def test_standard_input_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n")))
    assert read_hostfile("-").source == "standard input"


def test_no_hosts_at_all() -> None:
    with pytest.raises(HostError) as caught:
        find_hosts(None, None, {})
    assert str(caught.value) == (
        "no hosts given: name a hostfile (- for standard input), or --hosts 'a,b,node[1-3]', "
        "or run inside a Slurm, PBS, LSF, SGE, OAR or Cobalt job"
    )


# --- the manual, speed -----------------------------------------------------------------------------------


def test_the_example_in_the_manual_is_read() -> None:
    manual = (Path(__file__).parents[2] / "docs/hostfiles.md").read_text()
    example = manual.split("```\n")[1]
    found = parse_hosts(example.replace("@gpu", "gpu"), "hosts")
    assert {"node1", "server", "node147", "rack2n4", "joe@node3", "::1"} <= {host.label for host in found.hosts}
    assert next(host for host in found.hosts if host.name == "node8").slots == 4


def test_a_hundred_thousand_hosts_take_less_than_a_second(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f"node{i:06}.cluster.example.com\n" for i in range(100_000)))
    start = time.process_time()
    assert len(read_hostfile(path).hosts) == 100_000
    assert time.process_time() - start < 1


def test_a_line_of_sges_file() -> None:
    found = parse_hosts("n1 4 all.q@n1 UNDEFINED\nn2\t2 all.q@n2 <NULL>\nn3\n", "f")
    assert found.hosts == (Host("n1", slots=4), Host("n2", slots=2), Host("n3"))
    with pytest.raises(HostError, match="f:1: unexpected '4'"):
        parse_hosts("n1 4 all.q UNDEFINED\n", "f")
    with pytest.raises(HostError, match="f:1: bad slots= 0"):
        parse_hosts("n1 0 all.q@n1 UNDEFINED\n", "f")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a,-b", "--hosts: bad host name '-b': hosts are left out by --exclude b"),
        ("a,-node[1-3]", "--hosts: bad host name '-node[1-3]': hosts are left out by --exclude node[1-3]"),
        ("^hosts", "--hosts: bad host name '^hosts': a file of hosts is given as HOSTFILE, without --hosts"),
    ],
)
def test_what_other_programs_take_in_a_list_of_hosts_is_told(given: str, said: str) -> None:
    with pytest.raises(HostError) as caught:
        parse_hosts_option(given)
    assert str(caught.value) == said
