"""Where a command's output goes, from end to end: gathered, and into files."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from unittest.mock import ANY

import pytest

from tests.support.cluster import need
from tests.support.run_mpboot import LOCAL, LOGIN, MPBOOT, Running, environment, mpboot, script
from tests.whole.test_command import PEAK

RULE = "-" * 15


class TestGather:
    def test_equal_outputs_once_at_the_end(self) -> None:
        command = "case $MPBOOT_HOST in n3) echo other; exit 3;; *) echo same; printf 'no end'; echo err >&2;; esac"
        run = mpboot("--hosts", "n[1-5]", *LOCAL, "-b", "--", "sh", "-c", command)
        assert run.returncode == 3
        assert run.stdout == f"{RULE}\nn[1-2,4-5] (4)\n{RULE}\nsame\nno end\n{RULE}\nn3\n{RULE}\nother\n"
        errors = [line for line in run.stderr.splitlines() if not line.startswith("mpboot: ")]
        assert sorted(errors) == [f"n{number}: err" for number in (1, 2, 4, 5)]

    def test_the_variable_does_it_too_and_nothing_without_a_command(self) -> None:
        assert mpboot("--hosts", "a", *LOCAL, "--", "echo", "x", MPBOOT_GATHER="1").stdout == f"{RULE}\na\n{RULE}\nx\n"
        assert mpboot("--hosts", "a", *LOCAL, "--gather").stdout == ""

    def test_after_an_interrupt_what_has_come_until_then(self) -> None:
        command = "echo begun; echo there >&2; if [ $MPBOOT_HOST != n1 ]; then sleep 99; fi"
        with Running("--hosts", "n[1-3]", *LOCAL, "--gather", "--", "sh", "-c", command) as run:
            all_there = {b"n%d: there\n" % number for number in (1, 2, 3)}
            there: set[bytes] = set()
            while there != all_there:
                there |= {run.stderr.readline()} & all_there
            run.process.send_signal(signal.SIGINT)
            assert run.stdout.read().decode() == f"{RULE}\nn[1-3] (3)\n{RULE}\nbegun\n"
            assert run.end() == 130

    @pytest.mark.long
    def test_very_much_of_one_host_needs_little_memory_and_keeps_its_order(self) -> None:
        command = "if [ $MPBOOT_HOST = n1 ]; then seq 1000000 3000000; else echo few; fi"
        with Running("--hosts", "n[1-3]", *LOCAL, "-b", "--", "sh", "-c", command) as run:
            for number in range(1000000, 3000000):
                assert run.stdout.readline() == b"n1: %d\n" % number
            peaks = run.peaks()
            rest = run.stdout.read().decode()
            errors = run.stderr.read().decode()
            assert run.end() == 0
        assert rest == f"n1: 3000000\n{RULE}\nn[2-3] (2)\n{RULE}\nfew\n"
        assert re.findall("mpboot: n1: (.*)", errors) == ["too much output to gather: its lines are shown as they come"]
        assert all(peak < PEAK for peak in peaks.values()), peaks


class TestDirectory:
    def test_all_bytes_and_no_line_to_the_terminal(self, tmp_path: Path) -> None:
        command = "printf 'one\\n\\377\\000two'; [ $MPBOOT_RANK = 1 ] || exit 0; echo err >&2; exit 4"
        run = mpboot("--hosts", "joe@n[1-3]", *LOCAL, "--output-dir", f"{tmp_path}/new", "--", "sh", "-c", command)
        assert (run.returncode, run.stdout) == (4, "")
        assert all(line.startswith("mpboot: ") for line in run.stderr.splitlines())
        found = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
        assert found == {
            **{f"n{number}.out": b"one\n\xff\x00two" for number in (1, 2, 3)},
            "n1.err": b"", "n2.err": b"err\n", "n3.err": b"",
        }  # fmt: skip

    def test_what_is_there_stays_where_the_command_was_not_started(self, tmp_path: Path) -> None:
        rsh = script(tmp_path / "rsh", f"[ $host = n1 ] || exit 1; {LOGIN}")
        for name in ("n1.out", "n2.out"):
            (tmp_path / name).write_text("before")
        words = ("--rsh", rsh, "--retries", "0", "--output-dir", str(tmp_path), "--", "true")
        assert mpboot("--hosts", "n[1-2]", *words).returncode == 1
        assert (tmp_path / "n1.out").read_text() == ""
        assert (tmp_path / "n2.out").read_text() == "before"
        assert not (tmp_path / "n2.err").exists()

    def test_with_gather_it_does_both(self, tmp_path: Path) -> None:
        run = mpboot("--hosts", "n[1-2]", *LOCAL, "-b", "--output-dir", str(tmp_path), "--", "echo", "x")
        assert run.stdout == f"{RULE}\nn[1-2] (2)\n{RULE}\nx\n"
        assert (tmp_path / "n1.out").read_text() == (tmp_path / "n2.out").read_text() == "x\n"

    def test_without_a_command_none_is_made(self, tmp_path: Path) -> None:
        assert mpboot("--hosts", "a", *LOCAL, "--output-dir", f"{tmp_path}/new").returncode == 2
        assert mpboot("--hosts", "a", *LOCAL, MPBOOT_OUTPUT_DIR=f"{tmp_path}/new").returncode == 0
        assert not (tmp_path / "new").exists()

    def test_a_directory_that_can_not_be_made_is_told_before_anything_is_launched(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        run = mpboot("--hosts", "a", *LOCAL, "--output-dir", f"{tmp_path}/file/x", "--", "touch", f"{tmp_path}/ran")
        assert (run.returncode, run.stdout) == (74, "")
        assert run.stderr.startswith(f"mpboot: --output-dir {tmp_path}/file/x: Not a directory: give a directory that ")
        assert run.stderr.count("\n") == 1
        assert not (tmp_path / "ran").exists()

    def test_a_disk_that_gets_full(self, tmp_path: Path) -> None:
        """The report is shown, a line says what is lost, and what is there is the beginning of each host's output."""
        need("namespaces")
        inside = (
            "mount -t tmpfs -o size=256k none {0} && cd {0} && {1} --hosts n[1-3] --rsh local --output-dir . "
            "--json {2} -- sh -c 'seq 50000; exit 5'; echo $?; cp n?.out {3}"
        ).format(tmp_path / "full", " ".join(MPBOOT), tmp_path / "report.json", tmp_path)
        (tmp_path / "full").mkdir()
        run = subprocess.run(
            ["unshare", "-rm", "sh", "-c", inside], capture_output=True, text=True, timeout=30, check=False,
            env=environment(PYTHONPATH=str(Path(__file__).resolve().parents[2])),
        )  # fmt: skip
        assert run.stdout == "74\n"
        lost = int(run.stderr.partition(": No space left on device: ")[2].split()[0])
        whole = "".join(f"{number}\n" for number in range(1, 50001))
        there = [(tmp_path / f"n{number}.out").read_text() for number in (1, 2, 3)]
        assert all(whole.startswith(part) for part in there)
        assert sum(map(len, there)) + lost == 3 * len(whole)
        assert "mpboot: 3 of 3 hosts up in " in run.stderr
        assert run.stderr.count("No space left") == 1
        notes = json.loads((tmp_path / "report.json").read_text())["notes"]
        assert notes == [{"what": "output", "text": ANY, "hosts": ANY}]
        assert f"{lost} bytes of output are lost, of n" in notes[0]["text"]
