"""What a command finds around it is what ssh's would find that comes from a login shell on the same host."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chaos import Boot
from tests.support.cluster import Cluster, account
from tests.support.run_mpboot import MPBOOT

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(90)]

PARENT, LEAF, LATIN = NAMES = ["h001", "h002", "h003"]
LOGIN = "umask 027\nulimit -Sn 256\nulimit -Sc 100\ntrap '' INT HUP\nexport OURS=$'two\\nlines'\n"
LOOK = """#!/bin/bash
env -0 | sort -z | tr '\\0\\n' '\\n|'; ulimit -a; ulimit -Ha; umask; locale; pwd; id; ls -l /proc/self/fd | wc -l
grep -E '^(Sig|Shd|Seccomp|NoNewPrivs|Umask)' /proc/self/status; nice; cat /proc/self/oom_score_adj
"""
# What mpboot adds, and what belongs to one connection or one shell.
OWN = re.compile(r"^(MPBOOT_\w+|SSH_CLIENT|SSH_CONNECTION|SHLVL|_)=|^(SigQ|SigPnd)")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(len(NAMES), mode="ssh") as made:
        for host in NAMES:
            account(made, host, "bash", {".bash_profile": LOGIN})
        yield made


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def told(text: str, host: str = "") -> list[str]:
    """What the look was, of one host; but for what may differ."""
    prefix = f"{host}: " if host else ""
    lines = [line[len(prefix) :] for line in text.splitlines() if line.startswith(prefix)]
    return [line for line in lines if not OWN.search(line)]


@pytest.mark.long
def test_it_is_as_after_a_login(cluster: Cluster) -> None:
    look = str(written(cluster.state.parent / "look", LOOK))
    with Boot(
        cluster, "--hosts", f"{PARENT},{LEAF}", "--topology", "ring", "--rsh", "ssh -o SendEnv=LC_*", command=[look],
        hostfile="--quiet",
    ) as boot:  # fmt: skip
        boot.end()
        assert boot.hosts[LEAF]["parent"] == PARENT
    for host in (PARENT, LEAF):
        ssh = cluster.run("head", ["ssh", "-n", "-o", "SendEnv=LC_*", host, f"exec bash -l -c {look}"])
        expected = told(ssh.stdout)
        assert len(expected) > 60, ssh.stderr
        assert told(boot.text, host) == expected
        assert "OURS=two|lines" in expected


@pytest.mark.long
def test_a_word_that_is_not_ascii_stays_as_it_was_typed(cluster: Cluster) -> None:
    """…where the host is Latin-1, and whatever it is that was typed."""
    places = cluster.state.parent / "locales"
    places.mkdir()
    localedef = shutil.which("localedef")
    if localedef is None or not Path("/usr/share/i18n/charmaps/ISO-8859-1.gz").exists():
        pytest.skip("no Latin-1 locale can be made here")
    subprocess.run(
        [localedef, "-i", "de_DE", "-f", "ISO-8859-1", places / "de_DE"], capture_output=True, check=False, timeout=30
    )  # it warns, and ends with 1
    home = cluster.state.parent / f"{LATIN}.home"
    (home / ".bash_profile").write_text(f"export LOCPATH={places} LC_ALL=de_DE\n")
    words = ["häst".encode(), b"h\xe4st", "日本".encode()]
    command = [b"sh", b"-c", b'printf %s "$*" | od -An -tx1; locale charmap', b"x", *words]
    expected = b" ".join(words).hex(" ")
    heads: list[dict[str, str]] = [{}, {"LOCPATH": str(places), "LC_ALL": "de_DE"}, {"LC_ALL": "C"}]
    for environment in heads:
        argv: list[str | bytes] = [*cluster.command("head", [*MPBOOT, "--hosts", LATIN, "--"]), *command]
        run = subprocess.run(argv, env={**cluster.env, **environment}, capture_output=True, check=False, timeout=60)
        said = [line.partition(b": ")[2].decode().strip() for line in run.stdout.splitlines()]
        assert " ".join(said[:-1]) == expected, run.stderr
        assert said[-1] == "ISO-8859-1"
