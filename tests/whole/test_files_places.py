"""Where files go and which can: destinations in all their forms, and files that are not as files are."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import need
from tests.support.kept import Kept, attached, kept
from tests.support.pushing import left_over, spotted
from tests.support.run_mpboot import MPBOOT, script
from tests.support.waiting import until

DEEP = 1200  # directories in each other: more than Python calls in each other


@pytest.fixture(scope="module")
def user() -> Iterator[Kept]:
    with kept("h[1-2]") as made:
        yield made


@pytest.fixture
def one(tmp_path: Path) -> str:
    (tmp_path / "one").write_text("1")
    return str(tmp_path / "one")


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_is_no_file_makes_way_for_none(user: Kept, one: str, tmp_path: Path, kind: str) -> None:
    """A push to /dev/null, by root, would else be the end of it."""
    there = tmp_path / "there"
    if kind == "fifo":
        os.mkfifo(there)
    else:
        socket.socket(socket.AF_UNIX).bind(str(there))
    before = there.lstat()
    done = user.mpboot("push", one, str(there))
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1, f"mpboot: h[1-2]: unsupported: {there} is no ordinary file: nothing takes its place",
    )  # fmt: skip
    assert (there.lstat().st_ino, there.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("dest", "made"), [("dir", "dir/one"), ("dir/", "dir/one"), ("dir/.", "dir/one"), ("dir/sub/..", "dir/one"),
                       ("link", "dir/one"), ("link/", "dir/one"), ("new", "new"), ("dir/new", "dir/new"),
                       ("dangling", "dangling")],
)  # fmt: skip
def test_destinations_as_cp_has_them(user: Kept, one: str, tmp_path: Path, dest: str, made: str) -> None:
    (tmp_path / "dir" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("dir")
    (tmp_path / "dangling").symlink_to("nowhere")
    done = user.mpboot("push", one, f"{tmp_path}/{dest}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / made).read_text() == "1"
    assert not (tmp_path / made).is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_a_directory_gets_the_name_before_a_slash(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "x").write_text("x")
    assert user.mpboot("push", "-w", "h1", f"{tmp_path}/tree/", f"{tmp_path}/new/").returncode == 0
    assert (tmp_path / "new" / "x").read_text() == "x"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("push", "one", ""), "push: a destination without a name"),
        (("push", "one", "x" * 5000), "push: a destination that is too long"),
        (("push", "", "x"), "push: a source without a name"),
        (("push", "-w", "h[3-1]", "one", "x"), "bad range"),
        (("push", "one/", "x"), "push: one/: Not a directory"),
        (("push", "/proc/self/status", "x"), "push: /proc/self/status: its size is not known"),
        (("pull", "a/same", "b/same", "x"), "pull: two sources are called same"),
        (("pull", "..", "x"), "pull: ..: it gives no name"),
        (("pull", "", "x"), "pull: a source without a name"),
        (("pull", "one", ""), "pull: a directory without a name"),
        (("pull", "one", "/dev/null"), "pull: /dev/null: Not a directory"),
    ],
)
def test_usage(user: Kept, one: str, words: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(one).parent)
    done = user.mpboot(*words)
    assert not Path("x").exists()
    assert (done.returncode, done.stderr[: len(says) + 8]) == (2, f"mpboot: {says}")


def test_a_tilde_is_the_home_directory_there(user: Kept, one: str, tmp_path: Path) -> None:
    name = f".mpboot-test-{os.getpid()}"
    mine = Path.home() / name
    try:
        done = user.mpboot("push", one, f"~/{name}")
        assert (done.returncode, mine.read_text()) == (0, "1"), done.stderr
        done = user.mpboot("pull", f"~/{name}", str(tmp_path / "got"))
        assert (done.returncode, (tmp_path / "got" / "h1" / name).read_text()) == (0, "1"), done.stderr
    finally:
        mine.unlink(missing_ok=True)
    done = user.mpboot("push", one, "~no-such-user/x")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1, "mpboot: h[1-2]: not-found: ~no-such-user: there is no such user",
    )  # fmt: skip


def test_names_as_long_as_may_be(user: Kept, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / ("f" * 255)).write_text("x")
    (tree / ("ü" * 127)).write_text("x")
    (tree / ("l" * 255)).symlink_to("where")
    done = user.mpboot("push", "-w", "h1", str(tree), f"{tmp_path}/there")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == sorted(path.name for path in tree.iterdir())


@pytest.mark.long
def test_directories_in_each_other(user: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    try:
        with monkeypatch.context() as patch:
            patch.chdir(deep)
            for _ in range(DEEP):
                Path("d").mkdir()
                os.chdir("d")
        for words in (("push", "-w", "h1", str(deep), f"{tmp_path}/there"),
                      ("pull", "-w", "h1", str(deep), f"{tmp_path}/got")):  # fmt: skip
            done = user.mpboot(*words)
            assert done.returncode == 0, done.stderr
        for made in ("there", "got/h1/deep"):
            assert Path(f"{tmp_path}/{made}" + "/d" * DEEP).is_dir()
    finally:  # pytest itself can't take them away
        subprocess.run(["rm", "-rf", *(f"{tmp_path}/{made}" for made in ("deep", "there", "got"))], check=True)


def test_what_the_kernel_has_as_files(user: Kept, tmp_path: Path) -> None:
    """Such files do not say how large they are; a copy of nothing is no copy."""
    done = user.mpboot("pull", "-w", "h1", "/proc/version", "/proc/sys/kernel/ostype", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "h1" / "version").read_text() == Path("/proc/version").read_text()
    assert (tmp_path / "h1" / "ostype").read_text() == "Linux\n"


def test_holes_of_what_is_pulled(user: Kept, tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(10 << 20)
        file.seek(5 << 20)
        file.write(b"x")
    done = user.mpboot("pull", "-w", "h1", str(tmp_path / "holes"), str(tmp_path / "got"))
    got = tmp_path / "got" / "h1" / "holes"
    assert (done.returncode, got.read_bytes()) == (0, (tmp_path / "holes").read_bytes()), done.stderr
    assert got.stat().st_blocks * 512 < 1 << 20


def test_times_of_links(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to("where")
    os.utime(tmp_path / "tree" / "link", ns=(10**18, 10**18), follow_symlinks=False)
    assert user.mpboot("push", "-w", "h1", str(tmp_path / "tree"), f"{tmp_path}/there").returncode == 0
    assert (tmp_path / "there" / "link").lstat().st_mtime_ns == 10**18


def test_the_mode_of_what_is_there_already(user: Kept, one: str, tmp_path: Path) -> None:
    Path(one).chmod(0o755)
    (tmp_path / "there").write_text("1")
    with attached(user) as session:
        done = session.push([one], str(tmp_path / "there"), on="h1", verify=True)
    assert done.good
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o755
    assert (tmp_path / "there").stat().st_mtime_ns == Path(one).stat().st_mtime_ns


def test_with_a_closed_standard_error(user: Kept, one: str, tmp_path: Path) -> None:
    words = ["sh", "-c", '"$@" 2>&-', "sh", *MPBOOT, "push", one, f"{tmp_path}/there"]
    assert subprocess.run(words, env=user.environment, timeout=30, check=False).returncode == 0
    assert (tmp_path / "there").read_text() == "1"


@pytest.mark.long
def test_a_host_without_a_home(one: str, tmp_path: Path) -> None:
    """A login goes on from / there: what was meant for home was put there, or taken from there."""
    need("namespaces")
    (tmp_path / "passwd").write_text(f"someone:x:0:0::{tmp_path}/nowhere:/bin/sh\n")
    bind = f'mount --bind {tmp_path}/passwd /etc/passwd && SHELL= exec sh -c "$1"'
    rsh = script(tmp_path / "rsh", f"exec unshare -rm sh -c '{bind}' sh \"$*\"")
    name = f"mpboot-test-{os.getpid()}"
    try:
        with kept() as user:
            done = user.mpboot("--hosts", "h1", "--rsh", f"{rsh} {{host}}", "--keep")
            assert done.returncode == 0, done.stderr
            said = f"mpboot: h1: not-found: the home directory {tmp_path}/nowhere is not there"
            for words in (("push", one, name), ("push", one, f"~/{name}"), ("pull", "etc/passwd", f"{tmp_path}/got")):
                done = user.mpboot(*words)
                assert (done.returncode, done.stderr.splitlines()[0]) == (1, said)
            assert user.mpboot("push", one, f"{tmp_path}/{name}").returncode == 0
        assert not Path(f"/{name}").exists()
    finally:
        Path(f"/{name}").unlink(missing_ok=True)


@pytest.mark.long
def test_ctrl_c_and_again(user: Kept, tmp_path: Path) -> None:
    """A second signal must not keep what receives from leaving nothing."""
    spotted(tmp_path / "big", 1 << 30)
    (tmp_path / "there").mkdir()
    push = user.start("push", str(tmp_path / "big"), str(tmp_path / "there"))
    until(lambda: len(left_over(tmp_path / "there")) == 2, 20.0)
    push.send_signal(signal.SIGINT)
    push.send_signal(signal.SIGTERM)
    assert push.wait(20) in (130, 143)
    until(lambda: not left_over(tmp_path), 10.0)
    assert list((tmp_path / "there").iterdir()) == []
