"""The table of failures: what makes two of them alike, and how a line is made of them."""

from __future__ import annotations

import pytest

from mpboot.advice import ADVICE
from mpboot.head.report import HostReport
from mpboot.head.table import DETAILS, failure_table
from mpboot.tree import causes

LONG = 17  # columns of the longest cause


def failure(detail: str, cause: str = "rsh-failed", evidence: str = "") -> HostReport:
    return HostReport(state="failed", cause=cause, detail=detail, evidence=evidence)


def table(failures: dict[str, HostReport], width: int | None = None, verbose: bool = False) -> list[str]:
    """Without the advice."""
    return [line for line in failure_table(failures, width, verbose) if not line.startswith("    -> ")]


def test_nothing_failed() -> None:
    assert failure_table({}, 80, True) == []


def test_causes_in_their_order_each_with_its_advice() -> None:
    failures = {cause[::-1]: failure("why", cause) for cause in reversed(causes.ALL)}
    lines = failure_table(failures, None, False)
    told = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert told == list(causes.ALL)
    for cause in causes.ALL:
        at = lines.index(f"{cause:<{LONG}}  {cause[::-1]}  why")
        assert cause == causes.INTERRUPTED or lines[at + 1] == f"    -> {ADVICE[cause]}"
    advised = [cause for cause in causes.ALL if cause != causes.INTERRUPTED]  # there is no advice for an interrupt
    assert len(lines) == len(causes.ALL) + len(advised) + 1
    assert lines[-1] == f"    -> more: mpboot explain {' '.join(advised)}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no answer from 10.0.0.1", "no answer from 192.168.17.254"),
        ("connect to 10.0.0.1:22", "connect to 10.0.0.2:2222"),
        ("connect to [fe80::1]:22", "connect to [2001:db8::abcd]:22"),
        ("after 3 s", "after 12.5 s"),
        ("after 3s", "after 4s"),
        ("after 100 ms", "after 200 ms"),
        ("after 3 seconds", "after 4.1 seconds"),
        ("port 22: refused", "port 2222: refused"),
        ("connect to host a: refused", "connect to host b: refused"),
        ("Could not resolve a.", "Could not resolve b."),
        ("(a)", "(b)"),
    ],
)
def test_details_that_are_alike(one: str, other: str) -> None:
    assert table({"a": failure(one), "b": failure(other)}) == [f"{'rsh-failed':<{LONG}}  a,b  e.g. {one}"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ended with code 1", "ended with code 2"),
        ("3 sheep", "4 sheep"),
        ("report 1", "report 2"),
        ("version 1.2.3", "version 1.2.4"),
        ("a1 is bad", "a2 is bad"),
        ("ab", "bb"),
    ],
)
def test_details_that_differ(one: str, other: str) -> None:
    lines = table({"a": failure(one), "b": failure(other)})
    assert lines == [f"{'rsh-failed':<{LONG}}  a  {one}", f"{'rsh-failed':<{LONG}}  b  {other}"]


def test_each_part_of_a_label_is_a_name() -> None:
    failures = {f"joe@{name}:22": failure(f"joe at {name} is unknown") for name in ("n1", "n2")}
    assert len(table(failures)) == 1


def test_the_same_detail_is_no_example() -> None:
    assert table({"a": failure("why"), "b": failure("why")}) == [f"{'rsh-failed':<{LONG}}  a,b  why"]


def test_the_largest_group_is_first() -> None:
    failures = {"a": failure("one"), "b": failure("two"), "c": failure("two")}
    assert [line.split()[1] for line in table(failures)] == ["b,c", "a"]


@pytest.mark.parametrize("count", range(DETAILS, DETAILS + 4))
def test_many_details(count: int) -> None:
    assert DETAILS == 5
    failures = {name: failure(f"code {name * 3}") for name in "pqrstuvwx"[:count]}
    lines = table(failures)
    if count <= DETAILS + 1:  # one line more is no longer than the line that says so
        assert [line.split()[1] for line in lines] == list("pqrstuvwx"[:count])
    else:
        assert len(lines) == DETAILS + 1
        rest = ",".join("pqrstuvwx"[DETAILS:count])
        assert lines[-1] == f"{'rsh-failed':<{LONG}}  {rest}  {count - DETAILS} other details; -v shows them"
    assert len(table(failures, verbose=True)) == count


class TestManyLines:
    TRACE = "Traceback:\n  in x\n\nOSError: full  \n"

    def test_the_last_says_it(self) -> None:
        assert table({"a": failure(self.TRACE)}) == [f"{'rsh-failed':<{LONG}}  a  OSError: full"]

    def test_the_last_of_an_example(self) -> None:
        failures = {name: failure(f"at {name}\n{self.TRACE}") for name in "ab"}
        assert table(failures) == [f"{'rsh-failed':<{LONG}}  a,b  e.g. OSError: full"]
        failures = {name: failure(f"at {name}\nOSError: full") for name in "ab"}
        assert table(failures) == [f"{'rsh-failed':<{LONG}}  a,b  e.g. OSError: full"]

    def test_all_with_verbose(self) -> None:
        lines = table({"a": failure(self.TRACE)}, verbose=True)
        assert lines == [
            f"{'rsh-failed':<{LONG}}  a  Traceback:", "    |   in x", "    | ", "    | OSError: full"
        ]  # fmt: skip

    def test_no_detail(self) -> None:
        assert table({"a": failure("")}) == [f"{'rsh-failed':<{LONG}}  a"]
        assert table({"a": failure(" \n")}) == [f"{'rsh-failed':<{LONG}}  a"]
        assert table({"a": failure("")}, verbose=True) == [f"{'rsh-failed':<{LONG}}  a"]


def test_evidence_is_shown_with_verbose_unless_the_detail_has_it() -> None:
    one = failure("ssh: denied", evidence="banner  \n\n  denied\nlast\n")
    assert table({"a": one}, verbose=True)[1:] == ["    | banner", "    | last"]
    assert len(table({"a": one})) == 1


def test_evidence_is_that_of_the_first_host() -> None:
    failures = {"a": failure("denied", evidence="of a"), "b": failure("denied", evidence="of b")}
    assert table(failures, verbose=True)[1:] == ["    | of a"]


def test_escapes_are_harmless() -> None:
    evil = "\x1b[2J\x07"
    failures = {"a": failure(f"{evil}x\n{evil}y", evidence=evil + "z")}
    lines = failure_table(failures, None, True)
    assert all(line.isprintable() for line in lines)
    assert sum(line.count("\\x1b[2J\\x07") for line in lines) == 3


class TestWidth:
    """An interrupt has no advice, which would be wrapped too."""

    def wrapped(self, detail: str, width: int | None) -> list[str]:
        return failure_table({"a": failure(detail, causes.INTERRUPTED)}, width, False)

    def test_lines_hang_below_their_cause(self) -> None:
        lines = self.wrapped("word " * 20, 60)
        assert max(map(len, lines)) <= 60
        assert len(lines) == 3
        assert all(line.startswith(" " * (LONG + 2) + "word") for line in lines[1:])

    def test_what_fits_stays(self) -> None:
        line = f"{causes.INTERRUPTED:<{LONG}}  a  why so, and so on, and so on"
        assert self.wrapped("why so, and so on, and so on", len(line)) == [line]
        assert len(self.wrapped("why so, and so on, and so on", len(line) - 1)) == 2

    def test_words_are_left_whole(self) -> None:
        words = ["see", "x" * 99, "or", "even-more-than-that-and-so-on-and-on-and-on"]
        lines = self.wrapped(" ".join(words), 60)
        assert [line.split()[-1] for line in lines] == words

    def test_a_terminal_of_no_width(self) -> None:
        lines = self.wrapped("word " * 8, 1)
        assert lines == self.wrapped("word " * 8, 40)
        assert len(lines) == 3


def test_who_tried_last_is_told_where_there_were_several() -> None:
    failures = {"a": failure("why"), "b": failure("why"), "c": failure("other")}
    failures["a"].launcher, failures["b"].launcher = "head", "node2"
    lines = failure_table(failures, None, False, several=True)
    assert lines[:2] == [
        f"{'rsh-failed':<{LONG}}  a,b (last tried from head,node2)  why",
        f"{'rsh-failed':<{LONG}}  c  other",
    ]
