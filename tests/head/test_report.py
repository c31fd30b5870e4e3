"""What a boot's report says to people: causes folded, escapes harmless, advice for each; and its exit code."""

from __future__ import annotations

import json

import pytest

from mpboot._version import __version__
from mpboot.advice import ADVICE
from mpboot.head.report import CLEAR, BootReport, HostReport
from mpboot.text import fold
from mpboot.tree import causes
from tests.head.reports import boot_report, failed, ran, up


class TestTable:
    def test_nothing_failed(self) -> None:
        assert boot_report(h1=up()).table() == []

    def test_hosts_with_the_same_trouble_are_one_line(self) -> None:
        hosts = {
            f"node{number:03}": failed("connect-timeout", f"no answer to SYN from 10.0.0.{number}:22 for {number} s")
            for number in (5, 17)
        }
        lines = boot_report(**hosts).table()
        assert lines[0] == "connect-timeout    node[005,017]  e.g. no answer to SYN from 10.0.0.5:22 for 5 s"
        assert lines[1] == "    -> " + ADVICE["connect-timeout"]
        assert lines[2:] == ["    -> more: mpboot explain connect-timeout"]

    def test_host_names_in_the_detail_do_not_count(self) -> None:
        hosts = {name: failed("refused", f"ssh: connect to host {name} port 22: Connection refused") for name in "abc"}
        assert len(boot_report(**hosts).table()) == 3

    def test_ipv6_addresses_do_not_count(self) -> None:
        hosts = {name: failed("refused", f"[fe80::{name}]:22 refused") for name in ("1", "2ab")}
        assert len(boot_report(**hosts).table()) == 3

    def test_other_details_are_other_lines_the_largest_group_first(self) -> None:
        lines = boot_report(
            a=failed("rsh-failed", "ended with code 1"),
            b=failed("rsh-failed", "ended with code 2"),
            c=failed("rsh-failed", "ended with code 2"),
        ).table()
        assert lines[0].startswith("rsh-failed         b,c  ended with code 2")
        assert lines[1].startswith("rsh-failed         a  ended with code 1")

    def test_many_details_are_cut_but_with_verbose(self) -> None:
        report = boot_report(**{f"h{chr(97 + n)}": failed("rsh-failed", f"code {n}") for n in range(20)})
        assert len(report.table()) == 8
        assert any("15 other details" in line for line in report.table())
        assert len(report.table(verbose=True)) == 22

    def test_ten_thousand_hosts_are_one_line(self) -> None:
        report = boot_report(**{f"n{n}": failed("auth", f"joe@n{n}: Permission denied") for n in range(10_000)})
        assert report.table()[0].startswith("auth               n[0-9999]  ")

    def test_traceback_in_full_with_verbose_only(self) -> None:
        trace = 'Traceback (most recent call last):\n  File "x"\nOSError: no space'
        report = boot_report(a=failed("agent-crash", trace))
        assert report.table()[0] == "agent-crash        a  OSError: no space"
        assert any('File "x"' in line for line in report.table(verbose=True))

    def test_stderr_with_verbose(self) -> None:
        report = boot_report(a=failed("auth", "Permission denied", "banner\nPermission denied\n"))
        assert "    | banner" in report.table(verbose=True)
        assert sum("Permission denied" in line for line in report.table(verbose=True)) == 1

    @pytest.mark.parametrize("verbose", [False, True])
    def test_escapes_are_shown_not_sent(self, verbose: bool) -> None:
        evil = "\x1b]0;owned\x07\x9b31m\u202e\r\x00"
        report = boot_report(a=failed("rsh-failed", f"x {evil}\ny {evil}", f"{evil}\n{evil}z"))
        for line in report.table(60, verbose):
            assert line.isprintable()

    def test_wraps_at_the_terminals_width(self) -> None:
        report = boot_report(a=failed("rsh-failed", "word " * 60))
        lines = report.table(80)
        assert len(lines) > 4
        assert max(map(len, lines)) <= 80

    def test_each_cause_has_advice(self) -> None:
        assert set(ADVICE) == set(causes.ALL)
        assert all(text or cause == causes.INTERRUPTED for cause, text in ADVICE.items())


class TestFold:
    def test_names(self) -> None:
        assert fold(["n3", "n1", "n2"]) == "n[1-3]"
        assert fold(["n1"]) == "n1"

    def test_names_that_no_node_set_holds(self) -> None:
        assert fold(["joe@b:22", "n1", "fe80::1", "n2"]) == "n[1-2],joe@b:22,fe80::1"

    def test_addresses(self) -> None:
        assert fold(["10.0.0.1", "10.0.0.2"]) in ("10.0.0.[1-2]", "10.0.0.1,10.0.0.2")


class TestSummary:
    def test_all_up(self) -> None:
        report = boot_report(a=up(), b=up(level=3))
        assert report.summary() == "2 of 2 hosts up in 2.00 s (tree, 3 levels, 1.0 hosts/s)"

    def test_some_failed_strangers_and_exit_codes(self) -> None:
        report = boot_report(a=up(3), b=up(0), c=failed("auth", "x"))
        report.strangers = 2
        assert report.summary() == (
            "2 of 3 hosts up in 2.00 s (tree, 1 level, 1.0 hosts/s); 1 failed; 2 strangers turned away"
        )

    def test_a_command_that_was_barred_is_told(self) -> None:
        report = boot_report(a=up(), b=failed("auth", "x"))
        report.barred = True
        assert report.summary().endswith("; the command was not run, since not all are up")
        assert report.exit_code(quorum=1) == 1

    def test_nothing_failed_at_no_time(self) -> None:
        assert (boot_report(a=up()).last_failed, boot_report(a=failed("auth", "x")).last_up) == (0.0, 0.0)

    def test_both_times_are_told_where_some_took_longer_to_fail(self) -> None:
        bad = [failed("auth", "x"), failed("refused", "x")]
        bad[0].failed_at, bad[1].failed_at = 47.784, 1.0
        report = BootReport("tree", 4, {"a": up(), "b": up(), "c": bad[0], "d": bad[1]}, seconds=47.8)
        assert report.summary() == (
            "2 of 4 hosts up in 0.50 s (tree, 1 level, 4.0 hosts/s); 2 failed, the last given up after 47.78 s"
        )
        del report.hosts["d"]
        assert report.summary().endswith("; 1 failed, given up after 47.78 s")
        assert (report.to_dict()["last_up"], report.to_dict()["last_failed"]) == (0.5, 47.784)
        assert report.to_dict()["hosts"]["c"]["failed_at"] == 47.784
        del report.hosts["a"], report.hosts["b"]
        assert report.summary() == "0 of 1 host up (tree, 0 levels); 1 failed, given up after 47.78 s"

    @pytest.mark.parametrize(
        ("why", "words"),
        [
            (causes.INTERRUPTED, "interrupted: "),
            (causes.DEADLINE, "deadline reached: "),
            (causes.LOST, "mpboot's root process ended unexpectedly: "),
        ],
    )
    def test_ended_early(self, why: str, words: str) -> None:
        report = boot_report(a=up(), b=failed(why, "it ended first"))
        report.ended_by = why
        assert report.summary() == words + "1 of 2 hosts up in 2.00 s (tree, 1 level, 0.5 hosts/s); 1 failed"
        assert report.table()[0].startswith(why)

    def test_one_of_each(self) -> None:
        report = boot_report(a=up(1))
        report.strangers = 1
        assert report.summary() == "1 of 1 host up in 2.00 s (tree, 1 level, 0.5 hosts/s); 1 stranger turned away"

    def test_no_rate_without_hosts_or_time(self) -> None:
        assert boot_report(a=failed("auth", "x")).summary() == "0 of 1 host up in 2.00 s (tree, 0 levels); 1 failed"
        instant = BootReport("flat", "auto", {"a": up()})
        assert instant.summary() == "1 of 1 host up in 0.00 s (flat, 1 level)"


class TestRemarks:
    def test_who_could_do_nothing_for_others_is_told_once_by_cause(self) -> None:
        report = boot_report()
        report.notes = {
            ("leaf", "auth: joe@n1: Permission denied"): ["n1", "n2"],
            ("leaf", "auth: no key"): ["n3"],
            ("watch", "no psutil: launches from here have their timeouts alone"): ["n4"],
            ("watch", "psutil came from its parent"): ["n5"],
            ("other", "text"): ["n6"],
            ("leaf", "resolve: x\x1b"): ["n7"],
        }
        assert report.remarks() == [
            "n4: no psutil: launches from here have their timeouts alone",
            "n[1-3] can't launch other hosts (auth): left to the hosts above",
            "n7 can't launch other hosts (resolve): left to the hosts above",
        ]

    def test_who_could_not_launch_hosts_that_nobody_could_is_not_blamed(self) -> None:
        report = boot_report(
            n1=up(), n2=up(), n3=failed("auth", "x"), n4=failed("auth", "x"), n5=failed("resolve", "x")
        )
        for named in ("n3", "n3,n4"):
            report.notes = {("leaf", f"auth: launching {named}: denied"): ["n1"]}
            assert report.remarks() == []
        for named in ("n3,n2", "n5", "n9", "n3,n9"):
            report.notes = {("leaf", f"auth: launching {named}: denied"): ["n1"]}
            assert report.remarks() == ["n1 can't launch other hosts (auth): left to the hosts above"]

    def test_how_commands_ended_a_line_a_code(self) -> None:
        lost = ran(None)
        lost.fail("lost", "", 1, "head", "gone", "")
        report = boot_report(n1=ran(0), n2=ran(3), n3=ran(7), n4=ran(3), n6=up(), n7=failed("auth", "x"))
        assert report.remarks() == ["exit 3: n[2,4]", "exit 7: n3"]
        report.hosts["n5"] = lost
        assert report.remarks() == ["exit 0: n1", "exit 3: n[2,4]", "exit 7: n3", "exit 255 (lost): n5"]

    def test_nothing_is_said_where_all_ended_well(self) -> None:
        assert boot_report(n1=ran(0), n2=ran(0), n3=up(), n4=failed("auth", "x")).remarks() == []

    def test_how_commands_ended_where_mpboot_ended_one(self) -> None:
        report = boot_report(n1=ran(0), n2=ran(143, 15), n3=ran(143, 15), n4=ran(None), n5=ran(None, 9), n6=ran(5, 64))
        assert report.remarks() == [
            "exit 0: n1",
            "exit 5 (ended by mpboot's SIGRTMAX): n6",
            "exit 143 (ended by mpboot's SIGTERM): n[2-3]",
            "exit unknown (ended by mpboot's SIGKILL): n5",
            "exit unknown (how it ended is not known): n4",
        ]

    def test_output_that_was_cut(self) -> None:
        report = boot_report()
        report.note("output", "cut", ["n1", "n2"])
        report.note("output", "cut", ["n2", "n3"])
        assert report.remarks() == ["n[1-3]: cut"]

    def test_remarks_are_printable(self) -> None:
        report = boot_report()
        report.notes = {("watch", "a\x1b[2J"): ["n1"]}
        assert report.remarks() == [r"n1: a\x1b[2J"]

    def test_login_shells_that_may_hang(self) -> None:
        hangs = failed("shell-hang", "logged in, but the shell did not get to the agent for 4 s, in .profile")
        ends = failed("shell-hang", "logged in, but .bashrc read what was the agent's")
        remarks = boot_report(n1=hangs, n2=ends, n3=hangs, n4=up()).remarks()
        assert remarks == [
            "n[1,3]: a login shell may hang there for each attempt; to end them, type there:",
            CLEAR,
        ]
        assert len("mpboot: " + CLEAR) < 80, "it is copied from a terminal"

    def test_nothing_to_remark(self) -> None:
        assert boot_report(a=up()).remarks() == []


class TestJson:
    """docs/mpboot.md has the contract, under "The JSON report"."""

    def test_a_boot(self) -> None:
        report = boot_report(a=up(3), b=failed("auth", "Permission denied", "banner"), c=HostReport({"port": 22}))
        report.strangers = 2
        assert report.to_dict() == {
            "mpboot": __version__, "topology": "tree", "children": 4, "seconds": 2.0, "up": 1, "failed": 2,
            "hosts": {
                "a": {
                    "state": "up", "parent": "head", "level": 1, "attempts": 1, "launched": 0.1, "up": 0.5,
                    "pid": 4711, "python": "3.11.2", "exit": 3,
                },
                "b": {
                    "state": "failed", "cause": "auth", "phase": "connect", "attempts": 2, "launcher": "head",
                    "detail": "Permission denied", "evidence": "banner", "failed_at": 0.0,
                },
                "c": {
                    "state": "pending", "cause": "", "phase": "", "attempts": 0, "launcher": "", "detail": "",
                    "evidence": "", "failed_at": 0.0, "port": 22,
                },
            },
            "strangers": 2, "last_up": 0.5, "last_failed": 0.0,
        }  # fmt: skip
        assert list(report.to_dict()["hosts"]) == ["a", "b", "c"]

    def test_notes_only_where_there_are_any(self) -> None:
        report = boot_report()
        assert "notes" not in report.to_dict()
        report.notes = {("leaf", "auth: x"): ["a", "b"]}
        assert report.to_dict()["notes"] == [{"what": "leaf", "text": "auth: x", "hosts": ["a", "b"]}]

    def test_as_text(self) -> None:
        report = boot_report(a=up())
        assert json.loads(report.to_json()) == report.to_dict()
        assert report.to_json().startswith('{\n "mpboot": "')

    def test_what_the_hostfile_said_is_there_of_either(self) -> None:
        given = {"user": "joe", "slots": 4}
        for report in (up(0), failed("auth", "")):
            report.attributes = dict(given)
            told = report.to_dict()
            assert {key: told[key] for key in given} == given
        assert up(0).to_dict()["exit"] == 0
        assert "exit" not in up().to_dict()

    @pytest.mark.parametrize(
        ("end", "said"), [((3, 0), {"exit": 3}), ((130, 2), {"exit": 130, "killed": 2}), ((None, 0), {"exit": None})]
    )
    def test_how_a_command_ended(self, end: tuple[int | None, int], said: dict[str, object]) -> None:
        told = ran(*end).to_dict()
        assert {key: told[key] for key in ("exit", "killed") if key in told} == said

    def test_an_early_end_is_named(self) -> None:
        report = boot_report()
        assert "ended_by" not in report.to_dict()
        report.ended_by = causes.DEADLINE
        assert report.to_dict()["ended_by"] == "deadline"


class TestHost:
    def test_one_that_came_up_after_all_has_no_cause(self) -> None:
        report = failed("lost", "x")
        report.come_up("n1", 2, 0.1, 0.5, 7, 3, "3.8.1")
        assert (report.state, report.cause) == ("up", "")
        assert (report.parent, report.level, report.attempts) == ("n1", 2, 3)

    def test_a_new_one(self) -> None:
        report = HostReport()
        assert (report.level, report.launched, report.up, report.pid, report.parent) == (0, 0.0, 0.0, 0, "")
        assert (report.python, report.exit) == ("", None)
        assert (boot_report().strangers, boot_report().ended_by, boot_report().notes) == (0, "", {})

    def test_levels_are_those_of_hosts_that_are_up(self) -> None:
        deep = up(level=5)
        deep.fail("lost", "", 1, "head", "", "")
        assert boot_report(a=up(level=2), b=deep).levels == 2
        assert boot_report().levels == 0
