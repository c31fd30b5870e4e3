"""Hostfiles and --hosts: every format, every refusal, the limits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.hosts import (
    MAX_BYTES,
    MAX_HOSTS,
    MAX_LINES,
    Host,
    HostError,
    HostList,
    find_hosts,
    parse_hosts,
    parse_hosts_option,
    read_hostfile,
)


def write(tmp_path: Path, content: str | bytes) -> str:
    path = tmp_path / "hosts"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def refusal(text: str) -> str:
    """The message for a hostfile's text; always one printable line of sane length."""
    with pytest.raises(HostError) as caught:
        parse_hosts(text, "hosts")
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    return message


def outcome(parse: Callable[[], HostList]) -> HostList | str:
    """The hosts, or the message of the HostError; any other exception is the test's failure."""
    try:
        return parse()
    except HostError as error:
        return str(error)


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
    assert found.warnings == (
        "hosts:2: 'b:22' is read as 22 slots, as MPICH reads it; for a port write ssh://b:22",
    )


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


# --- duplicates and labels -------------------------------------------------------------------------------

MERGED = {
    "bare lines count one slot each": ("a\nb\na\na\n", [Host("a", slots=3), Host("b")]),
    "slots add up": ("a slots=4\na slots=2\n", [Host("a", slots=6)]),
    "a bare line adds one slot": ("a slots=4\na\n", [Host("a", slots=5)]),
    "a bare line adds one cpu": ("a\na cpu=2\n", [Host("a", cpu=3)]),
    "cpu and slots stay apart": ("a cpu=2\na slots=4\n", [Host("a", cpu=2, slots=4)]),
    "max-slots never below slots": ("a slots=4 max-slots=5\na slots=4\n", [Host("a", slots=8, max_slots=8)]),
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


# --- what is refused -------------------------------------------------------------------------------------

BAD = {
    "empty": ("", r"hosts: no hosts in it: give at least one"),
    "only comments": ("# a\n\n", r"hosts: no hosts in it"),
    "only commas": (",,\n", r"hosts: no hosts in it"),
    "unknown attribute": (
        "a\nb cores=4\n",
        r"hosts:2: unknown attribute 'cores': the known ones are cpu, max-slots, port, schedule, slots, user$",
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


FILES = {
    "NUL": (b"a\n\x7fELF\0\0\n", r":2: binary data \(a NUL byte\)"),
    "Latin-1": (b"a\nb\xfccher\n", r":2: not UTF-8 text"),
    "UTF-16": ("a\n".encode("utf-16"), r": it is UTF-16, or binary: save it as UTF-8 text"),
    "too many bytes": (b"#" * (MAX_BYTES + 1), r": too large for a hostfile: 1000000 lines and 16 MiB"),
    "ten million lines": (b"a\n" * 10_000_000, r": too large for a hostfile"),
    "ten million empty lines": (b"\n" * 10_000_000, r": too large for a hostfile"),
}


@pytest.mark.parametrize(("data", "gist"), FILES.values(), ids=FILES.keys())
def test_bad_files_are_refused_at_once(tmp_path: Path, data: bytes, gist: str) -> None:
    path = write(tmp_path, data)
    start = time.process_time()
    with pytest.raises(HostError, match=re.escape(path) + gist):
        read_hostfile(path)
    assert time.process_time() - start < 1


def test_bad_paths(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    device = "is a device, a pipe or a socket: give a file, or - to read standard input"
    for path, gist in (
        (str(tmp_path / "none"), "none: No such file or directory: give a readable hostfile"),
        ("", "'': No such file or directory"),
        ("a\0b", r"a\x00b: no file can have this name"),
        (str(tmp_path / ("x" * 300)), "File name too long"),
        (str(tmp_path), f"{tmp_path}: is a directory: give a hostfile in it"),
        (str(fifo), device),
        ("/dev/zero", device),
        ("/dev/null", device),
        (str(tmp_path / "a\x1b[2Jb"), r"a\x1b[2Jb: No such file"),
    ):
        with pytest.raises(HostError) as caught:
            read_hostfile(path)
        assert gist in str(caught.value)
        assert str(caught.value).isprintable()


# --- --hosts, and both together --------------------------------------------------------------------------


def test_option() -> None:
    found = parse_hosts_option("a, b,node[1-2,7],joe@c:2222 ssh://d:22")
    names = [Host("a"), Host("b"), Host("node1"), Host("node2"), Host("node7")]
    assert list(found.hosts) == [*names, Host("c", "joe", 2222), Host("d", port=22)]
    assert (found.warnings, found.source) == ((), "--hosts")


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
    with pytest.raises(HostError, match=r"no hosts given: name a hostfile .* or --hosts .* PBS, LSF or SGE job"):
        find_hosts(None, None, {})


# --- real processes: standard input, what gets loaded ----------------------------------------------------

READ = (
    "import sys\nfrom mpboot.hosts import HostError, read_hostfile\n"
    "try: print([h.name for h in read_hostfile(sys.argv[1]).hosts])\n"
    "except HostError as e: print(e)\n"
)


def shell(command: str, script: str = READ) -> str:
    """Output of a bash command in which $PY runs the script."""
    environ = {**os.environ, "PY": sys.executable, "SCRIPT": script}
    done = subprocess.run(
        ["bash", "-c", command], env=environ, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("command", "gist"),
    [
        ('printf "a\\nb\\n" | "$PY" -c "$SCRIPT" -', "['a', 'b']"),
        ('printf "a\\nb\\n" | "$PY" -c "$SCRIPT" /dev/stdin', "['a', 'b']"),
        ('"$PY" -c "$SCRIPT" <(printf "a\\nb\\n")', "['a', 'b']"),
        ('"$PY" -c "$SCRIPT" - < /dev/zero', "standard input: too large for a hostfile"),
        ('"$PY" -c "$SCRIPT" /dev/stdin < /dev/zero', "/dev/stdin: too large for a hostfile"),
        ('"$PY" -c "$SCRIPT" - < /dev/null', "standard input: no hosts in it"),
        ('"$PY" -c "$SCRIPT" - <&-', "standard input: it is closed"),
        ('echo "a b" | "$PY" -c "$SCRIPT" -', "standard input:1: unexpected 'b'"),
    ],
)
def test_streams(command: str, gist: str) -> None:
    assert gist in shell(command)


def test_unreadable_file(tmp_path: Path) -> None:
    path = write(tmp_path, "a\n")
    Path(path).chmod(0)
    drop = "import os\nif os.geteuid() == 0: os.setuid(65534)  # root may read everything\n"
    message = shell(f'"$PY" -c "$SCRIPT" {path}', READ.replace("try:", drop + "try:", 1))
    assert message == f"{path}: Permission denied: give a readable hostfile, or - for standard input"


def test_clustershell_is_loaded_only_for_node_sets() -> None:
    script = (
        "import sys, mpboot.hosts as h\n"
        "h.parse_hosts('a\\njoe@b:2222\\nc slots=4\\nfe80::1\\nssh://d:1', 'f')\n"
        "h.parse_hosts_option('a,b')\n"
        "h.from_allocation({'LSB_HOSTS': 'a b', 'SLURM_JOB_NODELIST': 'a,b'})\n"
        "print('ClusterShell' in sys.modules)\n"
        "h.parse_hosts_option('n[1-2]')\n"
        "print('ClusterShell' in sys.modules)\n"
    )
    assert shell('"$PY" -c "$SCRIPT"', script).split() == ["False", "True"]


def test_groups_come_from_clustershells_configuration(tmp_path: Path) -> None:
    (tmp_path / "clustershell").mkdir()
    (tmp_path / "clustershell/groups.conf").write_text(
        "[Main]\ndefault: mine\n[mine]\nmap: sed -n 's/^$GROUP: //p' \"$CFGDIR/mine\"\n"
    )
    (tmp_path / "clustershell/mine").write_text("gpu: g[1-3]\nevil: -oProxyCommand=x\n")
    command = f'export CLUSTERSHELL_CFGDIR={tmp_path}/clustershell; echo "$LINE" | "$PY" -c "$SCRIPT" -'
    assert shell(f'LINE="@gpu slots=2"; {command}') == "['g1', 'g2', 'g3']"
    assert shell(f'LINE="@mine:gpu"; {command}') == "['g1', 'g2', 'g3']"
    assert "bad host name '-oProxyCommand=x'" in shell(f"LINE=@evil; {command}")


def test_the_example_in_the_manual_is_read() -> None:
    manual = (Path(__file__).parent.parent / "docs/hostfiles.md").read_text()
    example = manual.split("```\n")[1]
    found = parse_hosts(example.replace("@gpu", "gpu"), "hosts")
    assert {"node1", "server", "node147", "rack2n4", "joe@node3", "::1"} <= {host.label for host in found.hosts}
    assert next(host for host in found.hosts if host.name == "node8").slots == 4


# --- properties, speed -----------------------------------------------------------------------------------

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
COUNTS = st.none() | st.integers(1, 1000)
HOSTS = st.builds(
    Host,
    name=NAMES | st.ip_addresses(v=6).map(str),
    user=st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,8}", fullmatch=True),
    port=st.none() | st.integers(1, 65535),
    cpu=COUNTS,
    slots=COUNTS,
    schedule=st.booleans(),
)


def render(host: Host, as_url: bool, gap: str) -> str:
    """One line of a hostfile for the host, in one of the ways in which it may be written."""
    words = []
    if as_url:
        name = f"[{host.name}]" if ":" in host.name else host.name
        user, port = f"{host.user}@" if host.user else "", f":{host.port}" if host.port else ""
        words.append(f"ssh://{user}{name}{port}")
    else:
        words.append(host.name)
        words += [f"{key}={getattr(host, key)}" for key in ("user", "port") if getattr(host, key)]
    words += [f"{key}={getattr(host, key)}" for key in ("cpu", "slots") if getattr(host, key)]
    return gap.join(words if host.schedule else [*words, "schedule=no"])


@given(
    hosts=st.lists(HOSTS, min_size=1, unique_by=lambda host: host.name),
    as_url=st.booleans(),
    gap=st.sampled_from([" ", "\t", "  \t "]),
    end=st.sampled_from(["\n", "\r\n", " \n", " # why\n", "\n\n"]),
)
def test_rendered_hosts_come_back(hosts: list[Host], as_url: bool, gap: str, end: str) -> None:
    text = "".join(render(host, as_url, gap) + end for host in hosts)
    assert parse_hosts(text, "hosts") == HostList(tuple(hosts), (), "hosts")


@given(hosts=st.lists(HOSTS, min_size=1), again=st.integers(1, 3))
def test_labels_are_unique_and_nothing_is_lost(hosts: list[Host], again: int) -> None:
    text = "".join(render(host, True, " ") + "\n" for host in hosts * again)
    found = parse_hosts(text, "hosts").hosts
    assert len({host.label for host in found}) == len(found)
    assert [(h.name, h.user, h.port) for h in found] == list(dict.fromkeys((h.name, h.user, h.port) for h in hosts))


@given(st.text() | st.text("an[]@:,-%#=1 \n\x1b"))
def test_any_text_gives_hosts_or_one_printable_line(text: str) -> None:
    for parse in (partial(parse_hosts, text, "hosts"), partial(parse_hosts_option, text)):
        found = outcome(parse)
        if isinstance(found, HostList):
            assert all(re.fullmatch(r"[A-Za-z0-9_:][A-Za-z0-9._:%-]*", host.name) for host in found.hosts)
            assert all(warning.isprintable() for warning in found.warnings)
        else:
            assert found.isprintable()


def test_a_hundred_thousand_hosts_take_less_than_a_second(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f"node{i:06}.cluster.example.com\n" for i in range(100_000)))
    start = time.process_time()
    assert len(read_hostfile(path).hosts) == 100_000
    assert time.process_time() - start < 1
