"""Which interpreter is started on a host, and what is said where it is none, or where its input was taken by others."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from clusterlib import faults

from tests.support.chaos import Boot
from tests.support.cluster import Cluster, account

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(90)]

SHIM = """echo "pyenv: python3: command not found" >&2
echo >&2
echo "The 'python3' command exists in these Python versions:" >&2
echo "  3.9.1" >&2
echo "Note: See 'pyenv help global' for tips." >&2
exit 127"""
LIBRARY = """echo "$0: error while loading shared libraries: libpython3.11.so.1.0: cannot open shared object file" >&2
exit 127"""
NOT_HERE = "echo 'python3 is not for login nodes: submit a job'"
SCRIPT = """cat >&2 <<END
Traceback (most recent call last):
  File "/opt/conda/bin/conda-run", line 7, in <module>
RuntimeError: no environment is active
END
exit 1"""
PRINTS = """echo "loading modules"; echo "done" >&2; for real in HIDDEN/origin*/python3; do exec $real "$@"; done"""
LACKING = """for real in HIDDEN/origin*/python3; do
exec $real -I -S -c 'import sys; sys.modules["select"] = None; exec(sys.argv.pop(1))' "$4" "$5"; done"""


class Case(NamedTuple):
    """A host: its python3 (a script) or a start-up file of its login shell, and what comes of that."""

    python: str = ""
    shell: str = ""
    file: str = ""
    text: str = ""
    cause: str = ""
    detail: str = ""


CASES = {
    "a-shim": Case(SHIM, cause="no-python", detail=r"python3 ended .* code 127\): pyenv: .* not found … \| Note: See"),
    "no-library": Case(LIBRARY, cause="no-python", detail=r"code 127\): .*libpython3\.11\.so\.1\.0: cannot open"),
    "a-refusal": Case(NOT_HERE, cause="no-python", detail=r"code 0\): python3 is not for login nodes: submit a job"),
    "another-s-script": Case(SCRIPT, cause="no-python", detail=r"^python3: RuntimeError: no environment is active$"),
    "not-whole": Case(LACKING, cause="no-python", detail=r"^python3: ModuleNotFoundError: .*select"),
    "a-printer": Case(PRINTS),
    "bashrc-reads": Case("", "bash", ".bashrc", "read line\n", "shell-hang", r"logged in, but \.bashrc read what was"),
    "bashrc-is-zsh": Case("", "bash", ".bashrc", "exec zsh\n", "shell-hang", r"logged in, but a start-up file read "),
    "bashrc-newgrp": Case("", "bash", ".bashrc", "newgrp root\n", "shell-hang", r"logged in, but .* read what was"),
    "zshenv-reads": Case("", "zsh", ".zshenv", "read line\n", "shell-hang", r"logged in, but \.zshenv read what was"),
    "tcshrc-reads": Case("", "tcsh", ".tcshrc", 'set x = "$<"\n', "shell-hang", r"\.tcshrc or \.cshrc read what was"),
    "config-reads": Case(
        "", "fish", ".config/fish/config.fish", "read line\n", "shell-hang", r"config\.fish read what was"
    ),
    "nothing-special": Case(),
}
HOSTS = {f"h{number:03}": case for number, case in enumerate(CASES.values(), 1)}


def prepare(cluster: Cluster, host: str, case: Case) -> None:
    """Make the host what the case says."""
    scratch = cluster.state.parent
    if case.python:
        wrapper = scratch / f"{host}.python"
        wrapper.write_text("#!/bin/sh\n" + case.python.replace("HIDDEN", str(cluster.state / "mounts" / host)) + "\n")
        wrapper.chmod(0o755)
        faults.set_fault(cluster.state, host, "python", str(wrapper))
    if case.shell:
        if shutil.which(case.shell) is None:
            pytest.skip(f"{case.shell} is not installed")
        account(cluster, host, case.shell, {case.file: case.text})


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(len(HOSTS), mode="ssh") as made:
        for host, case in HOSTS.items():
            prepare(made, host, case)
        yield made


@pytest.fixture(scope="module")
def booted(cluster: Cluster) -> Iterator[Boot]:
    with Boot(cluster, "--timeout", 20, "--retries", 0) as boot:
        yield boot.end(60)


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_a_python_that_is_none(booted: Boot, name: str) -> None:
    host = booted.hosts[list(HOSTS)[list(CASES).index(name)]]
    case = CASES[name]
    assert (host["state"], host.get("cause", "")) == ("failed" if case.cause else "up", case.cause), host
    if case.cause:
        assert re.search(case.detail, host["detail"]), host["detail"]
        assert host["phase"] == "shell"


def test_nothing_of_it_is_said_to_be_our_fault_nor_waited_for(booted: Boot) -> None:
    assert "report it" not in booted.text
    assert booted.seconds < 15, booted.verdicts()


def test_python_that_is_named(cluster: Cluster) -> None:
    shim, *_, good = HOSTS
    real = Path(shutil.which("python3", path="/usr/bin:/usr/local/bin") or "").resolve()
    link = cluster.home / "my own" / "interpreter"
    link.parent.mkdir()
    link.symlink_to(real)
    hidden = next((cluster.state / "mounts" / shim).glob("origin*")) / "python3"
    hosts = cluster.state.parent / "named"
    hosts.write_text(f"{good}\n{shim} python={hidden}\n")
    with Boot(cluster, "--python", "~/my own/interpreter", "--retries", 0, hostfile=hosts) as boot:
        boot.end()
        assert boot.up() == {good, shim}, boot.hosts
        assert boot.hosts[shim]["interpreter"] == str(hidden)
    with Boot(cluster, "--python", "nosuchpython", "--retries", 0, hostfile=hosts) as boot:
        boot.end()
        assert boot.causes() == {good: "no-python"}
        assert re.search(r"^nosuchpython ended .* not found$", boot.hosts[good]["detail"])
