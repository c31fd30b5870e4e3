"""The launches under way: the question to all parents, and the table of what they answer."""

from __future__ import annotations

import time

import pytest

from mpboot.head import launches as module
from mpboot.head.launches import MOST_LAUNCHES, MOST_LOOK, TELL_WAIT, Inquiry, a_look, launch_lines
from mpboot.head.line import RootLine
from mpboot.net import wire
from mpboot.net.loop import Loop
from mpboot.net.messages import LaunchSeen
from mpboot.node.survey import GLANCE
from mpboot.tree.ledger import HEAD
from tests.head.played_root import PlayedRoot, launch, told
from tests.head.witness import Witness

NONE = "no launches under way"


class Asked:
    """An inquiry over a line to a root that is played; ``shown``: how often it was answered."""

    def __init__(self, root: PlayedRoot) -> None:
        self.loop = Loop()
        self.witness = Witness()
        self.shown = 0
        self.line = RootLine(self.loop, lambda: [(wire.GO, b"")], self._heard, lambda _: None, root.started)
        self.inquiry = Inquiry(self.loop, self.line, self.witness, lambda rank: f"host{rank}", self._shown, 30.0)
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
            told(launch(2, seconds=3.0)),
            told(to_come=1),
            told(launch(3, launcher=7, seconds=9.0)),
        ]
        root.on(wire.TELL, *parts)
        lines = asked.run()
        assert lines[0] == "2 launches under way"
        assert [line.split()[0] for line in lines[2:]] == ["host3", "host2"]  # what takes longest is first
        assert "host7" in lines[2]
        assert f"host{HEAD}" in lines[3]
        assert asked.shown == 1

    def test_who_does_not_answer_in_time_is_counted(self, root: PlayedRoot, monkeypatch: pytest.MonkeyPatch) -> None:
        assert TELL_WAIT == 1.0
        monkeypatch.setattr(module, "TELL_WAIT", 0.05)
        asked = Asked(root)
        root.on(wire.TELL, told(to_come=3), told(launch(1)))
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
        hosts = iter([4, 5])
        root.on(wire.TELL, lambda: root.say(told(launch(next(hosts)))))

        def shown() -> None:
            asked.shown += 1
            if asked.shown == 2:
                asked.loop.stop()
            else:
                asked.inquiry.ask()

        asked.inquiry._shown = shown
        lines = asked.run()
        assert [line.split()[0] for line in lines if "launch" not in line and "HOST" not in line] == ["host4", "host5"]

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
        root.on(wire.TELL, told(), told(launch(1)))
        assert asked.run() == [NONE]
        assert asked.shown == 1

    def test_a_root_that_is_not_there_yet_is_not_asked(self, root: PlayedRoot) -> None:
        asked = Asked(root)
        asked.inquiry.ask()
        assert not asked.inquiry.asked
        root.on(wire.TELL, told())
        assert asked.run() == [NONE]
        assert len(root.bodies(wire.TELL)) == 1


class TestLooks:
    def test_a_look_is_told_and_nothing_is_logged(self, root: PlayedRoot) -> None:
        asked = Asked(root)
        root.on(wire.GO, asked.inquiry.look)
        root.on(wire.TELL, told(to_come=2), told(launch(2, attempt=2)), told(launch(3, seconds=9.0)))
        asked.witness.looked = asked.loop.stop
        assert asked.run() == []
        (look,) = asked.witness.looks
        assert (look.count, look.again, [one.host for one in look.longest]) == (2, 1, ["host3", "host2"])
        assert root.bodies(wire.TELL) == [GLANCE], "no watcher is started for that"
        assert asked.shown == 0
        assert not asked.inquiry.asked

    def test_who_asks_for_the_log_meanwhile_gets_it(self, root: PlayedRoot) -> None:
        asked = Asked(root)
        root.on(wire.GO, asked.inquiry.look)

        def both() -> None:
            asked.inquiry.look()
            asked.inquiry.ask()
            assert asked.inquiry.asked
            root.say(told(launch(1)))

        root.on(wire.TELL, both)
        assert asked.run()[0] == "1 launch under way"
        assert len(root.bodies(wire.TELL)) == 1
        assert len(asked.witness.looks) == asked.shown == 1

    def test_it_is_not_waited_for_at_the_end(self, root: PlayedRoot) -> None:
        asked = Asked(root)
        root.on(wire.GO, asked.inquiry.look)
        root.on(wire.TELL, asked.loop.stop)
        asked.run()
        assert not asked.inquiry.asked

    @pytest.mark.parametrize(
        ("seen", "left"),
        [
            (launch(1, seconds=5.0, still=5.0, phase=None), None),
            (launch(1, seconds=5.0, still=5.0, phase="agent"), 25.0),
            (launch(1, seconds=5.0, still=1.0, phase="connect"), 25.0),
            (launch(1, seconds=5.0, still=1.0, phase="connect", tcp=[["SYN_SENT", "a:22"]]), 5.0),
            (launch(1, seconds=5.0, still=1.0, phase="handshake"), 14.0),
            (launch(1, seconds=28.0, still=1.0, phase="shell"), 2.0),
            (launch(1, seconds=99.0, still=1.0, phase="shell"), 0.0),
        ],
    )
    def test_when_a_launch_is_given_up(self, seen: LaunchSeen, left: float | None) -> None:
        (one,) = a_look([seen], str, 30.0).longest
        assert one.left == left

    def test_of_many_the_longest_are_told_and_a_retry(self) -> None:
        seen = [launch(rank) for rank in range(MOST_LOOK + 9)]
        seen[-2] = launch(40, attempt=4)
        look = a_look(seen, str, 30.0)
        assert (look.count, look.again) == (MOST_LOOK + 9, 1)
        assert [one.attempt for one in look.longest] == [1] * MOST_LOOK + [4]

    def test_names_can_be_printed(self) -> None:
        (one,) = a_look([launch(1, phase="p\x1b")], lambda _: "x\x9b", 30.0).longest
        assert (one.host, one.phase) == ("x\\x9b", "p\\x1b")


def lines_of(*launches: LaunchSeen, silent: int = 0) -> list[str]:
    return launch_lines(launches, lambda rank: "head" if rank == HEAD else f"node{rank}", silent)


class TestLines:
    def test_a_table(self) -> None:
        first = launch(1, attempt=2, seconds=12.34, still=None, phase="handshake")
        other = launch(23, launcher=7, seconds=3.0, still=2.06, phase="shell")
        assert lines_of(first, other) == [
            "2 launches under way",
            "HOST    FROM   ATTEMPT  PHASE      SECONDS  STILL  WAITS FOR",
            "node1   head   2        handshake  12.3     ?      node1 to finish keys or login",
            "node23  node7  1        shell      3.0      2.1    the shell to get to the agent",
        ]

    def test_none(self) -> None:
        assert launch_lines([], str) == lines_of() == [NONE]
        assert lines_of(silent=2) == [NONE, "2 parents did not answer in time"]

    @pytest.mark.parametrize(("count", "rest"), [(MOST_LAUNCHES, []), (MOST_LAUNCHES + 7, ["and 7 more"])])
    def test_many(self, count: int, rest: list[str]) -> None:
        assert MOST_LAUNCHES == 200
        lines = lines_of(*[launch(1)] * count)
        assert lines[0] == f"{count} launches under way"
        assert all(line.startswith("node1 ") for line in lines[2 : 2 + MOST_LAUNCHES])
        assert lines[2 + MOST_LAUNCHES :] == rest

    def test_what_others_say_does_not_reach_the_terminal(self) -> None:
        evil = "\x1b[31m\n"
        seen = launch(1, phase="p" + evil), launch(1, tty="/dev/" + evil), launch(1, phase="handshake")
        lines = launch_lines(seen, lambda _: "x" + evil, 1)
        assert all(line.isprintable() for line in lines)
        assert sum(line.count("\\x1b") for line in lines) == 9

    @pytest.mark.parametrize(
        ("seen", "waits"),
        [
            (launch(1, phase=None, tty="/dev/pts/3"), "?"),
            (launch(1, phase="handshake", tty="/dev/pts/3"), "a person at /dev/pts/3"),
            (launch(1, phase="handshake", statuses=["sleeping", "stopped"]), "SIGCONT: somebody stopped it"),
            (launch(1, phase="connect"), "rsh to connect"),
            (launch(1, phase="connect", tcp=[["CLOSE", "h:22"]]), "rsh to connect"),
            (launch(1, tcp=[["SYN_SENT", "10.0.0.1:22"]]), "an answer to its SYN from 10.0.0.1:22"),
            (launch(1, phase="handshake"), "node1 to finish keys or login"),
            (launch(1, phase="handshake", tcp=[["", "10.0.0.1:22"]]), "10.0.0.1:22 to finish keys or login"),
            (launch(1, phase="shell"), "the shell to get to the agent"),
            (launch(1, phase="agent"), "the agent to connect back"),
        ],
    )
    def test_what_a_launch_waits_for(self, seen: LaunchSeen, waits: str) -> None:
        line = lines_of(seen)[2]
        assert line.endswith("  " + waits)
        assert line.split()[3] == (seen.phase or "?")
