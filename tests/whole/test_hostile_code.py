"""Nothing but the standard library and what came over the line is imported, whoever put what elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hostile_boot import HOUSE
from tests.support.run_mpboot import environment, script

pytestmark = pytest.mark.timeout(60)

# All that a Python may look for in a directory, but for what is a part of the interpreter itself.
NAMES = sorted({
    *getattr(sys, "stdlib_module_names", ("select", "resource", "_json", "os", "posixpath", "types", "typing", "zlib")),
    "psutil", "mpboot", "click", "rich", "typing_extensions", "sitecustomize", "usercustomize", "__main__",
} - set(sys.builtin_module_names))  # fmt: skip
FOUR = ("select", "resource", "_json", "psutil")  # were executed
# A launch that takes so long is looked at, which is when psutil is wanted.
SLOW = "case $host in slow*) sleep 2.2;; esac"


def lay(directory: Path, mark: Path, names: tuple[str, ...] | list[str] = NAMES) -> None:
    """Put modules there that leave a mark when they are imported."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        code = f"import sys; open({str(mark)!r}, 'a').write('%s %s\\n' % (__name__, sys.argv))"
        (directory / f"{name}.py").write_text(code)


def look(directory: Path, mark: Path) -> None:
    """See that modules laid like that are found where Python looks for them: the test would notice."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import fractions"
    subprocess.run([sys.executable, "-c", code, directory], capture_output=True, check=False)
    assert mark.read_text().startswith("fractions ")
    mark.unlink()


def boot(directory: Path, program: list[str], rsh: str, *more: str) -> None:
    """Boot hosts of which one is below another."""
    argv = [*program, "--hosts", ",".join(["good1", *more, "good2"]), "--topology", "tree", "--children", "2"]
    done = subprocess.run(
        [*argv, "--rsh", rsh, "--timeout", "20", "--", "true"], cwd=directory, stdin=subprocess.DEVNULL,
        env=environment(PYTHONPATH=str(HOUSE)), capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def a_home(directory: Path, home: Path) -> str:
    """An rsh that logs in to a home full of such modules, where all variables lead to them as well."""
    library = home / ".local" / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    lay(library, directory / "mark")
    (library / "all.pth").write_text(f"import sys; open({str(directory / 'mark')!r}, 'a').write('pth')\n")
    paths = f"PYTHONPATH={home} PYTHONHOME={home} PYTHONUSERBASE={home}/.local PYTHONSTARTUP={home}/os.py"
    return script(
        directory / "rsh",
        f'{SLOW}\nexport HOME={home} {paths} PYTHONINSPECT=1\ncd {home}\nexec /bin/sh -c "$*"',
    )


def program(directory: Path, text: str) -> list[str]:
    """A program in a directory of its own, as pip installs them."""
    (directory / "bin").mkdir()
    (directory / "bin" / "program").write_text(text)
    return [sys.executable, str(directory / "bin" / "program")]


@pytest.mark.long
def test_where_mpboot_is_typed_and_on_hosts(tmp_path: Path) -> None:
    """Head, fork server, workers and watchers, and hosts: some launches are so slow that they are looked at."""
    mark, evil = tmp_path / "mark", tmp_path / "home"
    lay(evil, mark)
    look(evil, mark)
    command = program(tmp_path, "import sys\nfrom mpboot.cli.main import main\nsys.exit(main())\n")
    boot(evil, command, a_home(tmp_path, evil), "slow1", "slow2")
    assert not mark.exists(), mark.read_text()


def test_python_m_mpboot(tmp_path: Path) -> None:
    """Python itself looks into the working directory here before mpboot can say anything: so few modules only."""
    mark, evil = tmp_path / "mark", tmp_path / "here"
    lay(evil, mark, FOUR)
    boot(evil, [sys.executable, "-m", "mpboot"], a_home(tmp_path, evil))
    assert not mark.exists(), mark.read_text()


def test_what_the_library_starts(tmp_path: Path) -> None:
    """A program's own path is its own affair; the root and what it forks have none of it."""
    mark, evil = tmp_path / "mark", tmp_path / "here"
    lay(evil, mark)
    text = (
        "import os, sys, mpboot\nevil, rsh = sys.argv[1:]\nos.chdir(evil)\nos.environ['PYTHONPATH'] = evil\n"
        "print(mpboot.boot('good1,good2,good3', topology='ring', rsh=rsh).up)\n"
    )
    done = subprocess.run(
        [*program(tmp_path, text), evil, a_home(tmp_path, evil)], env=environment(PYTHONPATH=str(HOUSE)),
        capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert done.stdout == "3\n", done.stderr
    assert not mark.exists(), mark.read_text()
