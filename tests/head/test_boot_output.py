"""A boot whose root the test plays: who is paid for output, and who waits for its reader."""

from __future__ import annotations

import pytest

from mpboot.head import boot as module
from mpboot.head.boot import READ_ON, READER_GRACE
from mpboot.head.report import UNREAD
from mpboot.net import wire
from mpboot.net.outlet import HEAD, WINDOW
from tests.head.played_boot import COMMAND, Played, interrupt
from tests.head.played_root import DONE, ended, out, up

pytestmark = pytest.mark.usefixtures("light_code")


def test_output_is_paid_for_when_it_was_passed_on() -> None:
    played = Played(out(0, b"x" * WINDOW + b"\n"), command=COMMAND)

    def more() -> None:
        if len(played.root.bodies(wire.CREDIT)) < 3:
            played.root.say(out(1, b"x" * WINDOW))
        else:
            played.boot.stop()

    played.root.on(wire.CREDIT, more)
    played.run()
    assert played.root.bodies(wire.CREDIT) == [
        b"%d" % (WINDOW + HEAD + 1),
        b"%d" % (WINDOW + HEAD),
        b"%d" % (WINDOW + HEAD),
    ]


def test_output_that_an_observer_holds_is_not_paid_for() -> None:
    played = Played(out(0, b"x" * WINDOW + b"\n"), out(0, b"y\n"), up(1), command=COMMAND)
    played.witness.holds = True
    credit: list[int] = []

    def ease() -> None:
        credit.append(len(played.root.bodies(wire.CREDIT)))
        played.witness.holds = False
        played.boot.eased()

    played.witness.then = lambda: played.boot.loop.later(0.02, ease)
    played.root.on(wire.CREDIT, played.boot.stop)
    played.run()
    assert credit == [0]
    assert played.root.bodies(wire.CREDIT) == [b"%d" % (WINDOW + HEAD + 1 + HEAD + 2)]


def test_what_is_eased_twice_is_paid_once() -> None:
    played = Played(out(0, b"x" * WINDOW + b"\n"), command=COMMAND)
    played.root.on(wire.CREDIT, played.boot.eased, played.boot.stop)
    played.run()
    assert len(played.root.bodies(wire.CREDIT)) == 1


def test_a_boot_that_went_well_ends_when_its_output_was_read() -> None:
    played = Played(up(0, 1, 2), out(0, b"x\n"), ended({0: 0, 1: 0}), DONE, command=COMMAND)
    played.witness.holds = True
    played.boot.loop.later(READER_GRACE + 0.2, played.boot.eased)
    assert played.run().ended_by == ""
    assert played.boot.elapsed > READER_GRACE + 0.2


def test_a_boot_that_was_ended_early_gives_its_reader_little_time() -> None:
    assert (READER_GRACE, READ_ON) == (1.0, 4.0)
    played = Played(interrupt())
    played.witness.holds = True
    played.run()
    assert played.boot.elapsed > READER_GRACE


def test_who_does_not_read_gets_no_more_but_exit_codes_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READER_GRACE", 0.05)
    played = Played(up(0, 1, 2), out(0, b"x" * WINDOW + b"\n"), interrupt(), command=COMMAND)
    played.witness.holds = True
    played.root.on(wire.STOP)
    played.root.on(wire.CREDIT, out(1, b"late\n"), ended({0: 130, 1: 130}), played.root.leave)
    report = played.run()
    assert [host.exit for host in report.hosts.values()] == [130, 130, None]
    assert report.notes == {("output", UNREAD): ["b"]}
    assert not any(b"late" in one[3] for one in played.witness.of("output"))


def test_who_reads_slowly_gets_more_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READER_GRACE", 0.05)
    monkeypatch.setattr(module, "READ_ON", 0.3)
    played = Played(up(0, 1, 2), out(0, b"x" * WINDOW + b"\n"), interrupt(), command=COMMAND)
    played.witness.holds = True
    played.root.on(wire.STOP)

    def read() -> None:
        played.boot.loop.later(0.01, read)
        played.boot.eased()

    def more() -> None:
        played.root.say(out(1, b"y" * (WINDOW - 1) + b"\n"))
        if ("output", UNREAD) in played.boot.report.notes:
            played.root.leave()

    played.root.on(wire.CREDIT, more)
    read()
    report = played.run()
    assert played.boot.elapsed > 0.3
    assert report.notes == {("output", UNREAD): ["b"]}
    assert len([one for one in played.witness.of("output") if one[1] == "b"]) > 2


def test_an_interrupt_when_only_the_reader_is_waited_for() -> None:
    played = Played(up(0, 1, 2), DONE)
    played.witness.holds = True
    played.root.on(wire.STOP, played.root.leave, lambda: played.boot.loop.later(0.02, interrupt()))
    report = played.run()
    assert (report.ended_by, report.up) == ("", 3)
    assert played.stopped_by() == [b"0"]
