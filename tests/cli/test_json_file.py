"""The file that --json names: opened early, written late, and what becomes of the exit code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from mpboot.cli.codes import LOST_CODE, UNREAD_CODE, UsageError
from mpboot.cli.json_file import dumped, open_for_json, write_json
from mpboot.cli.sink import Sink
from tests.cli.commands import COMMANDS
from tests.cli.conftest import Refused
from tests.cli.fakes import FakeSink
from tests.support.run_mpboot import mpboot

NEEDED = {
    "boot": ["-w", "h1", "--rsh", "local"], "plan": ["-w", "h1"], "exec": ["--", "true"], "grow": ["-w", "h1"],
    "push": ["a", "b"], "pull": ["a", "b"],
}  # fmt: skip
WRITERS = [name for name, command in COMMANDS.items() if any("--json" in param.opts for param in command.params)]


@pytest.mark.parametrize("name", WRITERS)
def test_each_command_opens_it_first(name: str) -> None:
    done = mpboot(name, "--json", "/nosuch/x", *NEEDED.get(name, ()))
    line = "mpboot: --json /nosuch/x: No such file or directory: give a file that can be written, or -\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


class TestOpen:
    def test_standard_output(self) -> None:
        assert open_for_json("-") == 1

    def test_what_is_there_stays_until_there_is_a_report(self, tmp_path: Path) -> None:
        target = tmp_path / "report.json"
        target.write_text("old")
        fd = open_for_json(str(target))
        assert target.read_text() == "old"
        assert os.get_blocking(fd)
        assert not os.get_inheritable(fd)
        os.close(fd)

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("/nonexistent/x", "No such file or directory"),
            ("/", "Is a directory"),
            ("", "No such file or directory"),
        ],
    )
    def test_what_can_not_be_written(self, path: str, why: str) -> None:
        with pytest.raises(UsageError) as error:
            open_for_json(path)
        assert str(error.value) == f"--json {path}: {why}: give a file that can be written, or -"

    def test_what_is_no_name_at_all(self) -> None:
        with pytest.raises(UsageError, match=r"^--json a\x00b: .*embedded null .*: give a file that can be written"):
            open_for_json("a\0b")

    @pytest.mark.parametrize("words", ["{} --rsh local", "plan {}", "plan --simulate {}", "grow {}",
                                       "-w a --rsh local --stdin {} -- cat", "push /dev/null {} /tmp",
                                       "-w a --rsh local --push {}:/tmp"])  # fmt: skip
    def test_a_file_that_the_command_reads(self, words: str, refused: Refused, tmp_path: Path) -> None:
        hosts = tmp_path / "hosts"
        hosts.write_text("a\n")
        (tmp_path / "link").symlink_to(hosts)
        before, dashes, command = words.format(hosts).partition(" -- ")
        said = refused(*before.split(), "--json", str(tmp_path / "link"), *(["--", command] if dashes else []))
        assert said == (f"mpboot: --json {tmp_path}/link: {hosts} is read, and would be overwritten: name another file")
        assert hosts.read_text() == "a\n"

    def test_a_device_may_be_read_and_written(self) -> None:
        os.close(open_for_json("/dev/null", "/dev/null"))

    def test_a_pipe_that_nobody_reads(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UsageError, match="--json"):
            open_for_json(str(tmp_path / "pipe"))

    def test_a_socket(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "socket"))
            with pytest.raises(UsageError, match="--json"):
                open_for_json(str(tmp_path / "socket"))


class TestWrite:
    @pytest.mark.parametrize("code", [0, 7])
    def test_what_was_longer_is_gone(self, tmp_path: Path, code: int) -> None:
        target = tmp_path / "report.json"
        target.write_text("x" * 10_000)
        sink = FakeSink()
        assert write_json(open_for_json(str(target)), '{"ü": 1}', sink, sink, code) == code  # type: ignore[arg-type]
        assert target.read_text(encoding="utf-8") == '{"ü": 1}\n'
        assert sink.text == b""

    def test_a_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE) as reader:
            fd = os.open(tmp_path / "pipe", os.O_WRONLY)  # waits for the reader, which open_for_json doesn't
            sink = FakeSink()
            assert write_json(open_for_json(str(tmp_path / "pipe")), "x", sink, sink, 0) == 0  # type: ignore[arg-type]
            os.close(fd)
            assert reader.communicate()[0] == b"x\n"

    @pytest.mark.parametrize("before", [0, 7])
    def test_a_full_disk(self, before: int) -> None:
        out, err = FakeSink(), FakeSink()
        assert write_json(open_for_json("/dev/full"), "x", out, err, before) == LOST_CODE  # type: ignore[arg-type]
        assert err.text == b"mpboot: --json /dev/full: No space left on device: it can't be written\n"
        assert err.unflushed == 0

    def test_a_device(self) -> None:
        err = FakeSink()
        assert write_json(open_for_json("/dev/null"), "x", err, err, 0) == 0  # type: ignore[arg-type]
        assert err.text == b""

    @pytest.mark.parametrize(("reads", "code"), [(True, 7), (False, UNREAD_CODE)])
    def test_standard_output(self, reads: bool, code: int) -> None:
        read, write = os.pipe()
        out = Sink(write)
        if not reads:
            os.close(read)
        assert write_json(1, "x", out, FakeSink(), 7) == code  # type: ignore[arg-type]
        if reads:
            assert os.read(read, 9) == b"x\n"
            os.close(read)
        os.close(write)

    def test_the_text_is_one_for_people_too(self) -> None:
        assert dumped({"a": [1]}) == '{\n "a": [\n  1\n ]\n}'


class TestOfABoot:
    def test_file(self, tmp_path: Path) -> None:
        target = tmp_path / "report.json"
        target.write_text("x" * 10_000)
        run = mpboot("--hosts", "a,b", "--rsh", "local", "--json", str(target), "--", "true")
        report = json.loads(target.read_text())
        assert run.returncode == 0
        assert list(report) == [
            "mpboot", "topology", "children", "seconds", "up", "failed", "hosts", "strangers", "last_up", "last_failed",
        ]  # fmt: skip
        assert report["hosts"]["b"]["exit"] == 0

    def test_what_was_there_stays_when_the_boot_is_refused(self, refused: Refused, tmp_path: Path) -> None:
        target = tmp_path / "report.json"
        target.write_text("old")
        refused("--hosts", "a", "--quorum", "7", "--json", str(target))
        assert target.read_text() == "old"

    def test_full_disk(self) -> None:
        run = mpboot("--hosts", "a", "--rsh", "local", "--json", "/dev/full")
        assert run.returncode == 74
        assert "can't be written" in run.stderr

    def test_devices_and_pipes(self, tmp_path: Path) -> None:
        assert mpboot("--hosts", "a", "--rsh", "local", "--json", "/dev/null").returncode == 0
        assert Path("/dev/null").is_char_device()
        os.mkfifo(tmp_path / "pipe")
        with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE) as reader:
            held = os.open(tmp_path / "pipe", os.O_WRONLY)  # waits for the reader
            assert mpboot("--hosts", "a", "--rsh", "local", "--json", str(tmp_path / "pipe")).returncode == 0
            os.close(held)
            assert json.loads(reader.communicate()[0])["up"] == 1
        assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("command", ["boot", "exec"])
@pytest.mark.parametrize("name", ["h1.out", "h1.err", "sub/../h1.out"])
def test_not_where_output_goes(refused: Refused, tmp_path: Path, command: str, name: str) -> None:
    (tmp_path / "sub").mkdir()
    path = f"{tmp_path}/{name}"
    hosts = ["-w", "h1"] if command == "boot" else []
    said = refused(command, *hosts, "--output-dir", str(tmp_path), "--json", path, "--", "true")
    assert said == f"mpboot: --json {path}: --output-dir has files of such names there: name another file"
    assert not (tmp_path / "h1.out").exists()


def test_nor_through_a_link(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "h1.out")
    path = str(tmp_path / "link")
    said = refused("boot", "-w", "h1", "--output-dir", str(tmp_path), "--json", path, "--", "true")
    assert said == f"mpboot: --json {path}: --output-dir has files of such names there: name another file"


def test_not_where_the_plot_goes(refused: Refused, tmp_path: Path) -> None:
    plot = tmp_path / "x.svg"
    said = refused("plan", "--simulate", "--hosts-count", "5", "--plot", str(plot), "--json", f"{tmp_path}/./x.svg")
    assert said == f"mpboot: --json {tmp_path}/./x.svg: --plot writes that file: name another"
