"""An agent and the guard of its commands."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from mpboot.net import wire
from mpboot.net.jobs import FIRST, Run
from mpboot.net.outlet import unpack_out
from tests.node.agents import Start, agent
from tests.node.played import await_end

__all__ = ["agent"]  # the fixture


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_who_stops_or_kills_the_guard_ends_no_command(agent: Start, number: int) -> None:
    """How the command ends is known all the same, and it ends with the agent as before."""
    runs = Run(FIRST, ["/bin/sh", "-c", "echo $$; exec sleep 300"], [], True).pack()
    one = agent([(wire.RUN, runs), (wire.RUN, Run(2, ["/bin/sh", "-c", "exec sleep 300"], [], True).pack())])
    one.loop.until(lambda: one.parent.bodies(wire.OUT))
    command = int(unpack_out(one.parent.bodies(wire.OUT)[0])[3])
    guard = one.guard()
    os.kill(guard.pid, number)
    if number == signal.SIGSTOP:
        one.loop.look_until(lambda: guard.status() != psutil.STATUS_STOPPED)
    else:
        one.loop.look_until(lambda: not guard.is_running())
    os.kill(command, signal.SIGTERM)
    assert one.exits() == [(5, 1, 143, 0)]
    one.loop.look_until(lambda: [process.name() for process in one.children()].count("sleep") == 1)
    (other,) = (process.pid for process in one.children() if process.name() == "sleep")
    os.kill(one.pid, signal.SIGKILL)
    await_end(other)
