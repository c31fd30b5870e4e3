"""Where a command's output goes, from end to end: gathered, and into files."""

from __future__ import annotations

import re
import signal

from tests.support.run_mpboot import LOCAL, Running, mpboot
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
        command = "echo begun; if [ $MPBOOT_HOST = n1 ]; then exit; fi; echo waiting >&2; sleep 99"
        with Running("--hosts", "n[1-3]", *LOCAL, "--gather", "--", "sh", "-c", command) as run:
            waiting: set[bytes] = set()
            while waiting != {b"n2: waiting\n", b"n3: waiting\n"}:
                waiting |= {run.stderr.readline()} & {b"n2: waiting\n", b"n3: waiting\n"}
            run.process.send_signal(signal.SIGINT)
            assert run.stdout.read().decode() == f"{RULE}\nn[1-3] (3)\n{RULE}\nbegun\n"
            assert run.end() == 130

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
