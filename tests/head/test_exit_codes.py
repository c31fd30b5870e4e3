"""The exit code of a boot: what came of its hosts and of their commands."""

from __future__ import annotations

import pytest

from mpboot.tree import causes
from tests.head.reports import boot_report, failed, ran, up


class TestExitCode:
    def test_all_up(self) -> None:
        assert boot_report(a=up(), b=up()).exit_code() == 0

    def test_too_few(self) -> None:
        report = boot_report(a=up(), b=failed("auth", ""))
        assert report.exit_code() == 1
        assert report.exit_code(quorum=1) == 0
        assert report.exit_code(quorum=2) == 1

    def test_largest_code_of_the_command(self) -> None:
        assert boot_report(a=up(3), b=up(130), c=up(0)).exit_code() == 130
        assert boot_report(a=up(3), b=failed("auth", "")).exit_code() == 1
        assert boot_report(a=up(3), b=failed("auth", "")).exit_code(quorum=1) == 3

    def test_interrupted(self) -> None:
        report = boot_report(a=up(3))
        report.ended_by = causes.INTERRUPTED
        assert report.exit_code(quorum=1) == 130

    def test_command_cut_short(self) -> None:
        report = boot_report(a=up())
        report.ended_by = causes.LOST
        assert report.exit_code() == 1
        assert report.exit_code(quorum=0) == 1

    @pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143), (1, 129), (0, 130)])
    def test_interrupted_by_a_signal(self, number: int, code: int) -> None:
        report = boot_report(a=ran(0, number))
        report.ended_by, report.signal = causes.INTERRUPTED, number
        assert report.exit_code() == code

    def test_a_command_of_which_nothing_is_known_is_no_success(self) -> None:
        lost = ran(None)
        lost.fail("lost", "", 1, "head", "", "")
        assert boot_report(a=ran(0), b=ran(None)).exit_code() == 1
        assert boot_report(a=ran(0), b=lost).exit_code(quorum=1) == 0  # which the quorum has seen to
        assert boot_report(a=ran(0), b=lost).exit_code() == 255
        assert boot_report(a=ran(0), b=failed("auth", "")).exit_code() == 1

    @pytest.mark.parametrize("one", [(0, 15), (143, 15), (None, 9), (None, 0)])
    def test_a_deadline_that_has_ended_a_command(self, one: tuple[int | None, int]) -> None:
        report = boot_report(a=ran(*one), b=ran(0), c=failed(causes.DEADLINE, ""))
        report.ended_by = causes.DEADLINE
        assert (report.exit_code(), report.exit_code(quorum=1)) == (124, 124)

    def test_a_deadline_is_no_failure_where_enough_are_up(self) -> None:
        report = boot_report(a=up(), b=failed(causes.DEADLINE, ""))
        report.ended_by = causes.DEADLINE
        assert (report.exit_code(), report.exit_code(quorum=1)) == (1, 0)

    def test_without_a_host(self) -> None:
        assert boot_report().exit_code() == 0
