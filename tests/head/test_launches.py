"""The launches under way: the question to all parents, and the table of what they answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mpboot.head import launches as module
from mpboot.head.launches import MOST_LAUNCHES, TELL_WAIT, Inquiry, launch_lines
from mpboot.head.line import RootLine
from mpboot.net import wire
from mpboot.net.loop import Loop
from mpboot.net.messages import LaunchSeen
from mpboot.tree.ledger import HEAD
from tests.head import played_root
from tests.head.played_root import PlayedRoot, told
from tests.head.witness import Witness

NONE = "no launches under way"
NAMED = 1000  # the first rank of hosts that a test names
NAMES: list[str] = []  # of those


def launch(host: str, **about: Any) -> LaunchSeen:
    """A launch under way of a host of this name."""
    if host not in NAMES:
        NAMES.append(host)
    return played_root.launch(NAMED + NAMES.index(host), **about)


def label(rank: int, other: str = "host ") -> str:
    """What people call it."""
    return NAMES[rank - NAMED] if rank >= NAMED else f"{other}{rank}"


class Asked:
    """An inquiry over a line to a root that is played; ``shown``: how often it was answered."""

    def __init__(self, root: PlayedRoot) -> None:
        self.loop = Loop()
        self.witness = Witness()
        self.shown = 0
        self.line = RootLine(self.loop, lambda: [(wire.GO, b"")], self._heard, lambda _: None, root.started)
        self.inquiry = Inquiry(self.loop, self.line, self.witness, label, self._shown)
        root.attach(self.loop)
        root.on(wire.GO, self.inquiry.ask)

    def run(self) -> list[str]:
        """Ask and wait for the answer; the lines."""
        self.loop.run()
        self.line.close()
        return self.witness.logged

    def _heard(self, kind: int, body: bytes) -> None:
        assert kind == wire.TOLD
        self.inquiry.told(body)

    def _shown(self) -> None:
        self.shown += 1
        self.loop.stop()


@pytest.fixture
def root() -> PlayedRoot:
    return PlayedRoot()


class TestInquiry:
    def test_all_answers_are_waited_for(self, root: PlayedRoot) -> None:
        asked = Asked(root)
        parts = [
            told(to_come=2),
            told(launch("quick", seconds=3.0)),
            told(to_come=1),
            told(launch("slow", launcher=7, seconds=9.0)),
        ]
        root.on(wire.TELL, *parts)
        lines = asked.run()
        assert lines[0] == "2 launches under way"
        assert [line.split()[0] for line in lines[2:]] == ["slow", "quick"]  # what takes longest is first
        assert "host 7" in lines[2]
        assert f"host {HEAD}" in lines[3]
        assert asked.shown == 1

    def test_who_does_not_answer_in_time_is_counted(self, root: PlayedRoot, monkeypatch: pytest.MonkeyPatch) -> None:
        assert TELL_WAIT == 1.0
        monkeypatch.setattr(module, "TELL_WAIT", 0.05)
        asked = Asked(root)
        root.on(wire.TELL, told(to_come=3), told(launch("a")))
        lines = asked.run()
        assert lines[0] == "1 launch under way"
        assert lines[-1] == "2 parents did not answer in time"

    @pytest.mark.parametrize("even_none", [True, False])
    def test_no_launches(self, root: PlayedRoot, even_none: bool) -> None:
        asked = Asked(root)
        asked.inquiry.even_none = even_none
        root.on(wire.TELL, told())
        assert asked.run() == ([NONE] if even_none else [])
        assert asked.shown == 1

    def test_silent_parents_are_told_of_even_if_there_are_none(
        self, root: PlayedRoot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "TELL_WAIT", 0.02)
        asked = Asked(root)
        asked.inquiry.even_none = False
        root.on(wire.TELL)
        assert asked.run() == [NONE, "1 parent did not answer in time"]

    def test_one_question_at_a_time(self, root: PlayedRoot) -> None:
        asked = Asked(root)

        def again() -> None:
            assert asked.inquiry.asked
            asked.inquiry.ask()
            asked.loop.later(0.02, lambda: root.say(told()))

        root.on(wire.TELL, again)
        asked.run()
        assert len(root.bodies(wire.TELL)) == 1
        assert not asked.inquiry.asked

    def test_a_second_question_begins_anew(self, root: PlayedRoot) -> None:
        asked = Asked(root)
        hosts = iter(["first", "second"])
        root.on(wire.TELL, lambda: root.say(told(launch(next(hosts)))))

        def shown() -> None:
            asked.shown += 1
            if asked.shown == 2:
                asked.loop.stop()
            else:
                asked.inquiry.ask()

        asked.inquiry._shown = shown
        lines = asked.run()
        assert [line.split()[0] for line in lines if "launch" not in line and "HOST" not in line] == ["first", "second"]

    def test_a_second_question_has_all_of_its_time(self, root: PlayedRoot, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "TELL_WAIT", 0.2)
        asked = Asked(root)
        root.on(wire.TELL, told())
        begun: list[float] = []

        def again() -> None:
            begun.append(time.monotonic())
            root.on(wire.TELL)
            asked.inquiry._shown = asked.loop.stop
            asked.inquiry.ask()

        def shown() -> None:
            asked.loop.later(0.1, again)

        asked.inquiry._shown = shown
        assert asked.run() == [NONE, NONE, "1 parent did not answer in time"]
        assert time.monotonic() - begun[0] >= 0.2

    def test_an_answer_that_nobody_waits_for_shows_nothing(self, root: PlayedRoot) -> None:
        asked = Asked(root)
        root.on(wire.TELL, told(), told(launch("late")))
        assert asked.run() == [NONE]
        assert asked.shown == 1

    def test_a_root_that_is_not_there_yet_is_not_asked(self, root: PlayedRoot) -> None:
        asked = Asked(root)
        asked.inquiry.ask()
        assert not asked.inquiry.asked
        root.on(wire.TELL, told())
        assert asked.run() == [NONE]
        assert len(root.bodies(wire.TELL)) == 1


def lines_of(*launches: LaunchSeen, silent: int = 0) -> list[str]:
    return launch_lines(launches, lambda rank: "head" if rank == HEAD else label(rank, "node"), silent)


class TestLines:
    def test_a_table(self) -> None:
        first = launch("node1", attempt=2, seconds=12.34, still=None, phase="handshake")
        other = launch("n", launcher=7, seconds=3.0, still=2.06, phase="shell")
        assert lines_of(first, other) == [
            "2 launches under way",
            "HOST   FROM   ATTEMPT  PHASE      SECONDS  STILL  WAITS FOR",
            "node1  head   2        handshake  12.3     ?      node1 to finish keys or login",
            "n      node7  1        shell      3.0      2.1    the shell to get to the agent",
        ]

    def test_none(self) -> None:
        assert launch_lines([], str) == lines_of() == [NONE]
        assert lines_of(silent=2) == [NONE, "2 parents did not answer in time"]

    @pytest.mark.parametrize(("count", "rest"), [(MOST_LAUNCHES, []), (MOST_LAUNCHES + 7, ["and 7 more"])])
    def test_many(self, count: int, rest: list[str]) -> None:
        assert MOST_LAUNCHES == 200
        lines = lines_of(*[launch("h")] * count)
        assert lines[0] == f"{count} launches under way"
        assert all(line.startswith("h ") for line in lines[2 : 2 + MOST_LAUNCHES])
        assert lines[2 + MOST_LAUNCHES :] == rest

    def test_what_others_say_does_not_reach_the_terminal(self) -> None:
        evil = "\x1b[31m\n"
        seen = launch("h", phase="p" + evil), launch("h", tty="/dev/" + evil)
        lines = launch_lines(seen, lambda _: "x" + evil, 1)
        assert all(line.isprintable() for line in lines)
        assert sum(line.count("\\x1b") for line in lines) == 6

    @pytest.mark.parametrize(
        ("seen", "waits"),
        [
            (launch("h", phase=None, tty="/dev/pts/3"), "?"),
            (launch("h", phase="handshake", tty="/dev/pts/3"), "a person at /dev/pts/3"),
            (launch("h", phase="handshake", statuses=["sleeping", "stopped"]), "SIGCONT: somebody stopped it"),
            (launch("h", phase="connect"), "rsh to connect"),
            (launch("h", phase="connect", tcp=[["CLOSE", "h:22"]]), "rsh to connect"),
            (launch("h", tcp=[["SYN_SENT", "10.0.0.1:22"]]), "an answer to its SYN from 10.0.0.1:22"),
            (launch("h", phase="handshake"), "h to finish keys or login"),
            (launch("h", phase="handshake", tcp=[["", "10.0.0.1:22"]]), "10.0.0.1:22 to finish keys or login"),
            (launch("h", phase="shell"), "the shell to get to the agent"),
            (launch("h", phase="agent"), "the agent to connect back"),
        ],
    )
    def test_what_a_launch_waits_for(self, seen: LaunchSeen, waits: str) -> None:
        line = lines_of(seen)[2]
        assert line.endswith("  " + waits)
        assert line.split()[3] == (seen.phase or "?")
