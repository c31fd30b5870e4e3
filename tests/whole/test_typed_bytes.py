"""What is typed in Latin-1 is the same on the hosts, byte for byte, whatever the daemon's locale is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.kept import kept
from tests.support.run_mpboot import LOCAL, MPBOOT


@pytest.mark.long
def test_by_whichever_command_it_is_given(tmp_path: Path) -> None:
    localedef = shutil.which("localedef")
    if localedef is None or not Path("/usr/share/i18n/charmaps/ISO-8859-1.gz").exists():
        pytest.skip("no Latin-1 locale can be made here")
    made: list[str | Path] = [localedef, "-i", "de_DE", "-f", "ISO-8859-1", tmp_path / "de_DE"]
    subprocess.run(made, capture_output=True, check=False, timeout=30)  # it warns, and ends with 1
    directory = os.fsencode(tmp_path) + b"/h\xe4st"
    os.mkdir(directory)  # noqa: PTH102
    chdir: list[str | bytes] = ["--chdir", directory, "--", "sh", "-c", 'pwd; echo "$1"', "sh", b"\xe4"]
    with kept("h1") as user:
        environment = {**user.environment, "LOCPATH": str(tmp_path), "LC_ALL": "de_DE"}
        for words in (["exec"], ["--hosts", "h1", *LOCAL], ["--hosts", "h1", *LOCAL, "--stdin", "/dev/null"]):
            done = subprocess.run(
                [*MPBOOT, *words, *chdir], env=environment, capture_output=True, check=False, timeout=60
            )
            assert done.stdout == b"h1: " + directory + b"\nh1: \xe4\n", done.stderr
