"""Shells whose ssh rides a session that ends under them: from then on ssh is the plain one, as if nothing had been."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from tests.support.kept import kept
from tests.support.rider import rides
from tests.support.run_mpboot import MPBOOT

EVAL = {
    "fish": "mpboot env --shell fish | source",
    "tcsh": 'eval "`mpboot env --shell tcsh`"',
    "bash": 'set -eu; eval "$(mpboot env --shell bash)"',
}
PLAIN = {"tcsh": ["-f"], "fish": ["--no-config"], "zsh": ["-f"]}
LINES = "ssh h1 echo rode; mpboot halt; ssh -V; echo still here"


@pytest.mark.long
@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "ksh", "fish", "tcsh"])
@pytest.mark.parametrize("way", ["eval", "command"])
def test_the_session_ends_under_a_shell(shell: str, way: str) -> None:
    """It has run our ssh, and may remember where that was."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"no {shell}")
    mpboot = shlex.join(MPBOOT)
    lines = LINES
    with rides("h1") as user:
        words = [path, *PLAIN.get(shell, []), "-c"]
        if way == "eval":
            lines = f"{EVAL.get(shell, EVAL['bash'].replace('bash', shell))}; {lines}"
        else:
            words = [*MPBOOT, "env", "--", *words]
        done = subprocess.run(
            [*words, lines.replace("mpboot ", f"{mpboot} ")], env=user.environment, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, b"rode\nstill here\n"), done.stderr
        assert b"OpenSSH" in done.stderr
        assert b"No such file" not in done.stderr


def test_a_long_name_of_a_session() -> None:
    """What has a socket rides."""
    with kept() as user:
        name = ("--name", "n" * 64)
        user.begin("h1,h2", *name)
        done = user.mpboot("env", *name, "--", "ssh", "-v", "-p", "22", "h2", "echo", "c" * 100)
        assert (done.returncode, done.stdout) == (0, "c" * 100 + "\n")
        assert "master session id" in done.stderr
        user.mpboot("halt", *name)


@pytest.mark.parametrize("odd", ['"', "\\", ":", "${HOME}"])
def test_a_directory_that_ssh_would_misread_is_refused(odd: str) -> None:
    with kept() as user:
        user.runtime /= f"a{odd}b"
        user.runtime.mkdir(mode=0o700)
        user.environment["XDG_RUNTIME_DIR"] = str(user.runtime)
        user.begin("h1")
        done = user.mpboot("env")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("mpboot: nothing can ride session default: ")
