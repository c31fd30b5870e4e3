"""tools/mutate changes a module in small ways, runs its tests against each change, and leaves all as it was."""

from __future__ import annotations

import ast
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mutatelib
import pytest

from tests.support.cluster import need

ROOT = Path(__file__).resolve().parents[2]
MODULE = "mpboot/tree/policy.py"


def made(text: str) -> set[str]:
    """What a small change makes of a text, one after another; each is taken back."""
    tree = ast.parse(text)

    def texts() -> Iterator[str]:
        for change in mutatelib.changes(tree, random.Random(1)):
            change.put(change.after)
            yield ast.unparse(ast.fix_missing_locations(tree))
            change.put(change.before)

    found = set(texts())
    assert ast.unparse(tree) == ast.unparse(ast.parse(text))
    return found


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("a < b", {"a <= b", "a > b"}),
        ("a is b", {"a is not b"}),
        ("a + b", {"a - b"}),
        ("a and b", {"a or b"}),
        ("not a", {"a"}),
        ("1", set()),  # as a statement, like a docstring
        ("x = 1", {"x = 2", "x = 0"}),
        ("x = True", {"x = False"}),
        ("x = 'a'", {"x = '~'"}),
        ("x = b''", {"x = b'~'"}),
        ("x = None", set()),
        ("x: 'int' = y", set()),
        ("a if b else c", {"a if not b else c"}),
        ("[a for b in c if d]", {"[a for b in c if not d]"}),
        ("__slots__ = ('a',)", set()),
        ("if TYPE_CHECKING:\n    x = 1", set()),
        ("def f(a: 'b') -> 'c':\n    'd'\n    e()", {'def f(a: \'b\') -> \'c\':\n    """d"""\n    pass'}),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ("def f():\n    return", {"def f():\n    pass"}),
        ("def f():\n    x = y\n    x.z = y", {"def f():\n    x = y\n    pass"}),
    ],
)
def test_what_is_changed(text: str, changed: set[str]) -> None:
    assert made(text) == changed


def run(*words: str) -> subprocess.CompletedProcess[str]:
    need("namespaces")
    command = [str(ROOT / "tools" / "mutate"), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.long
def test_what_tests_do_not_notice_is_told(tmp_path: Path) -> None:
    before = (ROOT / MODULE).read_text()
    weak = tmp_path / "test_weak.py"
    weak.write_text("from mpboot.tree.policy import START\ndef test(): assert START == 8\n")
    nothing = ["--deselect", "tests/tree/test_policy.py"]
    done = run("--changes", "12", "--seed", "5", MODULE, "--", *nothing, str(weak))
    assert done.returncode == 0, done.stdout + done.stderr
    *survivors, summary, _ = done.stdout.splitlines()
    assert summary.startswith(f"{MODULE}: 12 changes, {12 - len(survivors)} noticed")
    assert len(survivors) > 8
    assert all(line.startswith(f"  survived {MODULE}:") and " → " in line for line in survivors)
    assert done.stdout == run("--changes", "12", "--seed", "5", MODULE, "--", *nothing, str(weak)).stdout
    assert (ROOT / MODULE).read_text() == before


def test_tests_that_fail_anyway_measure_nothing(tmp_path: Path) -> None:
    wrong = tmp_path / "test_wrong.py"
    wrong.write_text("def test(): assert False\n")
    done = run(MODULE, "--", str(wrong))
    assert done.returncode == 1
    assert "do not pass as it is" in done.stderr


def test_no_such_module() -> None:
    done = run("mpboot/nowhere.py")
    assert done.returncode == 2
    assert "no module mpboot/nowhere.py" in done.stderr
