"""The commands of an agent's own host, by job: real ones. The test plays the parent."""

from __future__ import annotations

import signal

import pytest

from mpboot.net import wire
from mpboot.net.commands import Exit
from mpboot.net.jobs import Run, job_of, number_at, pack_signal, pack_stdin, packed
from mpboot.net.login import pack_window
from mpboot.net.outlet import unpack_out
from tests.node.agents import Running, Start, agent

__all__ = ["agent"]  # the fixture

WAITS = "exec 2>/dev/null; trap 'echo heard; exit 9' USR1; echo ready; while :; do sleep 0.01; done"


def run(job: int, script: str, stdin: bool = False, again: bool = False, limit: float = 0.0) -> tuple[int, bytes]:
    argv = ["/bin/sh", "-c", script]
    return wire.RUN, Run(job, argv, [], True, limit=limit, stdin=stdin, again=again).pack()


def text(one: Running, job: int) -> bytes:
    pieces = [unpack_out(body) for body in one.parent.bodies(wire.OUT)]
    return b"".join(data for _, number, _, data in pieces if number == job)


def ends(one: Running, count: int) -> dict[int, Exit]:
    """How so many jobs have ended, by number; each is told once."""

    def found() -> list[Exit]:
        return [row for body in one.parent.bodies(wire.EXIT) for row in Exit.unpack_all(body)]

    one.loop.until(lambda: len(found()) >= count or one.parent.lost)
    assert len(found()) == count, one.said
    return {row.job: row for row in found()}


def test_many_at_once_are_not_mixed(agent: Start) -> None:
    one = agent([run(job, f"seq {job}000 {job}200; exit {job}") for job in range(2, 12)])
    told = ends(one, 10)
    for job in range(2, 12):
        said = b"".join(b"%d\n" % number for number in range(job * 1000, job * 1000 + 201))
        assert (text(one, job), told[job].code, told[job].sent) == (said, job, len(said))


def test_a_signal_reaches_that_job_only(agent: Start) -> None:
    one = agent([run(2, WAITS), run(3, WAITS)])
    one.loop.until(lambda: text(one, 2) and text(one, 3))
    one.parent.say(wire.SIGNAL, pack_signal(2, signal.SIGUSR1, False))
    assert (ends(one, 1)[2].code, text(one, 2)) == (9, b"ready\nheard\n")
    assert text(one, 3) == b"ready\n"
    one.parent.say(wire.SIGNAL, pack_signal(2, signal.SIGUSR1, True))  # it has ended
    one.parent.say(wire.SIGNAL, pack_signal(3, signal.SIGTERM, True))
    assert (ends(one, 2)[3].code, ends(one, 2)[3].signal) == (143, signal.SIGTERM)


def test_one_whose_time_is_over(agent: Start) -> None:
    one = agent([run(2, "exec sleep 300", limit=0.05)])
    assert ends(one, 1)[2].code == 124


def test_one_that_is_told_again_is_not_begun_again_and_its_end_is_told_again(agent: Start) -> None:
    one = agent([run(2, "echo once; exit 3")])
    ends(one, 1)
    one.parent.say(*run(2, "echo once; exit 3", again=True))
    one.hears(wire.EXIT, 2)
    first, second = one.parent.bodies(wire.EXIT)
    assert (first, text(one, 2)) == (second, b"once\n")


def test_held_output_waits(agent: Start) -> None:
    one = agent([run(2, "read go; echo said", stdin=True)])
    assert one.asked((wire.HOLD, packed(2) + b"\1"), (wire.STDIN, pack_stdin(2, 0, b"go\n"))) == []
    one.parent.say(*run(3, "exit 0"))
    ends(one, 1)
    assert text(one, 2) == b""
    one.parent.say(wire.HOLD, packed(2) + b"\0")
    assert (ends(one, 2)[2].code, text(one, 2)) == (0, b"said\n")


def test_standard_input_comes_whole_and_is_told(agent: Start) -> None:
    one = agent([run(2, "cat", stdin=True)])
    data = bytes(range(256)) * 40
    one.parent.say(wire.STDIN, pack_stdin(2, 0, data))
    one.parent.say(wire.STDIN, pack_stdin(2, len(data), b""))
    assert (ends(one, 1)[2].code, text(one, 2)) == (0, data)
    taken = one.parent.bodies(wire.TAKEN)
    assert {job_of(body) for body in taken} == {2}
    assert sum(number_at(body, 4) for body in taken) == len(data)
    one.parent.say(wire.STDIN, pack_stdin(2, len(data), b"late"))
    one.loop.until(lambda: len(one.parent.bodies(wire.TAKEN)) > len(taken))
    assert number_at(one.parent.bodies(wire.TAKEN)[-1], 4) == 4


@pytest.mark.parametrize("known", [True, False])
def test_told_again_it_does_not_take_half_of_its_input_for_all(agent: Start, known: bool) -> None:
    one = agent([run(2, "cat; exit 0", stdin=True)] if known else [])
    one.parent.say(*run(2, "cat; exit 0", stdin=True, again=True))
    assert ends(one, 1)[2].code == (143 if known else 126)
    (note,) = one.parent.bodies(wire.NOTE)
    assert b"standard input was cut" in note


def test_at_an_end_all_are_asked_and_those_that_do_not_heed_are_killed(agent: Start) -> None:
    one = agent(
        [run(2, "echo ready; exec sleep 300"), run(3, "trap '' TERM; echo ready; while :; do sleep 0.01; done")]
    )
    one.loop.until(lambda: text(one, 2) and text(one, 3))
    one.parent.say(wire.STOP, b"15")
    told = ends(one, 2)
    assert [(told[job].code, told[job].signal) for job in (2, 3)] == [(143, signal.SIGTERM), (137, signal.SIGKILL)]
    one.loop.until(lambda: one.parent.lost)


def test_input_with_a_gap_ends_the_job_and_says_so(agent: Start) -> None:
    one = agent([run(2, "cat", stdin=True)])
    one.parent.say(wire.STDIN, pack_stdin(2, 0, b"begin"))
    one.loop.until(lambda: text(one, 2))
    one.parent.say(wire.STDIN, pack_stdin(2, 9, b"later"))
    one.parent.say(wire.STDIN, pack_stdin(2, 99, b"and later"))
    told = ends(one, 1)[2]
    assert (told.code, told.signal, text(one, 2)) == (143, signal.SIGTERM, b"begin")
    (note,) = one.parent.bodies(wire.NOTE)
    assert b"standard input was cut" in note


def test_one_that_does_not_heed_the_end_of_cut_input_never_takes_it_for_all(agent: Start) -> None:
    one = agent([run(2, "trap '' TERM; cat; echo all", stdin=True)])
    one.parent.say(wire.STDIN, pack_stdin(2, 0, b"begin"))
    one.loop.until(lambda: text(one, 2))
    one.parent.say(wire.STDIN, pack_stdin(2, 9, b"later"))
    told = ends(one, 1)[2]
    assert (told.code, told.signal, text(one, 2)) == (137, signal.SIGKILL, b"begin")


def test_a_window_for_a_job_without_a_terminal_changes_nothing(agent: Start) -> None:
    one = agent([run(2, "cat", stdin=True)])
    assert one.asked((wire.WINDOW, pack_window(2, (24, 80, 0, 0))), (wire.WINDOW, pack_window(7, (1, 1, 0, 0)))) == []
    one.parent.say(wire.STDIN, pack_stdin(2, 0, b""))
    assert ends(one, 1)[2].code == 0
