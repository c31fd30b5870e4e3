"""The choice of ssh's key exchange: by an ssh that is a script, and by a real one where there is one."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from mpboot.workers import kex
from mpboot.workers.kex import Wishes, allows, cheap_for
from tests.workers.given import order, script, settings

DEFAULT = "sntrup761x25519-sha512,curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256"
CHEAP = "curve25519-sha256,sntrup761x25519-sha512,curve25519-sha256@libssh.org,ecdh-sha2-nistp256"


def cheap_exchange(words: list[str], host: str) -> list[str]:
    """The options for the cheapest exchange, where no host is a special one."""
    wishes = Wishes(words, [host])
    assert wishes.offered == []
    return wishes.cheap


def ssh(directory: Path, theirs: str, default: str = DEFAULT) -> str:
    """An ssh whose user has these settings. It keeps its command lines in a file."""
    return script(
        directory,
        f'echo "$@" >> {directory}/asked; echo OpenSSH_9 >&2\n'
        f'case "$*" in "-F /dev/null"*) kex={default};; *) kex={theirs};; esac\n'
        'echo "hostname h"; echo "kexalgorithmsother x"; echo "kexalgorithms $kex"; echo "port 22"',
        "ssh",
    )


def test_the_cheapest_comes_first_and_all_else_keeps_its_order(tmp_path: Path) -> None:
    assert cheap_exchange([ssh(tmp_path, DEFAULT)], "h") == ["-o", f"KexAlgorithms={CHEAP}"]


def test_where_it_comes_first_already_it_stays_there(tmp_path: Path) -> None:
    assert cheap_exchange([ssh(tmp_path, CHEAP, CHEAP)], "h") == ["-o", f"KexAlgorithms={CHEAP}"]


def test_ssh_is_asked_as_it_will_be_called_and_without_any_settings(tmp_path: Path) -> None:
    cheap_exchange([ssh(tmp_path, DEFAULT), "-i", "key"], "node7")
    asked = (tmp_path / "asked").read_text().splitlines()
    assert sorted(asked) == ["-F /dev/null -G node7", "-i key -v -G node7"]


@pytest.mark.parametrize(
    "theirs",
    [
        "sntrup761x25519-sha512,curve25519-sha256",  # fewer
        DEFAULT + ",diffie-hellman-group14-sha256",  # more
        "curve25519-sha256,sntrup761x25519-sha512,curve25519-sha256@libssh.org,ecdh-sha2-nistp256",  # another order
        "ecdh-sha2-nistp256",
        "curve25519-sha256",
        "''",
    ],
)
def test_who_has_settings_keeps_them(tmp_path: Path, theirs: str) -> None:
    assert cheap_exchange([ssh(tmp_path, theirs)], "h") == []


def test_nothing_is_offered_that_would_not_have_been(tmp_path: Path) -> None:
    without = "sntrup761x25519-sha512,curve25519-sha256@libssh.org"
    assert cheap_exchange([ssh(tmp_path, without, without)], "h") == []


@pytest.mark.parametrize("lines", ["exit 255", "echo nothing of it", "kill -9 $$", "printf 'kexalgorithms'"])
def test_an_ssh_that_does_not_say_gets_no_options(tmp_path: Path, lines: str) -> None:
    assert cheap_exchange([script(tmp_path, lines, "ssh")], "h") == []


def test_where_there_is_no_ssh_there_are_no_options(tmp_path: Path) -> None:
    assert cheap_exchange([str(tmp_path / "ssh")], "h") == []


def test_an_ssh_that_never_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kex, "PATIENCE", 0.2)
    begin = time.monotonic()
    assert cheap_exchange([script(tmp_path, f"echo $$ >> {tmp_path}/pids; exec sleep 60", "ssh")], "h") == []
    assert 0.2 <= time.monotonic() - begin < 10
    for pid in (tmp_path / "pids").read_text().split():
        assert not Path(f"/proc/{pid}").exists()


def test_letters_of_other_alphabets_in_the_answer_do_not_matter(tmp_path: Path) -> None:
    lines = f"echo OpenSSH >&2; printf 'hostname b\\374cher\\nkexalgorithms {DEFAULT}\\n'"
    assert cheap_exchange([script(tmp_path, lines, "ssh")], "h") == ["-o", f"KexAlgorithms={CHEAP}"]


def test_an_answer_in_pieces_is_one(tmp_path: Path) -> None:
    lines = "echo OpenSSH >&2; printf 'kexalgorithms sntrup761x'; sleep 0.05; printf '25519-sha512,'; sleep 0.05\n"
    lines += f"echo {kex.CHEAP}"
    expected = ["-o", f"KexAlgorithms={kex.CHEAP},sntrup761x25519-sha512"]
    assert cheap_exchange([script(tmp_path, lines, "ssh")], "h") == expected


def test_a_real_ssh_takes_the_options(tmp_path: Path) -> None:
    real = shutil.which("ssh")
    if real is None:
        pytest.skip("there is no ssh here")
    words = [real, "-F", "/dev/null"]
    options = cheap_exchange(words, "h")
    assert options[0] == "-o"
    said = subprocess.run([*words, *options, "-G", "h"], capture_output=True, text=True, check=True, timeout=20)
    offered = next(line for line in said.stdout.splitlines() if line.startswith("kexalgorithms "))
    assert offered.split()[1].split(",")[0] == kex.CHEAP
    config = tmp_path / "config"
    config.write_text(f"KexAlgorithms {kex.CHEAP}\n")
    assert Wishes([real, "-F", str(config)], ["h"]).cheap == []


OLD = "Host old*\n  KexAlgorithms +diffie-hellman-group1-sha1\nHost other\n  KexAlgorithms -curve25519-sha256\n"


@pytest.mark.parametrize("names", [["old1", "a"], ["a", "old1"], ["a", "b"]])
def test_where_a_host_has_settings_of_its_own_each_is_asked_of(tmp_path: Path, names: list[str]) -> None:
    real = shutil.which("ssh")
    if real is None:
        pytest.skip("there is no ssh here")
    config = tmp_path / "config"
    config.write_text(OLD)
    words = [real, "-F", str(config)]
    wishes = Wishes(words, names)
    assert wishes.cheap == cheap_exchange([real, "-F", "/dev/null"], "h")
    allowed = [allows([*words, "-G", name], wishes.offered) for name in ("a", "old1", "other")]
    assert allowed == [True, False, False]
    assert Wishes(words, ["old1", "old2"]).cheap == []


def test_an_ssh_whose_files_are_not_known_is_asked_for_each_host(tmp_path: Path) -> None:
    lines = 'for all; do :; done\necho "kexalgorithms other,curve25519-sha256"'
    assert Wishes([script(tmp_path, lines, "ssh")], ["h"]).offered == ["other", "curve25519-sha256"]


def test_what_an_ssh_knows_is_set_for_it(tmp_path: Path) -> None:
    lines = 'echo "sessiontype default"; echo "stdinnull no"; echo "casignaturealgorithms x"'
    always = Wishes([script(tmp_path, lines, "ssh")], ["h"]).always
    assert always == ["-o", "remotecommand=none", "-o", "sessiontype=default", "-o", "stdinnull=no"]
    assert Wishes([script(tmp_path, "echo port 22", "ssh")], ["h"]).always == []


def test_a_host_is_asked_of_as_it_will_be_called(tmp_path: Path) -> None:
    made = settings(ssh(tmp_path, DEFAULT) + " -i key")
    made.cheap, made.offered = ["-o", "KexAlgorithms=x"], DEFAULT.split(",")
    host = order(1, "node7")
    assert cheap_for(made, host) == made.cheap
    host.user, host.port, host.address = "joe", 2222, "10.0.0.7"
    assert cheap_for(made, host) == made.cheap
    made.offered = DEFAULT.split(",")[1:]
    assert cheap_for(made, host) == []
    plain, full, _ = (tmp_path / "asked").read_text().splitlines()
    assert (plain, full) == ("-i key -G node7", "-i key -o HostName=10.0.0.7 -l joe -p 2222 -G node7")
