"""News of hosts, as a root passes it on: what becomes of it in the report, and what the observer is told."""

from __future__ import annotations

from typing import Any

import pytest

from mpboot.head.jobs import Jobs
from mpboot.head.recorder import Recorder
from mpboot.head.report import BootReport, HostReport
from mpboot.net import wire
from mpboot.net.commands import PACES
from mpboot.text import Lines
from mpboot.tree.ledger import HEAD
from tests.head.played_root import Message, ended, failed, launched, noted, out, up
from tests.head.witness import Witness

LABELS = ["a", "b", "c"]
START, LATER = 1000.0, 5.25  # when the boot began, and how much later it is


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpboot.head.recorder.monotonic", lambda: START + LATER)


class Recorded:
    """A recorder with what it fills and tells."""

    def __init__(self, commands: set[int], verbose: bool = True) -> None:
        self.report = BootReport("tree", 4, {label: HostReport() for label in LABELS})
        self.witness = Witness()
        jobs = Jobs(lambda *_: None)
        self.recorder = Recorder(LABELS, commands, self.report, self.witness, verbose, jobs, START)

    def hear(self, *messages: Message) -> list[tuple[Any, ...]]:
        """What the observer is told of these messages."""
        before = len(self.witness.told)
        for kind, body in messages:
            if kind == wire.OUT:
                self.recorder.output(body)
            else:
                self.recorder.handlers[kind](body)
        return self.witness.told[before:]


@pytest.fixture
def all_hosts() -> Recorded:
    """A boot in which a command runs on all hosts."""
    return Recorded({0, 1, 2})


@pytest.fixture
def none() -> Recorded:
    """A boot without a command."""
    return Recorded(set())


def test_what_it_takes(none: Recorded) -> None:
    kinds = {wire.LAUNCHED, wire.UP, wire.FAILED, wire.EXIT, wire.NOTE, wire.LOG}
    assert none.recorder.handlers.keys() == kinds


def test_people_know_hosts_by_labels(none: Recorded) -> None:
    assert [none.recorder.label(rank) for rank in (HEAD, 0, 2)] == ["head", "a", "c"]


def test_launches_and_strangers_add_up(none: Recorded) -> None:
    assert none.hear(launched(2, strangers=1), launched(3, strangers=4)) == [("launched", 2), ("launched", 5)]
    assert none.report.strangers == 5


def test_hosts_that_came_up(none: Recorded) -> None:
    assert none.hear(up(1, pid=4000, attempts=2), up(0, 2, parent=1, level=2)) == [
        ("changed", "b", "up", ""),
        ("changed", "a", "up", ""),
        ("changed", "c", "up", ""),
    ]
    assert none.report.hosts["b"] == HostReport(
        state="up", parent="head", level=1, attempts=2, launched=0.1, up=0.5, pid=4001, python="3.11.2"
    )
    assert none.report.hosts["c"] == HostReport(
        state="up", parent="b", level=2, attempts=1, launched=0.1, up=0.5, pid=102, python="3.11.2"
    )


def test_what_an_adopted_subtree_tells_again_is_no_news(none: Recorded) -> None:
    assert len(none.hear(up(0), up(0, parent=1))) == 1
    assert none.report.hosts["a"].parent == "head"
    assert len(none.hear(up(0, parent=2, pid=900))) == 1  # another agent
    assert none.report.hosts["a"].parent == "c"


def test_hosts_that_failed(none: Recorded) -> None:
    told = none.hear(failed(0, 2, launcher=1))
    assert told == [("changed", "a", "failed", "auth"), ("changed", "c", "failed", "auth")]
    assert none.report.hosts["a"] == HostReport(
        state="failed", cause="auth", phase="handshake", attempts=2, launcher="b", detail="denied",
        evidence="Permission denied", failed_at=LATER,
    )  # fmt: skip
    assert none.hear(failed(0)) == []
    assert none.hear(failed(0, cause="lost")) == [("changed", "a", "failed", "lost")]


def test_a_host_that_was_lost_and_came_up_again(none: Recorded) -> None:
    told = none.hear(up(0), failed(0, cause="lost"), up(0))
    assert [one[2] for one in told] == ["up", "failed", "up"]
    assert none.report.hosts["a"].cause == ""


def test_exit_codes(all_hosts: Recorded) -> None:
    assert all_hosts.hear(ended({0: 0, 2: 137})) == [("exited", "a", 0), ("exited", "c", 137)]
    assert [host.exit for host in all_hosts.report.hosts.values()] == [0, None, 137]
    assert all_hosts.hear(ended({0: 1})) == []  # told once more
    assert all_hosts.report.hosts["a"].exit == 0


def test_notes_are_gathered_by_what_they_say(none: Recorded) -> None:
    none.hear(noted(0, "leaf", "auth: denied"), noted(HEAD, "watch", "no psutil"), noted(2, "leaf", "auth: denied"))
    assert none.report.notes == {("leaf", "auth: denied"): ["a", "c"], ("watch", "no psutil"): ["head"]}


def test_who_is_slow_is_told_at_once_and_named_in_the_report(none: Recorded) -> None:
    told = none.hear(*(noted(rank, "slow", PACES[slow]) for rank, slow in ((0, True), (2, True), (0, False))))
    assert told == [
        ("log", f"a {PACES[True]}"), ("slow", "a", True), ("log", f"c {PACES[True]}"), ("slow", "c", True),
        ("log", f"a {PACES[False]}"), ("slow", "a", False),
    ]  # fmt: skip
    assert none.report.notes == {("slow", PACES[True]): ["a", "c"]}
    assert none.report.remarks() == [f"slow: a,c: {PACES[True]}"]


def test_the_log(none: Recorded) -> None:
    assert none.hear((wire.LOG, b"   0.136 b line \xe2\x82\xac \xff")) == [("log", "   0.136 b line € \ufffd")]


def test_without_v_no_agent_s_line_reads_like_one_of_a_launch() -> None:
    line = "   0.136 b failed: auth"
    assert Recorded(set(), verbose=False).hear((wire.LOG, line.encode())) == [("log", "an agent says: " + line)]


@pytest.mark.parametrize("line", ["b failed: auth: Permission denied", "2 of 2 hosts up in 0.10 s (flat)", "1.5 s", ""])
def test_what_an_agent_says_never_reads_like_the_report(none: Recorded, line: str) -> None:
    assert none.hear((wire.LOG, line.encode())) == [("log", "an agent says: " + line)]


class TestOutput:
    def test_comes_line_by_line(self, all_hosts: Recorded) -> None:
        told = all_hosts.hear(out(0, b"one\ntw"), out(1, b"of b\n"), out(0, b"err\n", stream=2), out(0, b"o\n\n"))
        assert told == [
            ("output", "a", 1, b"one"),
            ("output", "b", 1, b"of b"),
            ("output", "a", 2, b"err"),
            ("output", "a", 1, b"two"),
            ("output", "a", 1, b""),
        ]

    def test_what_has_no_end_is_a_line_when_the_command_has_ended(self, all_hosts: Recorded) -> None:
        all_hosts.hear(out(0, b"out"), out(0, b"err", stream=2), out(1, b"of b"))
        assert all_hosts.hear(ended({0: 0})) == [
            ("output", "a", 1, b"out"),
            ("output", "a", 2, b"err"),
            ("exited", "a", 0),
        ]
        before = len(all_hosts.witness.told)
        all_hosts.recorder.flush()
        all_hosts.recorder.flush()
        assert all_hosts.witness.told[before:] == [("output", "b", 1, b"of b")]

    def test_an_observer_that_wants_to_know_is_told_what_has_no_end(
        self, all_hosts: Recorded, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parts: list[tuple[str, int, bytes]] = []
        monkeypatch.setattr(all_hosts.witness, "part", lambda *part: parts.append(part))
        told = all_hosts.hear(out(0, b"x" * (Lines.LONGEST + 1)), out(0, b"y\nlast"), ended({0: 0}))
        assert parts == [("a", 1, b"x" * Lines.LONGEST), ("a", 1, b"last")]
        assert told == [("output", "a", 1, b"xy"), ("exited", "a", 0)]

    def test_nothing_is_made_of_nothing(self, all_hosts: Recorded) -> None:
        all_hosts.hear(out(0, b"line\n"))
        before = len(all_hosts.witness.told)
        all_hosts.recorder.flush()
        assert all_hosts.witness.told[before:] == []


class TestComplete:
    def test_without_a_command_it_is_when_the_tree_is_booted(self, none: Recorded) -> None:
        assert not none.recorder.complete
        none.recorder.booted = True
        assert none.recorder.complete

    def test_else_every_exit_code_must_have_come(self, all_hosts: Recorded) -> None:
        all_hosts.hear(ended({0: 0}), failed(1))
        all_hosts.recorder.booted = True
        assert not all_hosts.recorder.complete
        all_hosts.hear(ended({2: 1}))
        assert all_hosts.recorder.complete

    def test_before_the_tree_is_booted_no_exit_code_is_enough(self, all_hosts: Recorded) -> None:
        all_hosts.hear(ended({0: 0, 1: 0, 2: 0}))
        assert not all_hosts.recorder.complete


class TestFinish:
    @pytest.mark.parametrize(
        ("ended_by", "cause", "detail"),
        [
            ("interrupted", "interrupted", "the boot was interrupted first"),
            ("deadline", "deadline", "the boot's deadline came first"),
            ("lost", "lost", "mpboot's root process ended before the host was up"),
            ("", "lost", "mpboot's root process ended before the host was up"),
        ],
    )
    def test_what_nothing_was_heard_of_has_failed(self, none: Recorded, ended_by: str, cause: str, detail: str) -> None:
        none.hear(up(0), failed(1))
        none.report.ended_by = ended_by
        before = len(none.witness.told)
        none.recorder.finish()
        assert none.witness.told[before:] == [("changed", "c", "failed", cause)]
        assert none.report.hosts["c"] == HostReport(state="failed", cause=cause, detail=detail, failed_at=LATER)
        assert none.report.hosts["b"].cause == "auth"


def test_a_psutil_that_is_not_used_is_named_where_it_is_missed(none: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpboot.head.recorder.psutil_left_out", lambda: "chmod go-w it")
    none.hear(noted(HEAD, "watch", "no psutil"), noted(1, "watch", "no psutil"), noted(HEAD, "leaf", "auth"))
    assert none.report.notes == {
        ("watch", "no psutil (chmod go-w it)"): ["head"], ("watch", "no psutil"): ["b"], ("leaf", "auth"): ["head"]
    }  # fmt: skip
