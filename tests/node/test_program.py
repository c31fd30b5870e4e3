"""Starting the user's program: found as execvp finds it, and the right word where it can't be run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mpboot
from mpboot.net.outlet import STDERR
from mpboot.node import program
from tests.node.commanding import Host
from tests.node.played import Rounds

START = """import os, sys; sys.path.insert(0, sys.argv[1])
from mpboot.node.program import NotRun, _execute, encoded
try:
    _execute([os.fsencode(word) for word in sys.argv[2:]], {**os.environb, b"MORE": encoded("m\\udce4re")})
except (NotRun, OSError) as error:
    print(type(error).__name__, error)
"""


def comes_of(*argv: str | bytes, path: str = "", locale: str = "C.UTF-8") -> bytes:
    """What comes of it, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", START, str(Path(mpboot.__file__).parents[1]), *argv],
        env={"PATH": path or os.defpath, "LC_ALL": locale, "OURS": "o"}, capture_output=True, check=True, timeout=20,
    )  # fmt: skip
    return run.stdout


def executable(path: Path, text: str, mode: int = 0o755) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_script_that_does_not_say_whose_is_sh_s(tmp_path: Path) -> None:
    script = executable(tmp_path / "script", 'echo "$0" "$@" $OURS\n')
    assert comes_of(script, "a b", "*") == f"{script} a b * o\n".encode()
    assert comes_of("script", "x", path=str(tmp_path)) == f"{script} x o\n".encode()


def test_a_bad_interpreter_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    script = executable(tmp_path / "script", "#!/no/such/interpreter -x\n")
    said = b"NotRun bad interpreter: /no/such/interpreter -x: not there\n"
    assert comes_of(script) == said
    assert comes_of("script", path=f"/nowhere:{tmp_path}") == said


def test_a_program_whose_loader_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "program"
    code = Path(sys.executable).resolve().read_bytes()
    at = code.index(b"/lib64/ld-linux") if b"/lib64/ld-linux" in code else -1
    if at < 0:
        pytest.skip("another loader")
    path.write_bytes(code[:at] + b"/nol64" + code[at + 6 :])
    path.chmod(0o755)
    assert comes_of(str(path)).startswith(b"NotRun the loader or the library")


@pytest.mark.parametrize("name", ["nosuchprogram", "", "/no/such", "/etc/passwd/x"])
def test_what_is_not_there(name: str) -> None:
    assert comes_of(name).startswith(b"FileNotFoundError ")


def test_one_that_may_not_be_run_does_not_hide_another(tmp_path: Path) -> None:
    executable(tmp_path / "a" / "it", "exit 1\n", 0o644)
    executable(tmp_path / "b" / "it", "#!/bin/sh\necho found\n")
    assert comes_of("it", path=f"{tmp_path}/a:{tmp_path}/b") == b"found\n"
    assert comes_of("it", path=f"{tmp_path}/a:{tmp_path}/c").startswith(b"PermissionError ")


def test_an_empty_place_is_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "it", "#!/bin/sh\necho here\n")
    monkeypatch.chdir(tmp_path)
    assert comes_of("it", path="/nowhere:") == b"here\n"


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_words_and_variables_are_bytes(locale: str) -> None:
    said = comes_of("/bin/sh", "-c", 'printf %s "$1$MORE"', "x", "häst\udce4".encode("utf-8", "surrogateescape"),
                  locale=locale)  # fmt: skip
    assert said == b"h\xc3\xa4st\xe4m\xe4re"


def test_a_word_is_the_bytes_that_were_typed() -> None:
    assert program.encoded("ä\udcff") == b"\xc3\xa4\xff"


def test_the_directory_to_run_in(loop: Rounds, tmp_path: Path) -> None:
    host = Host(loop)
    try:
        host.begin("pwd", cwd=str(tmp_path))
        host.until_it_ended()
        assert (host.codes, host.text()) == ([0], f"{tmp_path}\n".encode())
        host.codes.clear()
        host.begin("pwd", cwd="/no/such")
        host.until_it_ended()
        assert host.codes == [program.NOT_RUN]
        assert host.text(STDERR) == (b"mpboot: /bin/sh can't be run: no way into /no/such: No such file or directory\n")
    finally:
        host.close()


def test_files_at_low_numbers_are_moved_out_of_each_other_s_way() -> None:
    """An agent whose own stdio is closed gets those numbers for its pipes."""
    reads, writes = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.dup2(writes, 0)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 1)
            for at, fd in enumerate(program._apart((1, 0, 0))):
                os.dup2(fd, at)
            os.write(1, os.readlink("/proc/self/fd/0").encode())  # noqa: PTH115
            os.write(2, b" and more")
        finally:
            os._exit(0)
    os.close(writes)
    os.waitpid(pid, 0)
    said = os.read(reads, 100)
    os.close(reads)
    assert said == b"/dev/null and more"


def test_a_directory_below_the_home_directory(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    variables = {b"HOME": os.fsencode(tmp_path)}
    for typed, meant in (("~", tmp_path), ("~/below", tmp_path / "below")):
        assert program._from_home(typed.encode(), variables) == os.fsencode(meant)
    for typed in ("below", "/x/~", "~x", "./~", "a~/b"):
        assert program._from_home(typed.encode(), variables) == typed.encode()
    assert program._from_home(b"~/x", {}) == b"./x"
