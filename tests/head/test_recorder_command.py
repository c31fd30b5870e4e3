"""The boot's own command as its root tells of it: where it runs, what of its output is missing, who moves meanwhile."""

from __future__ import annotations

import pytest

from mpboot.net import commands, wire
from mpboot.net.outlet import STDOUT, pack_out
from tests.head.played_root import Message, ended, failed, out, up
from tests.head.test_recorder import Recorded


@pytest.fixture
def all_hosts() -> Recorded:
    """A boot in which a command runs on all hosts."""
    return Recorded({0, 1, 2})


@pytest.fixture
def none() -> Recorded:
    """A boot without a command."""
    return Recorded(set())


def exited(rank: int, sent: int, job: int = 1) -> Message:
    """It has ended, after so many bytes of output."""
    return wire.EXIT, commands.Exit.pack_all([commands.Exit(rank, job, 0, 0, 0.5, sent)])


def test_where_it_runs_and_on_how_many_hosts_it_has_ended(all_hosts: Recorded, none: Recorded) -> None:
    said = "the command has ended on %d of 3, and runs on %s"
    assert all_hosts.recorder.commands_running() == [said % (0, "no hosts")]
    all_hosts.hear(up(0, 1), failed(2))
    assert all_hosts.recorder.commands_running() == [said % (0, "2 hosts: a,b")]
    all_hosts.hear(ended({0: 3}))
    assert all_hosts.recorder.commands_running() == [said % (1, "1 host: b")]
    assert none.recorder.commands_running() == []


def test_output_that_is_missing_is_noted_and_what_came_whole_is_not(all_hosts: Recorded) -> None:
    all_hosts.hear(up(0, 1), out(0, b"four"), out(1, b"four"), exited(0, 4), exited(1, 9))
    ((what, _), hosts), *others = all_hosts.report.notes.items()
    assert (what, hosts, others) == ("output", ["b"], [])


def test_output_and_ends_of_other_jobs_are_theirs(all_hosts: Recorded) -> None:
    all_hosts.hear(up(0))
    assert all_hosts.hear((wire.OUT, pack_out(0, 7, STDOUT, b"of job 7\n")), exited(0, 0, job=7)) == []
    assert all_hosts.report.hosts["a"].exit is None
    all_hosts.hear(exited(0, 0))
    assert all_hosts.report.notes == {}, "no byte of the other's counts as its own"


def test_of_a_command_that_is_not_run_no_end_is_waited_for(all_hosts: Recorded) -> None:
    all_hosts.hear(up(0, 1, 2))
    all_hosts.recorder.booted = True
    assert not all_hosts.recorder.complete
    all_hosts.recorder.not_run()
    assert all_hosts.recorder.complete


def test_who_has_another_parent_after_the_boot_is_shown_below_that(none: Recorded) -> None:
    moved: list[int] = []
    none.recorder.moved = moved.append
    none.hear(up(0, 1), up(1, parent=0, level=2))
    assert (none.report.hosts["b"].parent, none.report.hosts["b"].level, moved) == ("head", 1, [1])
    none.recorder.booted = True
    none.hear(up(1, parent=0, level=2))
    assert (none.report.hosts["b"].parent, none.report.hosts["b"].level, moved) == ("a", 2, [1, 1])
