"""Equal files of many hosts are pulled once, under the set of their hosts."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpboot.session.folding import name_of
from tests.support.kept import Kept, attached, kept
from tests.support.pushing import left_over
from tests.support.waiting import until


@pytest.fixture(scope="module")
def user() -> Iterator[Kept]:
    with kept("h[1-5]") as made:
        yield made


def pulled(user: Kept, tmp_path: Path, *sources: str) -> dict[str, object]:
    """What is where."""
    done = user.mpboot("pull", "--fold", "--json", "-", *sources, f"{tmp_path}/got")
    assert done.returncode == 0, done.stderr
    assert left_over(tmp_path / "got") == []
    return dict(json.loads(done.stdout)["folded"])


def test_equal_ones_once(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "same").write_text("same")
    told = pulled(user, tmp_path, str(tmp_path / "same"), "/proc/self/stat")
    assert told["h[1-5]/same"] == ["h1", "h2", "h3", "h4", "h5"]
    assert (tmp_path / "got" / "h[1-5]" / "same").read_text() == "same"
    assert {place for place in told if place.endswith("stat")} == {f"h{number}/stat" for number in range(1, 6)}
    assert sorted(path.name for path in (tmp_path / "got").iterdir()) == ["h1", "h2", "h3", "h4", "h5", "h[1-5]"]


def test_directories_as_they_are(user: Kept, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "x").write_text("x")
    (tree / "sub" / "l").symlink_to("x")
    (tree / "sub").chmod(0o550)
    os.utime(tree / "sub", ns=(10**18, 10**18))
    told = pulled(user, tmp_path, str(tree))
    assert list(told) == ["h[1-5]/tree"]
    got = tmp_path / "got" / "h[1-5]" / "tree" / "sub"
    assert ((got / "x").read_text(), (got / "l").readlink()) == ("x", Path("x"))
    assert (stat.S_IMODE(got.stat().st_mode), got.stat().st_mtime_ns) == (0o550, 10**18)


def test_what_is_there_is_not_mixed_with_it(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "x").write_text("x")
    (tmp_path / "got" / "h[1-5]" / "tree" / "mine").mkdir(parents=True)
    done = user.mpboot("pull", "--fold", f"{tmp_path}/tree", f"{tmp_path}/got")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1, f"mpboot: h[1-5]: unsupported: {tmp_path}/got/h[1-5]/tree: Directory not empty: give another directory",
    )  # fmt: skip
    assert [path.name for path in (tmp_path / "got" / "h[1-5]" / "tree").iterdir()] == ["mine"]
    assert left_over(tmp_path / "got") == []


def test_by_the_library(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "same").write_text("same")
    with attached(user) as session:
        found = session.pull([str(tmp_path / "same")], str(tmp_path / "got"), on="h[1-2]", fold=True)
    assert (found.good, found.folded) == (True, {"h[1-2]/same": ["h1", "h2"]})


def test_a_failure_is_nobody_elses(user: Kept, tmp_path: Path) -> None:
    """A host that has not sent all has what came of it for itself."""
    (tmp_path / "same").write_text("same")
    done = user.mpboot("pull", "--fold", "--json", "-", f"{tmp_path}/same", f"{tmp_path}/none", f"{tmp_path}/got")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert {host["cause"] for host in told["hosts"].values()} == {"not-found"}
    assert sorted(told["folded"]) == [f"h{number}/same" for number in range(1, 6)]


def test_ctrl_c_leaves_nothing_half(user: Kept, tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(1 << 30)
    pull = user.start("pull", "--fold", str(tmp_path / "big"), str(tmp_path / "got"))
    until(lambda: len(left_over(tmp_path / "got")) > 1, 20.0)
    pull.send_signal(signal.SIGINT)
    assert pull.wait(20) == 130
    assert not (tmp_path / "got").exists()  # the pull had made it


@pytest.mark.parametrize(
    ("hosts", "name"),
    [
        (["a"], "a"), ([f"n{number:03}" for number in range(1, 148)], "n[001-147]"), (["a", "b"], "a,b"),
        ([f"{letter * 30}{number}" for letter in "abcdefgh" for number in (1, 3, 7)], f"{'a' * 30}1+23-"),
        ([f"n{number * number}" for number in range(100)], "n0+99-"),
    ],
)  # fmt: skip
def test_the_name_of_a_set(hosts: list[str], name: str) -> None:
    found = name_of(hosts)
    assert found.startswith(name)
    assert len(found) <= 200
    assert name_of(hosts[:-1] or ["b"]) != found
