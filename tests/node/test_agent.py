"""An agent that is more than a leaf: what its parent says, the command, signals, its end. The test plays the parent."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from mpboot.net import wire
from mpboot.net.hello import Hello
from mpboot.net.jobs import FIRST, Run
from mpboot.net.messages import Up
from mpboot.net.outlet import WINDOW, unpack_out
from mpboot.node import agent as module
from mpboot.node import command
from mpboot.node.agent import BEAT, EXIT_CRASHED, IDLE, POLL_END, STOP_GRACE
from mpboot.workers import forkserver
from tests.node.agents import Running, Start, agent
from tests.node.played import Ancestor, Far, Rounds, await_end, order, settings, share

__all__ = ["agent"]  # the fixture

READY = "echo ready; while :; do sleep 0.01; done"


def run(script: str, here: bool = True) -> tuple[int, bytes]:
    """The order to run a shell's script."""
    return wire.RUN, Run(FIRST, ["/bin/sh", "-c", script], [("MPBOOT_SIZE", "2")], here).pack()


def text(one: Running) -> bytes:
    """What its command has written to stdout and stderr."""
    return b"".join(unpack_out(body)[3] for body in one.parent.bodies(wire.OUT))


@pytest.fixture
def ancestor() -> Iterator[Ancestor]:
    with ThreadPoolExecutor(1) as threads:
        made = Ancestor(threads)
        yield made
        made.gone()


def until_ready(one: Running) -> None:
    one.loop.until(lambda: b"ready" in text(one))


def test_the_numbers() -> None:
    assert (BEAT, IDLE, EXIT_CRASHED, STOP_GRACE, POLL_END) == (2.0, 0.6, 70, 2.5, 0.05)


# -- what the parent says --------------------------------------------------------------------------


def test_what_an_agent_without_hosts_answers(agent: Start) -> None:
    one = agent([(wire.SHARE, b"")])
    assert one.hears(wire.DONE) == [b"1"]
    assert one.asked((wire.SHARE, b""), (wire.SHARE, b"")) == [(wire.DONE, b"2"), (wire.DONE, b"3")]
    for kind in (wire.PONG, wire.RECLAIM, wire.PSUTIL, wire.TELL, wire.GO):
        assert one.asked((kind, b"")) == []  # for a parent, which it is not


@pytest.mark.parametrize(
    ("kind", "body"),
    [(wire.HELLO, b""), (99, b""), (wire.UP, b"[]"), (wire.RUN, b"[]"), (wire.SHARE, b"[[]]"), (wire.CREDIT, b"x"),
     (wire.STOP, b"-1"), (wire.STOP, b"65"), (wire.STOP, b"TERM")],
)  # fmt: skip
def test_a_parent_that_makes_no_sense_is_left(
    agent: Start, ancestor: Ancestor, loop: Rounds, kind: int, body: bytes
) -> None:
    answer = ancestor.take_in()
    one = agent(routes=[(1, ()), ancestor.route], lineage=[[4, 44], [-1, 11]])
    one.parent.say(kind, body)
    loop.until(lambda: one.parent.lost)
    end, session = answer.result()
    far = Far(loop, end, session=session)
    loop.until(lambda: far.heard)
    assert Hello(far.bodies(wire.HELLO)[0]).lost == [(4, 44)]
    far.close()


def test_code_is_taken_in(agent: Start) -> None:
    one = agent()
    one.asked((wire.CODE, b"import gc, os; os.write(2, b'collects: %d' % gc.isenabled())"))
    assert one.said == "collects: 0"


# -- the command -----------------------------------------------------------------------------------


def test_a_command_runs_once(agent: Start) -> None:
    one = agent([run("echo $MPBOOT_RANK $MPBOOT_HOST $MPBOOT_SIZE; exit 3")])
    assert one.exits() == [(5, 1, 3, 0)]
    assert text(one) == b"5 h5 2\n"
    assert one.asked(run("echo again")) == []
    # The guard, and the command, which is not reaped, so that its number is nobody else's; no second one.
    states = [process.status() == psutil.STATUS_ZOMBIE for process in psutil.Process(one.pid).children()]
    assert sorted(states) == [False, True]


@pytest.mark.parametrize("is_root", [True, False])
def test_who_only_passes_it_on_does_not_run_it(agent: Start, is_root: bool) -> None:
    one = agent(is_root=is_root)
    assert one.asked(run("echo here", here=is_root)) == []
    one.parent.say(wire.STOP)
    assert one.ends() == 0
    assert wire.OUT not in one.parent.kinds


def test_output_comes_as_it_is_wanted(agent: Start) -> None:
    one = agent([run(f"head -c {WINDOW} /dev/zero; echo; echo end")])
    one.loop.until(lambda: sum(map(len, one.parent.bodies(wire.OUT))) >= WINDOW)
    assert b"end" not in text(one)
    assert one.asked() == []
    one.parent.say(wire.CREDIT, b"100000")
    assert one.exits() == [(5, 1, 0, 0)]
    assert text(one).endswith(b"\nend\n")


# -- its end ---------------------------------------------------------------------------------------


def test_it_stops_at_once_where_nothing_is_left(agent: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_GRACE", 1000.0)
    one = agent()
    one.parent.say(wire.STOP)
    assert one.ends() == 0
    two = agent([run("exit 0")])
    two.hears(wire.EXIT)
    two.parent.say(wire.STOP)
    assert two.ends() == 0


@pytest.mark.parametrize(("body", "number"), [(b"", signal.SIGTERM), (b"10", signal.SIGUSR1)])
def test_the_command_is_told_to_end_with_it(
    agent: Start, body: bytes, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_GRACE", 1000.0)
    monkeypatch.setattr(command, "KILL_AFTER", 1000.0)
    one = agent([run(f"exec 2>/dev/null; trap 'echo asked; exit 7' {int(number)}; {READY}")])
    until_ready(one)
    one.parent.say(wire.STOP, body)
    one.parent.say(wire.STOP, b"9")  # it stops already
    assert one.ends() == 0
    assert text(one) == b"ready\nasked\n"
    assert one.exits() == [(5, 1, 7, number)]


def test_a_command_that_does_not_heed_it_is_killed(agent: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "KILL_AFTER", 0.1)
    monkeypatch.setattr(module, "STOP_GRACE", 1000.0)
    one = agent([run(f"trap '' TERM; {READY}")])
    until_ready(one)
    one.parent.say(wire.STOP)
    assert one.ends() == 0
    assert one.exits() == [(5, 1, 137, 9)]


def test_it_waits_for_no_command_for_ever(agent: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "KILL_AFTER", 1000.0)
    monkeypatch.setattr(module, "STOP_GRACE", 0.2)
    one = agent([run(f"trap '' TERM; echo $$; {READY}")])
    until_ready(one)
    pid = int(text(one).split()[0])
    one.parent.say(wire.STOP)
    assert one.ends() == 0
    await_end(pid)


def test_it_waits_for_what_the_command_has_left_behind(
    agent: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_GRACE", 1000.0)
    os.mkfifo(tmp_path / "ready")
    daemon = tmp_path / "daemon"
    daemon.write_text(
        f"exec >/dev/null 2>&1; trap 'sleep 0.2; echo done >{tmp_path}/done; exit' TERM\n"
        f"echo >{tmp_path}/ready; while :; do sleep 0.01; done\n"
    )
    one = agent([run(f"setsid sh {daemon} & cat {tmp_path}/ready")])
    assert one.exits() == [(5, 1, 0, 0)]
    one.parent.say(wire.STOP)
    assert one.ends() == 0
    assert (tmp_path / "done").read_text() == "done\n"


def test_at_a_normal_end_what_has_detached_itself_stays(agent: Start) -> None:
    detached = "setsid sh -c 'echo $$; exec >&- 2>&-; exec sleep 300' &"
    one = agent([run(f"{detached} sh -c 'exec >&- 2>&-; exec sleep 300' & exit 3")])
    assert one.exits() == [(5, 1, 3, 0)]
    daemon = psutil.Process(int(text(one)))
    try:
        one.parent.say(wire.STOP, b"0")
        assert one.ends() == 0
        assert daemon.is_running()
        (note,) = one.parent.bodies(wire.NOTE)
        assert json.loads(note) == [5, "left", "1 process, left by the command, runs on: sleep"]
    finally:
        daemon.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(agent: Start, number: int) -> None:
    one = agent([run(f"exec 2>/dev/null; trap 'echo asked; exit 7' {int(number)}; {READY}")])
    until_ready(one)
    os.kill(one.pid, signal.SIGHUP)
    os.kill(one.pid, number)
    assert one.ends() == 0
    assert text(one) == b"ready\nasked\n"


def test_a_hangup_does_not(agent: Start) -> None:
    one = agent()
    assert one.asked() == []
    os.kill(one.pid, signal.SIGHUP)
    assert one.asked() == []


def test_without_a_parent_it_ends_and_its_command_with_it(agent: Start, tmp_path: Path) -> None:
    said = tmp_path / "said"
    one = agent([run(f"exec 2>/dev/null; trap 'echo asked >{said}; exit' TERM; echo $$; {READY}")])
    until_ready(one)
    one.parent.close()
    assert os.waitpid(one.pid, 0)[1] == 0
    one.reaped()
    await_end(int(text(one).split()[0]))
    assert said.read_text() == "asked\n"


# -- a parent that falls silent --------------------------------------------------------------------


def test_a_silent_parent_is_left_for_an_ancestor(
    agent: Start, ancestor: Ancestor, loop: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT", 0.05)
    answer = ancestor.take_in()
    one = agent(routes=[(1, ()), ancestor.route], lineage=[[4, 44], [-1, 11]], silence=0.2)
    loop.until(lambda: one.parent.lost)
    end, session = answer.result()
    far = Far(loop, end, session=session)
    loop.until(lambda: far.heard)
    assert Hello(far.bodies(wire.HELLO)[0]).lost == [(4, 44)]
    far.close()


def test_the_root_minds_no_silence(agent: Start, loop: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.02)
    one = agent(is_root=True)
    one.asked((wire.CODE, b"import mpboot.net.link as link; link.monotonic = lambda: -1e6"), (wire.PONG, b""))
    waited: list[bool] = []
    loop.later(0.1, lambda: waited.append(True))
    loop.until(lambda: waited)
    assert one.asked() == []


# -- faults of its own -----------------------------------------------------------------------------


@pytest.mark.parametrize("is_root", [True, False])
def test_a_crash_is_told_where_no_module_can_be_loaded(agent: Start, is_root: bool) -> None:
    """As where no descriptor is left."""
    code = b"import sys; sys.modules['traceback'] = None; raise RuntimeError('of the test')"
    one = agent([(wire.CODE, code)], is_root=is_root)
    assert one.ends() == 70
    (told,) = one.parent.bodies(wire.LOG)
    assert told.startswith(b'mpboot: the agent on h5 crashed: Traceback (most recent call last):\n  File "')
    assert told.rstrip().endswith(b"RuntimeError: of the test")
    assert one.said == (told.decode() if is_root else "")


@pytest.mark.parametrize("is_root", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_crash_is_told_and_leaves_nothing(agent: Start, is_root: bool, at_once: bool) -> None:
    crash = (wire.CODE, b"raise RuntimeError('of the test')")
    begin = [] if is_root else [run(f"echo $$; {READY}")]
    if at_once:
        one = agent([*begin, crash], is_root=is_root)
    else:
        one = agent(begin, is_root=is_root)
        if begin:
            until_ready(one)
        one.parent.say(*crash)
    assert one.ends() == 70
    (told,) = one.parent.bodies(wire.LOG)
    assert told.startswith(b"mpboot: the agent on h5 crashed: Traceback")
    assert told.rstrip().endswith(b"RuntimeError: of the test")
    assert one.said == (told.decode() if is_root else "")
    if begin and not at_once:
        await_end(int(text(one).split()[0]))


# -- with hosts to boot ----------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after", "never"])
def test_with_hosts_it_becomes_a_parent(agent: Start, when: str) -> None:
    hosts = (wire.SHARE, share(order(8), boot=settings(command=True)).pack())
    order_to_run = run("echo $MPBOOT_RANK; exit 4", here=False)
    received = {"before": [order_to_run, hosts], "after": [hosts, order_to_run], "never": [hosts]}[when]
    one = agent([(wire.SHARE, b""), *received])
    (ups,) = one.hears(wire.UP)
    (up,) = Up.unpack_all(ups)
    assert (up.rank, up.parent, up.level) == (8, 5, 2)
    assert one.hears(wire.DONE, 2) == [b"1", b"2"]
    if when != "never":
        assert one.exits() == [(8, 1, 4, 0)]
        assert text(one) == b"8\n"
    one.parent.say(wire.STOP)
    assert one.ends() == 0
    await_end(up.pid)


def test_a_fork_server_that_can_not_be_had_yet(agent: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    real = forkserver.start
    tries: list[int] = []

    def start() -> tuple[int, int]:
        tries.append(1)
        if len(tries) == 1:
            raise OSError
        return real()

    monkeypatch.setattr(forkserver, "start", start)
    one = agent([(wire.SHARE, share(order(8), level=0).pack())])
    assert len(json.loads(one.hears(wire.UP)[0])) == 1


@pytest.mark.long
def test_a_child_that_falls_silent_is_lost(agent: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parent's heart beats for its children too."""
    monkeypatch.setattr(module, "BEAT", 0.05)
    one = agent([(wire.SHARE, share(order(8), level=0, boot=settings(command=True)).pack())], is_root=True, silence=0.5)
    (up,) = Up.unpack_all(one.hears(wire.UP)[0])
    os.kill(up.pid, signal.SIGSTOP)
    try:
        assert b"lost" in one.hears(wire.FAILED)[0]
    finally:
        os.kill(up.pid, signal.SIGKILL)
