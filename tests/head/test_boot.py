"""A boot whose root the test plays: what the root and the observer are told, and every way in which it ends."""

from __future__ import annotations

import os
import signal
import time

import pytest

from mpboot.head.boot import Boot
from mpboot.head.line import NO_GRACE, ROOT_GRACE
from mpboot.head.observer import Observer
from mpboot.head.options import Options
from mpboot.hosts.host import Host, HostError
from mpboot.net import wire
from tests.head.played_boot import COMMAND, HOSTS, ROUNDED, Played, came_up, gave_up, interrupt
from tests.head.played_root import DONE, Message, PlayedRoot, ended, failed, launch, launched, out, told, up

pytestmark = pytest.mark.usefixtures("light_code")


# -- a boot that goes well -------------------------------------------------------------------------


def test_a_tree_is_booted() -> None:
    played = Played(launched(3, strangers=1), up(0, 1), failed(2), DONE)
    report = played.run()
    assert played.witness.boot is played.boot
    assert played.root.kinds() == [wire.CODE, wire.CODE, wire.SHARE, wire.GO, wire.STOP]
    assert played.stopped_by() == [b"0"]
    assert played.root.graces == [ROOT_GRACE]
    assert played.witness.told == [
        ("launched", 3), came_up("a"), came_up("b"), gave_up("c", "auth"), ("booted",)
    ]  # fmt: skip
    assert (report.up, report.failed, report.strangers, report.ended_by) == (2, 1, 1, "")
    assert (report.topology, report.children) == ("adaptive", "auto")
    assert list(report.hosts) == ["a", "b", "c"]
    assert report.hosts["b"].attributes == {"cpu": 2}
    assert 0 < report.seconds <= played.boot.elapsed + ROUNDED < 10
    assert report.seconds == round(report.seconds, 4)


def test_the_number_of_children_is_in_the_report() -> None:
    report = Played(DONE, topology="tree", children=3).run()
    assert (report.topology, report.children) == ("tree", 3)


def test_the_seconds_are_those_until_the_tree_was_booted() -> None:
    played = Played(up(0, 1, 2), DONE, command=COMMAND)
    played.root.on(wire.GO, lambda: played.boot.loop.later(0.1, lambda: played.root.say(ended({0: 0, 1: 0}))))
    report = played.run()
    assert report.seconds < played.boot.elapsed - 0.1


def test_all_exit_codes_are_waited_for_of_hosts_that_run_the_command() -> None:
    played = Played(up(0, 1, 2), ended({0: 3}), DONE, command=COMMAND)
    played.root.on(wire.GO, ended({1: 0}))
    report = played.run()
    assert played.root.kinds() == [wire.CODE, wire.CODE, wire.RUN, wire.SHARE, wire.GO, wire.STOP]
    assert [host.exit for host in report.hosts.values()] == [3, 0, None]
    assert played.witness.told[3:] == [("exited", "a", 3), ("booted",), ("exited", "b", 0)]


def test_what_a_root_says_that_is_for_nobody_is_ignored() -> None:
    assert Played((wire.WANT, b"[]"), up(0, 1, 2), DONE).run().up == 3


# -- the end ---------------------------------------------------------------------------------------


def test_the_deadline() -> None:
    played = Played(up(0), deadline=0.1)
    report = played.run()
    assert report.ended_by == "deadline"
    assert played.stopped_by() == [b"15"]
    assert played.witness.told == [
        came_up("a"), ("stopping", "deadline"), gave_up("b", "deadline"), gave_up("c", "deadline")
    ]  # fmt: skip
    assert 0.1 <= report.seconds <= played.boot.elapsed + ROUNDED


def test_the_deadline_is_that_of_the_boot_and_not_of_the_command() -> None:
    played = Played(up(0, 1, 2), DONE, command=COMMAND, deadline=0.1)
    played.root.on(wire.GO, lambda: played.boot.loop.later(0.1, lambda: played.root.say(ended({0: 0, 1: 0}))))
    report = played.run()
    assert report.ended_by == ""
    assert played.boot.elapsed > 0.1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_boot_and_the_commands(number: signal.Signals) -> None:
    played = Played(up(0))
    played.witness.then = interrupt(number)
    report = played.run()
    assert report.ended_by == "interrupted"
    assert played.stopped_by() == [b"%d" % number]
    assert played.root.graces == [ROOT_GRACE]
    assert played.witness.told[1] == ("stopping", "interrupted")
    assert report.hosts["c"].cause == "interrupted"


def test_a_second_interrupt_waits_for_nobody() -> None:
    played = Played(interrupt())
    played.root.on(wire.STOP, interrupt())
    begin = time.monotonic()
    report = played.run()
    assert time.monotonic() - begin < ROOT_GRACE / 2
    assert report.ended_by == "interrupted"
    assert played.stopped_by() == [b"2"]
    assert played.root.graces == [NO_GRACE]


def test_an_observer_stops_the_boot() -> None:
    played = Played(up(0, 1))
    played.witness.then = played.boot.stop
    report = played.run()
    assert report.ended_by == "interrupted"
    assert played.stopped_by() == [b"15"]


def test_a_boot_is_stopped_once() -> None:
    def stop() -> None:
        played.boot.stop()
        played.boot.stop()

    played = Played(stop, deadline=0.05)
    played.root.on(wire.STOP, lambda: played.boot.loop.later(0.1, played.root.leave))
    report = played.run()
    assert report.ended_by == "interrupted"
    assert report.seconds < played.boot.elapsed - 0.1  # how long the end takes is not part of the boot
    assert played.stopped_by() == [b"15"]
    assert played.witness.of("stopping") == [("stopping", "interrupted")]


def test_a_root_that_ends_by_itself() -> None:
    played = Played(command=COMMAND)
    played.root.on(wire.SHARE, up(0), out(0, b"without an end"), played.root.leave)
    report = played.run()
    assert report.ended_by == "lost"
    assert played.witness.told == [
        came_up("a"),
        ("log", "mpboot's root process ended unexpectedly: the connection was closed"),
        ("output", "a", 1, b"without an end"),
        gave_up("b", "lost"),
        gave_up("c", "lost"),
    ]
    assert 0 < report.seconds <= played.boot.elapsed + ROUNDED


@pytest.mark.parametrize("message", [(wire.UP, b"[[0]]"), (wire.UP, b"nonsense"), (wire.OUT, b"")])
def test_a_root_that_talks_nonsense_is_lost(message: Message) -> None:
    played = Played(message)
    assert played.run().ended_by == "lost"
    assert "sent nonsense" in played.witness.logged[0]


def test_an_observer_that_raises_leaves_nothing() -> None:
    def fail() -> None:
        raise RuntimeError

    before = signal.getsignal(signal.SIGINT)
    played = Played(fail)
    with pytest.raises(RuntimeError):
        played.run()
    assert signal.getsignal(signal.SIGINT) == before
    assert played.root.graces == [ROOT_GRACE]


def test_what_an_observer_raises_is_none_of_the_roots_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(launched(1))

    def fail(_: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(played.witness, "launched", fail)
    with pytest.raises(ZeroDivisionError):
        played.run()
    assert played.root.graces == [ROOT_GRACE]


# -- the launches under way ------------------------------------------------------------------------


def test_sigusr1_shows_the_launches_under_way() -> None:
    played = Played(interrupt(signal.SIGUSR1))
    played.root.on(wire.TELL, told(launch(1, launcher=0)), DONE)
    report = played.run()
    assert report.ended_by == ""
    assert played.witness.logged[0] == "1 launch under way"
    assert played.witness.logged[2].split()[:2] == ["b", "a"]


def test_an_observer_may_ask_for_them() -> None:
    played = Played()
    played.root.on(wire.SHARE, played.boot.show_launches)
    played.root.on(wire.TELL, told(), DONE)
    played.run()
    assert played.witness.logged == ["no launches under way"]


def test_an_observer_may_have_a_look() -> None:
    played = Played()
    played.root.on(wire.SHARE, played.boot.look)
    played.root.on(wire.TELL, told(launch(1, attempt=2)), DONE)
    played.run()
    assert played.witness.logged == []
    assert [(look.count, look.again, look.longest[0].host) for look in played.witness.looks] == [(1, 1, "b")]


def test_the_end_does_not_wait_for_a_look() -> None:
    played = Played()
    played.root.on(wire.SHARE, played.boot.look)
    played.root.on(wire.TELL, DONE)
    played.run()
    assert played.stopped_by() == [b"0"]
    assert played.witness.looks == []


def test_the_last_look_is_before_the_end() -> None:
    played = Played(interrupt(), last_look=True)
    played.root.on(wire.TELL, told(launch(1)))
    played.run()
    assert played.root.kinds()[-2:] == [wire.TELL, wire.STOP]
    assert played.stopped_by() == [b"2"]
    assert [one[0] for one in played.witness.told[:4]] == ["stopping", "log", "log", "log"]


def test_the_last_look_says_nothing_of_no_launches() -> None:
    played = Played(interrupt(), last_look=True)
    played.root.on(wire.TELL, told())
    played.run()
    assert played.root.bodies(wire.TELL)
    assert played.witness.logged == []


def test_there_is_no_last_look_unless_it_is_wanted() -> None:
    root = PlayedRoot()
    root.on(wire.SHARE, interrupt())
    boot = Boot(HOSTS, Options(), Observer(), start_root=root.started)
    root.attach(boot.loop)
    boot.run()
    assert root.kinds()[-1] == wire.STOP
    assert not root.bodies(wire.TELL)


def test_there_is_no_last_look_at_a_tree_that_is_booted() -> None:
    played = Played(up(0, 1, 2), DONE, command=COMMAND, last_look=True)
    played.root.on(wire.GO, interrupt())
    assert played.run().ended_by == "interrupted"
    assert not played.root.bodies(wire.TELL)


def test_there_is_no_last_look_when_all_went_well() -> None:
    played = Played(up(0, 1, 2), DONE, last_look=True)
    played.run()
    assert not played.root.bodies(wire.TELL)


def test_a_host_that_is_named_twice_is_refused_before_a_root_is_started() -> None:
    root = PlayedRoot()
    hosts = [Host("a"), Host("x"), Host("b", alias="x"), Host("y"), Host("y")]
    with pytest.raises(HostError, match=r"^x is named twice: give each host once, or an alias to tell them apart$"):
        Boot(hosts, Options(), Observer(), start_root=root.started)
    assert root.silences == []
    root.end(0)
    os.close(root.fd)


def test_where_the_command_runs_is_told_of_hosts_that_are_up() -> None:
    """C has no command, and b is not up yet."""
    played = Played(up(0), command=COMMAND)
    played.witness.then = played.boot.show_launches
    played.root.on(wire.TELL, told(), interrupt())
    played.run()
    assert played.witness.logged == ["the command has ended on 0 of 2, and runs on 1 host: a"]
