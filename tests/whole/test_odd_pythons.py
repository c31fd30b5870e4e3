"""Logins whose Python is killed or hangs before its first line, and one that closes standard error, by a real sshd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mpboot.head.report import CLEAR, LIST
from tests.support.chaos import Boot, kill, nothing_left
from tests.support.cluster import Cluster, account
from tests.support.run_mpboot import script

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(90)]

GOOD, MUTE = NAMES = ["h001", "h002"]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(len(NAMES), mode="ssh") as made:
        account(made, MUTE, "bash", {".bashrc": "exec 2>&-\n"})
        yield made


@pytest.mark.parametrize("words", [(), ("--shell-probe", "separate"), ("--transport", "stdio"), ("--attach",)])
def test_a_login_that_closes_standard_error(cluster: Cluster, words: tuple[str, ...]) -> None:
    """The connection to the parent took its place, and was lost with it."""
    with Boot(cluster, *words, "--retries", 0, command=["echo", "runs"]) as boot:
        boot.end()
        assert (boot.up(), boot.code) == (set(NAMES), 0), boot.text
    nothing_left(cluster)


@pytest.mark.parametrize("number", ["SEGV", "ILL", "KILL"])
def test_a_python_that_is_killed(cluster: Cluster, tmp_path: Path, number: str) -> None:
    """As one that was built for another processor. ssh ends with 255, and has nothing to say."""
    dies = script(tmp_path / "dies", f"kill -{number} $$")
    with Boot(cluster, "--hosts", GOOD, "--python", dies, "--retries", 0, hostfile="--quiet") as boot:
        boot.end()
    assert boot.causes() == {GOOD: "no-python"}
    assert boot.hosts[GOOD]["detail"] == (
        f"{dies} was killed, or ended with 255, before it got to mpboot's code (ssh ended with code 255)"
    )
    nothing_left(cluster)


@pytest.mark.long
def test_a_python_that_hangs(cluster: Cluster, tmp_path: Path) -> None:
    """It is no login shell, and none of what ends those."""
    hangs = script(tmp_path / "hangs", "exec sleep 600 # MPBOOT")
    words = ("--hosts", GOOD, "--python", hangs, "--retries", 0, "--timeout", 4)
    with Boot(cluster, *words, hostfile="--quiet") as boot:
        boot.end()
    assert boot.causes() == {GOOD: "shell-hang"}
    assert "try ssh HOST python3 -V" in boot.text
    assert f"mpboot: {LIST}\n" in boot.text
    assert CLEAR not in boot.text
    for process in cluster.processes(GOOD):
        if "600" in process.command:
            kill(cluster, GOOD, process.pid)
    nothing_left(cluster)
