"""The script that is the command: it finds its Python wherever it is installed, and holds Ctrl-C back for it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import mpboot
from tests.support.cluster import refuse
from tests.support.run_mpboot import environment

SCRIPT = Path(mpboot.__file__).parent / "cli" / "mpboot"
SHOWS = '#!/bin/sh\necho "$0" "$@"\n'
TOOLS = "/usr/bin:/bin"


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def installed(prefix: Path, *packages: str) -> Path:
    """The script in a prefix, with directories of mpboot's where a Python has it."""
    script = executable(prefix / "bin" / "mpboot", SCRIPT.read_text())
    for package in packages:
        (prefix / package / "mpboot").mkdir(parents=True)
    return script


def run(script: Path | str, *words: str, path: str = TOOLS, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *words], env={"PATH": path, **more}, capture_output=True, text=True, timeout=30, check=False
    )


def test_it_is_as_git_has_it() -> None:
    assert SCRIPT.stat().st_mode & stat.S_IXUSR
    compile(SCRIPT.read_text(), str(SCRIPT), "exec")


class TestWhichPython:
    def test_that_of_a_virtual_environment(self, tmp_path: Path) -> None:
        prefix = tmp_path / "with a space"
        script = installed(prefix, "lib/python3.12/site-packages")
        for name in ("python3", "python3.12"):
            executable(prefix / "bin" / name, SHOWS)
        assert run(script, "a b", "*").stdout == f"{prefix}/bin/python3.12 {script} a b *\n"

    def test_that_of_one_whose_code_is_elsewhere(self, tmp_path: Path) -> None:
        script = installed(tmp_path)
        executable(tmp_path / "bin" / "python3", SHOWS)
        assert run(script).stdout == f"{tmp_path}/bin/python3 {script}\n"

    def test_through_a_link(self, tmp_path: Path) -> None:
        """As pipx has it."""
        script = installed(tmp_path / "venv", "lib/python3.11/site-packages")
        executable(tmp_path / "venv" / "bin" / "python3.11", SHOWS)
        (tmp_path / "mpboot").symlink_to("venv/bin/mpboot")
        said = run(tmp_path / "mpboot", "x").stdout
        assert said == f"{tmp_path}/venv/bin/python3.11 {script} x\n"

    @pytest.mark.parametrize("package", [
        "lib/python3.11/site-packages", "local/lib/python3.11/dist-packages", "lib/python3.11/dist-packages",
    ])  # fmt: skip
    def test_the_one_of_the_version_that_has_mpboot(self, tmp_path: Path, package: str) -> None:
        """As `pip install --user`, and a distribution's own: another python3 may be beside the script."""
        script = installed(tmp_path / "local", package)
        (tmp_path / "local" / "lib" / "python3.9" / "site-packages").mkdir(parents=True)
        executable(tmp_path / "local" / "bin" / "python3", "#!/bin/sh\necho wrong\n")
        executable(tmp_path / "path" / "python3.11", SHOWS)
        said = run(script, path=f"{tmp_path}/path:{TOOLS}").stdout
        assert said == f"{tmp_path}/path/python3.11 {script}\n"

    @pytest.mark.parametrize("late", ["python3.10", "python3.11"])
    def test_of_two_the_one_that_it_was_installed_for_last(self, tmp_path: Path, late: str) -> None:
        """As after an upgrade, which leaves the old packages."""
        names = ("python3.10", "python3.11", "python3.12")
        script = installed(tmp_path / "local", *(f"lib/{name}/site-packages" for name in names))
        for name in names:
            package = tmp_path / "local" / "lib" / name / "site-packages" / "mpboot"
            os.utime(package, (0, {late: 200}.get(name, 300 if name == "python3.12" else 100)))
        for name in names[:2]:  # the last is gone
            executable(tmp_path / "path" / name, SHOWS)
        said = run(script, path=f"{tmp_path}/path:{TOOLS}").stdout
        assert said == f"{tmp_path}/path/{late} {script}\n"

    @pytest.mark.parametrize("shell", ["bash", "zsh"])
    def test_where_a_shell_is_given_its_name(self, tmp_path: Path, shell: str) -> None:
        if shutil.which(shell) is None:
            refuse("shells", f"{shell} is not installed")
        script = installed(tmp_path)
        executable(tmp_path / "bin" / "python3", SHOWS)
        path = f"{tmp_path}/bin:{TOOLS}"
        words = [shell, script if shell == "zsh" else "mpboot", "x"]
        done = subprocess.run(
            words, env={"PATH": path}, cwd="/", capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.stdout, done.stderr) == (f"{tmp_path}/bin/python3 {script} x\n", "")

    def test_a_copy_of_it_says_what_it_is(self, tmp_path: Path) -> None:
        executable(tmp_path / "bin" / "python3", f'#!/bin/sh\nexec "{sys.base_prefix}/bin/python3" -I "$@"\n')
        done = run(installed(tmp_path), "--version")
        assert done.returncode == 1
        assert done.stderr.endswith("has no mpboot: link to the command where it was installed (ln -s), no copy\n")
        assert done.stderr.count("\n") == 1

    def test_a_directory_as_standard_input(self, tmp_path: Path) -> None:
        root = os.open("/", os.O_RDONLY)
        done = subprocess.run(
            [installed(tmp_path)], stdin=root, capture_output=True, text=True, timeout=30, check=False
        )
        os.close(root)
        assert (done.returncode, done.stderr) == (2, "mpboot: standard input is a directory\n")

    def test_where_nothing_is_known_that_of_path(self, tmp_path: Path) -> None:
        script = installed(tmp_path / "opt")
        executable(tmp_path / "path" / "python3", SHOWS)
        assert run(script, path=f"{tmp_path}/path:{TOOLS}").stdout == f"{tmp_path}/path/python3 {script}\n"

    def test_without_the_tools_that_it_likes_to_have(self, tmp_path: Path) -> None:
        script = installed(tmp_path)
        executable(tmp_path / "bin" / "python3", SHOWS)
        done = run(script, "x", path="/nowhere")
        assert (done.stdout, done.stderr) == (f"{tmp_path}/bin/python3 {script} x\n", "")

    def test_with_an_env_that_blocks_no_signals(self, tmp_path: Path) -> None:
        script = installed(tmp_path)
        executable(tmp_path / "bin" / "python3", SHOWS)
        executable(tmp_path / "old" / "env", "#!/bin/sh\necho env: unrecognized option >&2; exit 125\n")
        done = run(script, "x", path=f"{tmp_path}/old:{TOOLS}")
        assert (done.stdout, done.stderr) == (f"{tmp_path}/bin/python3 {script} x\n", "")


def blocks() -> bool:
    """Can env block signals here?"""
    done = subprocess.run(["env", "--block-signal=INT", "true"], capture_output=True, check=False)
    return not done.returncode


@pytest.mark.skipif(not blocks(), reason="env can't block signals: coreutils before 8.31")
class TestInterrupted:
    @pytest.fixture
    def script(self, tmp_path: Path) -> Path:
        """One whose Python gets Ctrl-C before it has begun, as it does where somebody is quick."""
        python = f'#!/bin/sh\nkill -INT $$\nexec "{sys.executable}" "$@"\n'
        executable(tmp_path / "bin" / "python3", python)
        return installed(tmp_path)

    def env(self) -> dict[str, str]:
        return environment(PYTHONPATH=str(SCRIPT.parents[2]))

    def test_while_python_starts(self, script: Path) -> None:
        done = subprocess.run([script, "--version"], env=self.env(), capture_output=True, timeout=30, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")

    def test_where_that_is_ignored_it_stays_so(self, script: Path) -> None:
        words = ["sh", "-c", 'trap "" INT; exec "$0" --version', str(script)]
        done = subprocess.run(words, env=self.env(), capture_output=True, timeout=30, check=False)
        assert (done.returncode, done.stdout.split()[:1]) == (0, [b"mpboot"])

    def test_nothing_that_is_started_has_it_blocked(self, tmp_path: Path) -> None:
        executable(tmp_path / "bin" / "python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        script = installed(tmp_path)
        look = "grep SigBlk /proc/self/status; kill -INT $$; echo on"
        done = subprocess.run(
            [script, "-w", "h1", "--rsh", "local", "--quiet", "--", "sh", "-c", look],
            env=self.env(), capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (130, "h1: SigBlk:\t0000000000000000\n"), done.stderr


def test_what_is_installed_is_this_script() -> None:
    found = shutil.which("mpboot", path=os.path.dirname(sys.executable))  # noqa: PTH120
    if found is None:
        pytest.skip("mpboot is not installed beside this Python")
    assert Path(found).read_text() == SCRIPT.read_text(), "tools/test makes the environment anew where it has changed"
