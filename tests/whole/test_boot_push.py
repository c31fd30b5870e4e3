"""A boot with --push: files are on a host before its command runs there, and a host without them does not run it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import need
from tests.support.kept import Kept, kept
from tests.support.run_mpboot import LOCAL, LOGIN, script
from tests.support.waiting import until


@pytest.fixture
def user() -> Iterator[Kept]:
    with kept() as made:
        yield made
        made.gone()  # also the tree that was not to be kept


@pytest.fixture
def program(tmp_path: Path) -> str:
    (tmp_path / "program").write_text("#!/bin/sh\necho ran $MPBOOT_HOST of $MPBOOT_SIZE, $WORD\nexit $1\n")
    (tmp_path / "program").chmod(0o755)
    return str(tmp_path / "program")


def test_the_command_finds_its_files(user: Kept, program: str, tmp_path: Path) -> None:
    done = user.mpboot("--hosts", "h[1-3]", *LOCAL, "--push", f"{program}:{tmp_path}/there", "--env", "WORD=x",
                       "--json", f"{tmp_path}/report", "--", f"{tmp_path}/there", "3")  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"h{number}: ran h{number} of 3, x" for number in (1, 2, 3)]
    assert "mpboot: 3 of 3 hosts done, " in done.stderr
    assert {host["exit"] for host in json.loads((tmp_path / "report").read_text())["hosts"].values()} == {3}
    assert "push" not in (tmp_path / "report").read_text()


@pytest.mark.long
def test_with_keep_the_session_stays(user: Kept, program: str, tmp_path: Path) -> None:
    done = user.mpboot("--hosts", "h[1-2]", *LOCAL, "--push", f"{program}:{tmp_path}/one", "--push",
                       f"{program}:{tmp_path}/two", "--keep", "--", f"{tmp_path}/one")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith("mpboot: session default is kept: ")
    assert user.exec(f"{tmp_path}/two").returncode == 0
    user.end()


def test_without_a_command_files_alone(user: Kept, program: str, tmp_path: Path) -> None:
    done = user.mpboot("--hosts", "h[1-2]", *LOCAL, "--quiet", "--push", f"{program}:{tmp_path}/there")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("barrier", [False, True])
def test_a_host_without_its_files_runs_nothing(user: Kept, program: str, tmp_path: Path, barrier: bool) -> None:
    """h1 has another disk, read-only; the others run the command, but for --barrier."""
    need("namespaces")
    (tmp_path / "there").mkdir()
    mount = f"mount -t tmpfs -o ro none {tmp_path}/there"
    rsh = script(
        tmp_path / "rsh",
        f'if [ $host = h1 ]; then exec unshare -rm sh -c \'{mount} && SHELL= exec sh -c "$1"\' sh "$*"; fi\n{LOGIN}',
    )
    done = user.mpboot("--hosts", "h[1-3]", "--rsh", f"{rsh} {{host}}", "--topology", "flat", "--json",
                       f"{tmp_path}/report", *(["--barrier"] if barrier else []),
                       "--push", f"{program}:{tmp_path}/there/", "--", "echo", "ran")  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert sorted(done.stdout.splitlines()) == ([] if barrier else ["h2: ran", "h3: ran"])
    why = f"{tmp_path}/there/program: Read-only file system"
    assert f"mpboot: h1: permission: {why}\n" in done.stderr
    hosts = json.loads((tmp_path / "report").read_text())["hosts"]
    assert hosts["h1"]["push"] == {"state": "failed", "cause": "permission", "detail": why}
    assert [host.get("exit") for host in hosts.values()] == ([None] * 3 if barrier else [None, 0, 0])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("program", "--push program: say what, and where to: SOURCE:DEST"),
        (":/tmp/", "--push :/tmp/: say what, and where to: SOURCE:DEST"),
        ("program:", "--push program:: say what, and where to: SOURCE:DEST"),
        ("/nowhere:/tmp/", "--push /nowhere: No such file or directory"),
    ],
)
def test_nothing_begins_without_it(user: Kept, tmp_path: Path, given: str, says: str) -> None:
    done = user.mpboot("--hosts", "h1", "--rsh", f"touch {tmp_path}/begun", "--push", given)
    assert (done.returncode, done.stderr) == (2, f"mpboot: {says}\n")
    assert not (tmp_path / "begun").exists()


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whatever_ends_it_nothing_stays(user: Kept, program: str, tmp_path: Path, number: signal.Signals) -> None:
    run = user.start("--hosts", "h[1-2]", *LOCAL, "--push", f"{program}:{tmp_path}/there", "--",
                     "sh", "-c", f"touch {tmp_path}/runs; sleep 300")  # fmt: skip
    until((tmp_path / "runs").exists, 20.0)
    run.send_signal(number)
    assert run.wait(20) == (130 if number == signal.SIGINT else -9)
    until(lambda: not user.family(), 30.0)
    assert os.path.lexists(tmp_path / "there")
