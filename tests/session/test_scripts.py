"""What `mpboot env` puts in front of PATH, and how shells take it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from mpboot.session import scripts


def program(place: Path, name: str, text: str = "") -> Path:
    place.mkdir(exist_ok=True)
    path = place / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Programs that print how they were called."""
    for name in ("ssh", "scp", "sftp"):
        program(tmp_path / "real", name, f'echo {name}; for one; do echo "<$one>"; done')
    return tmp_path / "real"


def written(tmp_path: Path, real: Path, session: str = "default", directory: str = "/run/s") -> Path:
    place = tmp_path / session
    scripts.write(place, scripts.scripts(session, directory, str(place), str(real)))
    return place


def said(*words: object) -> list[str]:
    return subprocess.run([*map(str, words)], capture_output=True, text=True, check=True).stdout.splitlines()


OPTIONS = ["<-o>", "<ControlMaster=no>", "<-o>", '<ControlPath="/run/s/%r@%n:%p">']


def test_ssh_and_its_kin(tmp_path: Path, real: Path) -> None:
    place = written(tmp_path, real)
    for name in ("ssh", "rsh", "mpboot-rsh"):
        assert said(place / name, "-x", "h 1", "a  b") == ["ssh", *OPTIONS, "<-x>", "<h 1>", "<a  b>"]
    for name in ("scp", "sftp"):
        assert said(place / name, "a", "h:") == [name, "<-S>", f"<{place}/ssh>", "<a>", "<h:>"]


def test_a_host_of_too_long_a_name_goes_the_normal_way(tmp_path: Path, real: Path) -> None:
    place = written(tmp_path, real)
    assert said(place / "ssh", "h" * 90, "true") == ["ssh", f"<{'h' * 90}>", "<true>"]
    assert said(place / "ssh", "h", "/" + "c" * 200)[1:5] == OPTIONS  # no host is called so


def test_a_host_that_has_a_socket_rides_however_little_room_there_is(tmp_path: Path, real: Path) -> None:
    """As where a session's own name is long; and long words of a command are no hosts."""
    with tempfile.TemporaryDirectory() as short:
        directory = f"{short}/{'s' * (scripts.LONGEST - len(short) - 30)} $x"
        Path(directory).mkdir()
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"{directory}/joe@node0001:22")
            place = written(tmp_path, real, directory=directory)
            for words in (["node0001"], ["-p", "22", "joe@node0001", "c" * 200], ["-l", "joe", "node0001", "a"]):
                assert said(place / "ssh", *words)[2] == OPTIONS[1]
            for words in (["node0002"], ["-p", "22", "joe@node0002", "c"], ["n" * 200, "node0001"]):
                assert said(place / "ssh", *words)[1] == f"<{words[0]}>"


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="no bash")
def test_for_a_jump_ssh_is_told_that_it_is_the_script(tmp_path: Path, real: Path) -> None:
    program(real, "ssh", 'tr "\\0" " " </proc/$$/cmdline')
    compiled = real / "ssh"
    compiled.unlink()
    compiled.symlink_to(shutil.which("cat") or "")  # a real program: of a script the kernel hides how it was called
    place = written(tmp_path, real)
    done = subprocess.run([place / "ssh", "-J", "h1"], capture_output=True, text=True, check=False)
    assert done.stderr.startswith(f"{place}/ssh: ")


def test_of_two_sessions_the_last_is_in_front_and_the_real_programs_are_found(tmp_path: Path, real: Path) -> None:
    first = written(tmp_path, real, "one")
    path = scripts.path_with(str(first), f"{real}:/bin")
    assert path == f"{first}:{real}:/bin"
    assert scripts.real("ssh", path) == str(real / "ssh")
    assert scripts.path_with("/two", path) == f"/two:{real}:/bin"


def test_without_an_ssh_there_is_nothing(tmp_path: Path) -> None:
    assert scripts.scripts("default", "/run/s", "/run/s/bin", str(tmp_path)) == {}


def test_lines_for_sshs_configuration() -> None:
    assert scripts.ssh_config("one", "/run/50%", ["a", "b"]).splitlines()[1:] == [
        "Host a b",
        "    ControlMaster no",
        '    ControlPath "/run/50%%/%r@%n:%p"',
    ]


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "dash", "ksh", "fish", "csh", "tcsh"])
def test_shells_take_what_is_printed(tmp_path: Path, shell: str) -> None:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"no {shell}")
    odd = "/a b/it's:/usr/bin:/bin"
    text = scripts.assignments({"PATH": odd, "MPBOOT_SESSION": "one"}, shell)
    if shell == "fish":
        line = "eval (string join ' ' $argv); echo $PATH[1] $MPBOOT_SESSION"
        words = [path, "--no-config", "-c", line, *text.split("\n")]
        expected = "/a b/it's one"
    elif "csh" in shell:
        (tmp_path / "given").write_text(text)
        words = [path, "-f", "-c", f'eval "`cat {tmp_path}/given`"; echo "$PATH" $MPBOOT_SESSION']
        expected = f"{odd} one"
    else:
        words = [path, "-c", f'eval "$(cat {tmp_path}/given)"; echo "$PATH" $MPBOOT_SESSION']
        (tmp_path / "given").write_text(text)
        expected = f"{odd} one"
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(tmp_path)})
    assert done.stdout.strip() == expected, done.stderr
