"""Hosts whose Pythons differ, each that this machine has from 3.8 on: one session, and all that a session can do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kept import kept
from tests.support.rider import Rider
from tests.support.run_mpboot import LOCAL

OLDEST = (3, 8)
ASK = "import sys; print(*sys.version_info[:2], sys.version_info.releaselevel)"


def pythons() -> dict[str, str]:
    """The interpreters of this machine, by version: those of PATH, and pyenv's."""
    places = [*map(Path, os.environ["PATH"].split(os.pathsep)), *Path("~/.pyenv/versions").expanduser().glob("*/bin")]
    found: dict[str, str] = {}
    for path in sorted(path for place in places for path in place.glob("python3*")):
        if path.parent.name == "shims" or not path.name[len("python3") :].replace(".", "").isdigit():
            continue
        done = subprocess.run([path, "-c", ASK], capture_output=True, text=True, check=False)
        *version, level = done.stdout.split() or [""]
        if level == "final" and tuple(map(int, version)) >= OLDEST:
            found.setdefault(".".join(version), str(path))
    return found


@pytest.fixture(scope="module")
def by_host() -> dict[str, str]:
    """The version that each host has."""
    return {f"py{version.replace('.', '-')}": version for version in pythons()}


@pytest.fixture(scope="module")
def user(by_host: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rider]:
    if len(by_host) < 2:
        pytest.skip("this machine has one Python alone")
    if shutil.which("ssh") is None:
        pytest.skip("no OpenSSH client")
    places = pythons()
    scratch = tmp_path_factory.mktemp("pythons")
    hostfile, report = scratch / "hosts", scratch / "report"
    hostfile.write_text("".join(f"{host} python={places[version]}\n" for host, version in by_host.items()))
    with kept() as made:
        done = made.mpboot(str(hostfile), *LOCAL, "--keep", "--json", str(report))
        assert done.returncode == 0, done.stderr
        has = {host: one["python"].rpartition(".")[0] for host, one in json.loads(report.read_text())["hosts"].items()}
        assert has == by_host
        made.__class__ = Rider
        assert isinstance(made, Rider)
        assert made.mpboot("env").returncode == 0
        yield made


def test_each_runs_a_command_that_takes_input(user: Rider, by_host: dict[str, str]) -> None:
    done = user.mpboot("exec", "--stdin", "-", "--", "tr", "a-z", "A-Z", stdin=b"words\n" * 20_000)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert {host: lines.count(f"{host}: WORDS") for host in by_host} == dict.fromkeys(by_host, 20_000)


def test_each_gets_a_file_and_gives_it_back(user: Rider, by_host: dict[str, str], tmp_path: Path) -> None:
    big, new, pulled = tmp_path / "big", tmp_path / "new", tmp_path / "pulled"
    big.write_bytes(os.urandom(3_000_000))
    for words in (["push", str(big), str(new)], ["pull", str(new), str(pulled)]):
        done = user.mpboot(*words)
        assert done.returncode == 0, done.stderr
    assert {path.parent.name for path in pulled.rglob("new")} == set(by_host)
    assert {path.read_bytes() for path in pulled.rglob("new")} == {big.read_bytes()}


def test_each_is_ridden(user: Rider, by_host: dict[str, str]) -> None:
    assert user.sockets() == set(by_host)
    for host in by_host:
        done = user.ssh(host, "cat; exit 7", input=b"there")
        assert (host, done.returncode, done.stdout) == (host, 7, b"there")
        done = user.ssh("-tt", host, "echo seen; exit 3")
        assert (host, done.returncode, done.stdout) == (host, 3, b"seen\r\n")
