"""Which hosts are of one group for ssh's settings: none are between which ssh itself makes a difference."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpboot.hosts.sshconfig import Lines, Settings, files_read

SSH = shutil.which("ssh")


def lines(tmp_path: Path, text: str) -> Lines:
    path = tmp_path / "config"
    path.write_text(text)
    return Lines([str(path)])


@pytest.mark.parametrize(
    ("text", "matter"),
    [
        ("", False),
        ("Host *\n  SendEnv LANG\n  GSSAPIAuthentication yes\n  HashKnownHosts yes\n", False),  # Debian's
        ("# Port 2222\nHost node*\n  ForwardX11 yes\n", False),
        ("User joe\n", True),
        ('port="2222"\n', True),
        ("Host *\n  ProxyJump gate\n", True),
        ("IdentityFile ~/.ssh/one\n", False),
        ("Host a\n  IdentityFile ~/.ssh/one\n", True),
        ("Match host b\n  Ciphers aes128-ctr\n", True),
    ],
)
def test_what_matters(tmp_path: Path, text: str, matter: bool) -> None:
    assert lines(tmp_path, text).matter is matter


def test_hosts_are_of_one_group_where_the_same_patterns_match(tmp_path: Path) -> None:
    read = lines(tmp_path, 'Host node* "!node9",old\nHostName=%h.example.com\nMatch originalhost gpu?\n  Port 2\n')
    same = [{read.group(name) for name in names} for names in (["node1", "node2"], ["a", "b"], ["gpu1", "gpu2"])]
    assert [len(one) for one in same] == [1, 1, 1]
    assert len({*same[0], *same[1], *same[2], read.group("node9"), read.group("old"), read.group("Node1")}) == 6
    assert read.address("node1", "node1.example.com", 5) == "%h.example.com"
    assert read.address("node1", "elsewhere", 0) == "elsewhere"
    assert read.address("node1", "elsewhere", 5) is None


def test_where_a_command_of_the_name_decides_each_is_a_group(tmp_path: Path) -> None:
    assert lines(tmp_path, "Match exec true\n  Port 2\n").each is False
    for text in ('Match exec "test %h = a"\n  Port 2\n', "CanonicalizeHostname yes\n"):
        assert lines(tmp_path, text).group("a") != lines(tmp_path, text).group("b")


def test_the_files_that_ssh_reads() -> None:
    said = "OpenSSH\ndebug1: Reading configuration data /a b\r\ndebug1: x\ndebug1: Reading configuration data /c\n"
    assert files_read(said) == ["/a b", "/c"]


@pytest.mark.parametrize("said", ["", "user joe\nhostname h\n", "user joe\nhostname h\nport x\n"])
def test_no_answer(said: str) -> None:
    with pytest.raises(ValueError, match="no settings"):
        Settings(said)


def test_an_answer() -> None:
    said = Settings(
        "user joe\nhostname h\nport 23\nproxycommand none\nproxyjump gate\nidentityfile a\nidentityfile b\n"
    )
    assert (said.user, said.address, said.port, said.proxy) == ("joe", "h", 23, ("gate",))
    assert ("identityfile", "a", "b") in said.local


PATTERNS = st.lists(st.sampled_from(["a", "b*", "*1", "?2", "!a1", "A*", "*", "!b?", "c.x"]), min_size=1, max_size=3)
BODY = st.sampled_from(["Port 23", "User ann", "HostName %h.x", "HostName c", "IdentityFile k", "ProxyJump j"])
HEADS = st.tuples(st.sampled_from(["Host ", "Match host ", "Match originalhost "]), PATTERNS).map(
    lambda made: made[0] + (" " if made[0] == "Host " else ",").join(made[1])
)
NAMES = ("a", "a1", "b1", "b2", "A1", "c", "C", "c.x", "z")


@pytest.mark.skipif(SSH is None, reason="there is no ssh here")
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(blocks=st.lists(st.tuples(HEADS, BODY), max_size=4))
def test_a_real_ssh_does_the_same_for_all_of_a_group(tmp_path: Path, blocks: list[tuple[str, str]]) -> None:
    read = lines(tmp_path, "".join(f"{head}\n  {body}\n" for head, body in blocks))
    found: dict[tuple[object, ...], object] = {}
    for name in NAMES:
        command = [str(SSH), "-F", str(tmp_path / "config"), "-G", "--", name]
        said = Settings(subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout)
        assert found.setdefault(read.group(name), (said.user, said.port, said.proxy, said.local)) == (
            said.user, said.port, said.proxy, said.local,
        )  # fmt: skip
