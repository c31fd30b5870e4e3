"""Output in files: complete to the byte, never outside their directory; and what becomes of it without room."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.cli import output_dir as module
from mpboot.cli.codes import LOST_CODE, OutputError
from mpboot.cli.output_dir import OutputDir, file_name
from mpboot.text import Lines

HOSTILE = [
    "a/b", "a%2Fb", "../../etc/passwd", "/etc/passwd", ".", "..", "", "a\nb", "a\x00b", "fe80::1%eth0", "joe@b:22",
    "a%", "x" * 400, "x" * 399 + "y", "ü" * 400, "h\udcff",
]  # fmt: skip


class Rounds:
    """A loop whose rounds the test ends."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def soon(self, call: Callable[[], None]) -> None:
        """Keep it until the round ends."""
        self.calls.append(call)

    def end(self) -> None:
        """Make the calls of this round."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class TestFiles:
    def test_both_are_there_when_the_command_has_started_and_not_before(self, tmp_path: Path) -> None:
        (tmp_path / "h1.out").write_bytes(b"of an older run")
        made = OutputDir(str(tmp_path))
        assert files(tmp_path) == {"h1.out": b"of an older run"}
        made.started("h1")
        assert files(tmp_path) == {"h1.out": b"", "h1.err": b""}
        made.line("h1", 1, b"x")
        made.started("h1")
        made.ended("h1", 0)
        assert made.finish() == []
        assert files(tmp_path) == {"h1.out": b"x\n", "h1.err": b""}
        assert (made.complaint, made.spoilt) == ("", [])

    def test_a_directory_is_made_with_those_above_it(self, tmp_path: Path) -> None:
        made = OutputDir(str(tmp_path / "a" / "b"))
        made.ended("h1", None)
        made.finish()
        assert set(files(tmp_path / "a" / "b")) == {"h1.out", "h1.err"}

    @given(pieces=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([1, 2]), st.binary(max_size=9))))
    def test_each_byte_comes_back(self, pieces: list[tuple[str, int, bytes]], tmp_path_factory: Any) -> None:
        directory = tmp_path_factory.mktemp("files")
        made = OutputDir(str(directory))
        rounds: Any = Rounds()
        made.attach(rounds)
        cut: dict[tuple[str, int], Lines] = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "MOST_OPEN", 2)
            patch.setattr(module, "WAITING", 5)
            for host, stream, piece in pieces:
                made.started(host)
                for line, whole in cut.setdefault((host, stream), Lines()).cut(piece):
                    made.line(host, stream, line, whole)
                if len(piece) == 4:
                    rounds.end()
            for (host, stream), lines in cut.items():
                if lines.rest:
                    made.line(host, stream, lines.rest, whole=False)
            made.ended("a", 0)
            made.attach(None)
            made.finish()
        for host, stream in {(host, stream) for host, stream, _ in pieces}:
            wanted = b"".join(piece for *where, piece in pieces if where == [host, stream])
            assert (directory / f"{host}{'.out' if stream == 1 else '.err'}").read_bytes() == wanted
        assert not made.complaint

    def test_it_is_written_at_the_end_of_a_round_and_much_of_it_before(self, tmp_path: Path) -> None:
        made = OutputDir(str(tmp_path))
        rounds: Any = Rounds()
        made.attach(rounds)
        made.line("h1", 1, b"x")
        made.line("h2", 1, b"x" * module.WAITING)
        assert files(tmp_path) == {
            "h1.out": b"", "h1.err": b"", "h2.err": b"", "h2.out": b"x" * module.WAITING + b"\n",
        }  # fmt: skip
        assert len(rounds.calls) == 1
        rounds.end()
        assert (tmp_path / "h1.out").read_bytes() == b"x\n"
        made.line("h1", 1, b"y")
        made.attach(None)
        assert (tmp_path / "h1.out").read_bytes() == b"x\ny\n"
        made.finish()

    def test_few_are_open_at_once_and_none_at_the_end(self, tmp_path: Path) -> None:
        before = open_descriptors()
        made = OutputDir(str(tmp_path))
        hosts = [f"h{number}" for number in range(module.MOST_OPEN * 3)]
        for turn in range(3):
            for host in hosts:
                made.line(host, 1, b"%d" % turn)
                assert open_descriptors() <= before + module.MOST_OPEN + 1
        made.finish()
        assert open_descriptors() == before
        assert files(tmp_path) == {
            **dict.fromkeys((f"{host}.err" for host in hosts), b""),
            **dict.fromkeys((f"{host}.out" for host in hosts), b"0\n1\n2\n"),
        }


class TestNames:
    @pytest.mark.parametrize("label", HOSTILE)
    def test_none_leads_out_of_the_directory(self, tmp_path: Path, label: str) -> None:
        inside = tmp_path / "inside"
        made = OutputDir(str(inside))
        made.line(label, 1, b"x")
        made.ended(label, 0)
        made.finish()
        assert not made.complaint
        assert sorted(files(inside).values()) == [b"", b"x\n"]
        assert [path.name for path in tmp_path.iterdir()] == ["inside"]

    def test_what_they_are(self) -> None:
        assert file_name("joe@b:22", 1) == b"joe@b:22.out"
        assert file_name("a/b", 2) == b"a%2Fb.err"
        assert file_name("a%2Fb", 1) == b"a%252Fb.out"
        assert file_name("fe80::1%eth0", 1) == b"fe80::1%eth0.out"

    def test_no_two_are_the_same(self) -> None:
        assert len({file_name(label, stream) for label in HOSTILE for stream in (1, 2)}) == 2 * len(HOSTILE)

    @given(st.text("%/2F5a\n", max_size=8), st.text("%/2F5a\n", max_size=8))
    def test_of_any_two(self, one: str, other: str) -> None:
        assert (file_name(one, 1) == file_name(other, 1)) == (one == other)

    def test_links_and_pipes_that_are_there_are_replaced_not_written_to(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").write_bytes(b"mine")
        (tmp_path / "h1.out").symlink_to("elsewhere")
        os.mkfifo(tmp_path / "h1.err")
        made = OutputDir(str(tmp_path))
        made.line("h1", 2, b"x")
        made.ended("h1", 0)
        made.finish()
        assert files(tmp_path) == {"elsewhere": b"mine", "h1.out": b"", "h1.err": b"x\n"}


class TestNoRoom:
    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("file", "Not a directory"),
            ("file/below", "Not a directory"),
            ("/proc/nowhere/x", "No such file or directory"),
            ("x" * 300, "File name too long"),
            ("", "No such file or directory"),
        ],
    )
    def test_a_directory_that_can_not_be(self, tmp_path: Path, monkeypatch: Any, path: str, why: str) -> None:
        monkeypatch.chdir(tmp_path)
        Path("file").touch()
        with pytest.raises(OutputError) as error:
            OutputDir(path)
        assert error.value.code == LOST_CODE
        assert str(error.value) == f"--output-dir {path}: {why}: give a directory that can be made, or written to"

    def test_a_directory_of_somebody_elses(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)
        before = open_descriptors()
        with pytest.raises(OutputError, match="it can't be written to"):
            OutputDir(str(tmp_path))
        assert open_descriptors() == before

    def test_a_file_that_can_not_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "h1.out").mkdir()
        made = OutputDir(str(tmp_path))
        made.started("h1")
        assert made.complaint == f"{tmp_path}/h1.out: Is a directory: not all was written of h1"
        made.line("h1", 1, b"12345")
        made.line("h1", 2, b"x")
        made.line("h2", 1, b"x")
        made.finish()
        assert made.complaint == f"{tmp_path}/h1.out: Is a directory: 6 bytes of output are lost, of h1"
        assert made.spoilt == ["h1"]
        assert (tmp_path / "h1.err").read_bytes() == (tmp_path / "h2.out").read_bytes() == b"x\n"

    def test_a_disk_that_gets_full_and_is_cleared_leaves_no_gap(self, tmp_path: Path, monkeypatch: Any) -> None:
        write, room = os.write, [7]

        def scarce(fd: int, data: bytes) -> int:
            if not room[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            count = write(fd, data[: room[0]])
            room[0] -= count
            return count

        monkeypatch.setattr(os, "write", scarce)
        made = OutputDir(str(tmp_path))
        made.line("h1", 1, b"12345")
        made.line("h1", 1, b"67890")
        made.line("h2", 1, b"1")
        room[0] = 100
        made.line("h1", 1, b"again")
        made.line("h3", 1, b"x")
        made.finish()
        assert made.spoilt == ["h1", "h2"]
        assert made.complaint == (f"{tmp_path}/h1.out: No space left on device: 13 bytes of output are lost, of h[1-2]")
        assert (tmp_path / "h1.out").read_bytes() == b"12345\n6"
        assert (tmp_path / "h3.out").read_bytes() == b"x\n"

    def test_one_that_says_so_only_when_the_file_is_closed(self, tmp_path: Path, monkeypatch: Any) -> None:
        close = os.close

        def late(fd: int) -> None:
            name = Path(f"/proc/self/fd/{fd}").readlink().name
            close(fd)
            if name == "h1.out":
                raise OSError(errno.EDQUOT, "Disk quota exceeded")

        made = OutputDir(str(tmp_path))
        monkeypatch.setattr(os, "close", late)
        made.line("h1", 1, b"x")
        made.ended("h1", 0)
        made.finish()
        assert made.complaint == f"{tmp_path}/h1.out: Disk quota exceeded: not all was written of h1"
