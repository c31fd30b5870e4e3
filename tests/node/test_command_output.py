"""A command's output when the command has ended: all that it wrote is passed on, however late the agent is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from mpboot.net.outlet import WINDOW
from mpboot.node import command as module
from mpboot.node import remains
from tests.node.commanding import Host, has_ended
from tests.node.played import Rounds

MUCH = 500_000  # bytes: more than a pipe holds unless it is told to
FILLS_A_PIPE = f"import fcntl, os; fcntl.fcntl(1, 1031, 1 << 20); assert os.write(1, b'x' * {MUCH}) == {MUCH}"
HELD = "left by the command, holds its output: not read any further"


@pytest.fixture
def host(loop: Rounds) -> Iterator[Host]:
    made = Host(loop)
    yield made
    made.close()


def pay(host: Host) -> None:
    """Give credit, again and again, as a reader does that takes its time."""

    def more() -> None:
        host.outlet.grant(WINDOW // 2)
        host.loop.later(0.01, more)

    more()


@pytest.mark.parametrize("late", [True, False])
def test_all_that_it_wrote_comes(host: Host, late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """…though the time for it was over before the agent came to read."""
    monkeypatch.setattr(module, "DRAIN", 0.0 if late else 1.0)
    command = host.run(sys.executable, "-c", FILLS_A_PIPE)
    has_ended(command)
    if late:
        host.outlet.grant(2 * MUCH)
    else:
        pay(host)
    command.child_changed()
    if late:
        command._look_who_holds()
    host.until_it_ended()
    assert (host.codes, len(host.text()), host.notes) == ([0], MUCH, [])


def test_what_is_left_in_its_session_is_read_while_it_writes(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN", 0.3)
    host.run("(for n in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; echo $n; done) & exit 5")
    host.until_it_ended()
    assert (host.codes, host.text().split()) == ([5], [b"%d" % number for number in range(1, 11)])
    assert host.notes == []


def test_a_daemon_that_writes_for_ever_is_not_waited_for(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN", 0.05)
    pay(host)
    host.run("seq 5000; setsid sh -c 'while :; do echo and on; sleep 0.01; done' & exit 4")
    host.until_it_ended()
    assert host.codes == [4]
    assert host.text().startswith(b"".join(b"%d\n" % number for number in range(1, 5001)))
    ((what, text),) = host.notes
    assert what == "output"
    assert text.endswith(HELD)
    assert "sh" in text


def test_what_is_given_up_is_said_to_be_cut(host: Host) -> None:
    command = host.run(sys.executable, "-c", FILLS_A_PIPE)
    has_ended(command)
    command.give_up()
    assert (host.codes, host.notes) == ([0], [("output", remains.CUT)])


def test_bytes_that_wait_in_a_pipe() -> None:
    reads, writes = os.pipe()
    assert remains.waiting(reads) == 0
    os.write(writes, bytes(70))
    assert remains.waiting(reads) == 70
    os.close(writes)
    os.close(reads)
    assert remains.waiting(reads) == 0


def test_names_of_processes() -> None:
    me = (os.getpid(), 0)
    name = remains.named([me])
    assert remains.named([me, me]) == f"{name} (2)"
    assert remains.named([]) == remains.named([(1 << 22, 0)]) == "a process"


def test_many_names_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remains, "_name", lambda pid: f"name{pid}")
    assert remains.named([(number, 0) for number in range(1, 8)]) == "name1, name2, name3, name4, name5, and 2 more"
