"""Files to hosts and of hosts, over sessions of agents on this machine, by the real command."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kept import Kept, attached, kept
from tests.support.pushing import left_over, outcomes, spotted
from tests.support.waiting import until

BIG = 3_000_000  # bytes: hosts get them from each other


@pytest.fixture(scope="module")
def user() -> Iterator[Kept]:
    with kept("h[1-4]") as made:
        yield made


def picture(path: Path) -> dict[str, tuple[object, ...]]:
    """All that is below a directory: kind, mode, time, contents."""
    found: dict[str, tuple[object, ...]] = {}
    for one in [path, *sorted(path.rglob("*"))]:
        about = one.lstat()
        mode = stat.S_IMODE(about.st_mode)
        name = str(one.relative_to(path))
        if one.is_symlink():
            found[name] = ("link", str(one.readlink()))
        elif one.is_dir():
            found[name] = ("directory", mode, about.st_mtime_ns)
        else:
            found[name] = ("file", mode, about.st_mtime_ns, one.read_bytes())
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with all that can be sent."""
    top = tmp_path / "tree"
    (top / "sub" / "deep").mkdir(parents=True)
    (top / "big").write_bytes(os.urandom(BIG))
    (top / "empty").write_bytes(b"")
    (top / "sub" / "x").write_text("x")
    (top / "sub" / "x").chmod(0o640)
    (top / "sub" / "link").symlink_to("../big")
    with (top / "holes").open("wb") as file:
        file.truncate(3 << 20)
    Path(os.fsdecode(bytes(top) + b"/n\nl\xff")).write_text("odd")
    (top / "sub" / "deep").chmod(0o550)
    os.utime(top / "sub", ns=(10**18 + 123456789, 10**18 + 123456789))
    return top


def test_a_directory_arrives_as_it_is(user: Kept, tree: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    done = user.mpboot("push", "-w", "h1", str(tree), str(there))
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("mpboot: 1 of 1 host done, 6.1 MB in ")
    assert picture(there / "tree") == picture(tree)
    assert (there / "tree" / "holes").stat().st_blocks == 0
    assert left_over(there) == []


def test_to_a_name_of_its_own(user: Kept, tree: Path, tmp_path: Path) -> None:
    assert user.mpboot("push", "-w", "h1", str(tree), str(tmp_path / "other")).returncode == 0
    assert picture(tmp_path / "other") == picture(tree)


def test_a_small_file_to_all(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "small").write_text("small")
    done = user.mpboot("push", str(tmp_path / "small"), str(tmp_path / "copy"), "--json", "-")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["bytes"] == 5
    assert told["hosts"] == {f"h{number}": {"state": "done"} for number in range(1, 5)}
    assert (tmp_path / "copy").read_text() == "small"


def test_what_is_there_is_not_sent_again(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(BIG))
    with attached(user) as session:
        first = session.push([str(tmp_path / "big")], str(tmp_path / "copy"), on="h1")
        again = session.push([str(tmp_path / "big")], str(tmp_path / "copy"), on="h1")
        (tmp_path / "copy").write_bytes(bytes(BIG))
        os.utime(tmp_path / "copy", ns=((tmp_path / "big").stat().st_mtime_ns,) * 2)
        trusting = session.push([str(tmp_path / "big")], str(tmp_path / "copy"), on="h1")
        assert (tmp_path / "copy").read_bytes() == bytes(BIG)
        verified = session.push([str(tmp_path / "big")], str(tmp_path / "copy"), on="h1", verify=True)
    assert [one.good for one in (first, again, trusting, verified)] == [True] * 4
    assert [one.sent for one in (first, again, trusting, verified)] == [BIG, 0, 0, BIG]
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "big").read_bytes()


def test_a_destination_that_is_not_there(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    for dest, why in (
        ("none/", f"{tmp_path}/none/ is no directory"),
        ("none/x", f"{tmp_path}/none/x: the directory that it would be in is not there"),
    ):
        done = user.mpboot("push", str(tmp_path / "one"), f"{tmp_path}/{dest}")
        assert (done.returncode, done.stderr.splitlines()[0]) == (1, f"mpboot: h[1-4]: not-found: {why}")
    done = user.mpboot("push", str(tmp_path / "one"), str(tmp_path / "two"), f"{tmp_path}/three")
    assert f"not-found: {tmp_path}/three is no directory" in done.stderr


def test_no_directory_makes_way_for_a_file_nor_a_file_for_a_directory(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "there" / "one").mkdir(parents=True)
    done = user.mpboot("push", "-w", "h1", str(tmp_path / "one"), str(tmp_path / "there"))
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1, f"mpboot: h1: unsupported: {tmp_path}/there/one is a directory: no file takes its place",
    )  # fmt: skip
    (tmp_path / "tree").mkdir()
    (tmp_path / "there" / "tree").write_text("a file")
    done = user.mpboot("push", "-w", "h1", str(tmp_path / "tree"), str(tmp_path / "there"))
    assert f"unsupported: {tmp_path}/there/tree is there and no directory" in done.stderr


def test_nothing_is_written_through_a_link(user: Kept, tree: Path, tmp_path: Path) -> None:
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    (there / "tree").mkdir(parents=True)
    elsewhere.mkdir()
    (there / "tree" / "sub").symlink_to(elsewhere)
    done = user.mpboot("push", "-w", "h1", str(tree), str(there))
    assert done.returncode == 1
    assert "unsupported: " in done.stderr
    assert list(elsewhere.iterdir()) == []
    assert left_over(there) == []


def test_a_link_in_a_files_place_is_replaced(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("new")
    (tmp_path / "precious").write_text("old")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "one").symlink_to(tmp_path / "precious")
    assert user.mpboot("push", "-w", "h1", str(tmp_path / "one"), str(tmp_path / "there")).returncode == 0
    assert (tmp_path / "precious").read_text() == "old"
    assert (tmp_path / "there" / "one").read_text() == "new"


def test_what_is_no_file_is_left_out_and_said(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "good").write_text("x")
    os.mkfifo(tmp_path / "tree" / "fifo")
    done = user.mpboot("push", "-w", "h1", str(tmp_path / "tree"), str(tmp_path / "there"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == (
        f"mpboot: {tmp_path}/tree/fifo: neither a file nor a directory nor a link: not sent"
    )
    assert (tmp_path / "there" / "good").read_text() == "x"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("push", "x"), "push: say what, and where to: mpboot push SOURCE… DEST"),
        (("push", "/nowhere", "/tmp"), "push: /nowhere: No such file or directory"),
        (("push", "/", "/tmp"), "push: /: it gives no name"),
        (("push", "a/same", "b/same", "/tmp"), "push: "),
        (("pull", "x"), "pull: say what, and where to: mpboot pull SOURCE… DIR"),
        (("push", "-w", "nobody", "/etc/hostname", "/tmp/x"), "not in session default: nobody"),
    ],
)
def test_usage(user: Kept, words: tuple[str, ...], says: str) -> None:
    done = user.mpboot(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"mpboot: {says}")


def test_pull_to_a_directory_for_each_host(user: Kept, tree: Path, tmp_path: Path) -> None:
    done = user.mpboot("pull", str(tree), "/etc/passwd", str(tmp_path / "got"), "--json", "-")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["hosts"] == {f"h{number}": {"state": "done"} for number in range(1, 5)}
    for number in range(1, 5):
        assert picture(tmp_path / "got" / f"h{number}" / "tree") == picture(tree)
        assert (tmp_path / "got" / f"h{number}" / "passwd").read_bytes() == Path("/etc/passwd").read_bytes()
    assert left_over(tmp_path / "got") == []


def test_pull_of_what_is_not_there(user: Kept, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    done = user.mpboot("pull", "-w", "h[1-2]", "/nowhere", str(tmp_path / "one"), str(tmp_path / "got"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "mpboot: h[1-2]: not-found: /nowhere: No such file or directory"
    assert (tmp_path / "got" / "h1" / "one").read_text() == "1"
    (tmp_path / "none" / "h2").mkdir(parents=True)
    assert user.mpboot("pull", "-w", "h[1-2]", "/nowhere", str(tmp_path / "none")).returncode == 1
    assert [one.name for one in (tmp_path / "none").iterdir()] == ["h2"]  # that was there before
    assert user.mpboot("pull", "-w", "h[1-2]", "/nowhere", str(tmp_path / "new")).returncode == 1
    assert not (tmp_path / "new").exists()  # made for it, and nothing came


@pytest.mark.long
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """/dev/full stands for one: a limit of the size of files, as the kernel has it."""
    (tmp_path / "big").write_bytes(os.urandom(BIG))
    with kept() as other:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
        try:
            other.begin("h[1-2]")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        done = other.mpboot("push", str(tmp_path / "big"), str(tmp_path / "there"))
        assert done.returncode == 1
        assert "h[1-2]: no-space: " in done.stderr
        assert left_over(tmp_path) == []
        assert not (tmp_path / "there").exists()
        other.end()


@pytest.mark.long
def test_ctrl_c_leaves_nothing(user: Kept, tmp_path: Path) -> None:
    spotted(tmp_path / "big", 1 << 30)
    (tmp_path / "there").mkdir()
    push = user.start("push", str(tmp_path / "big"), str(tmp_path / "there"), "--json", str(tmp_path / "report"))
    until(lambda: len(left_over(tmp_path / "there")) == 4, 20.0)
    push.send_signal(signal.SIGINT)
    assert push.wait(20) == 130
    hosts = json.loads((tmp_path / "report").read_text())["hosts"]
    assert {host["cause"] for host in hosts.values()} == {"interrupted"}
    until(lambda: not left_over(tmp_path), 10.0)
    assert list((tmp_path / "there").iterdir()) == []


def test_a_daemon_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    spotted(tmp_path / "big", 1 << 30)
    (tmp_path / "there").mkdir()
    with kept("h[1-4]") as user:
        push = user.start("push", str(tmp_path / "big"), str(tmp_path / "there"), "--json", str(tmp_path / "report"))
        until(lambda: len(left_over(tmp_path / "there")) == 4, 20.0)
        os.kill(user.daemon, signal.SIGKILL)
        assert push.wait(20) == 1
        assert {host["cause"] for host in outcomes(tmp_path).values()} == {"lost"}
        until(lambda: not left_over(tmp_path), 10.0)
        assert list((tmp_path / "there").iterdir()) == []


def test_a_client_that_is_killed_leaves_nothing(user: Kept, tmp_path: Path) -> None:
    spotted(tmp_path / "big", 1 << 30)
    (tmp_path / "there").mkdir()
    push = user.start("push", str(tmp_path / "big"), str(tmp_path / "there"))
    until(lambda: len(left_over(tmp_path / "there")) == 4, 20.0)
    push.kill()
    push.wait(20)
    until(lambda: not left_over(tmp_path), 10.0)
    assert list((tmp_path / "there").iterdir()) == []


def test_who_reaches_nobody_gets_it_through_the_tree(
    user: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "big").write_bytes(os.urandom(BIG))
    monkeypatch.setattr("mpboot.session.push.own_addresses", lambda *_: ["255.255.255.255"])
    with attached(user) as session:
        done = session.push([str(tmp_path / "big")], str(tmp_path / "copy"), on="h1")
    assert done.hosts["h1"].done, done
    assert done.sent == BIG
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "big").read_bytes()


def test_a_source_that_changes_meanwhile(user: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big").write_bytes(os.urandom(BIG))

    def changed(*_: object) -> list[str]:
        (tmp_path / "big").write_bytes(os.urandom(BIG))
        return ["127.0.0.1"]

    monkeypatch.setattr("mpboot.session.push.own_addresses", changed)
    with attached(user) as session:
        done = session.push([str(tmp_path / "big")], str(tmp_path / "copy"), on="h1")
    assert (done.hosts["h1"].cause, done.hosts["h1"].detail) == ("changed", "it changed while it was sent")
    assert not (tmp_path / "copy").exists()
    assert left_over(tmp_path) == []
