"""An agent and the guard of its commands."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from mpboot.net import wire
from mpboot.net.commands import Exit
from mpboot.net.jobs import FIRST, Run
from mpboot.net.outlet import unpack_out
from tests.node.agents import Start, agent
from tests.node.played import await_end

__all__ = ["agent"]  # the fixture


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_command_goes_on_whatever_somebody_does_to_the_guard(agent: Start, number: signal.Signals) -> None:
    """…and is guarded all the same."""
    one = agent([(wire.RUN, Run(FIRST, ["/bin/sh", "-c", "echo $$; exec sleep 300"], [], True).pack())])
    one.loop.until(lambda: one.parent.bodies(wire.OUT))
    command = int(unpack_out(one.parent.bodies(wire.OUT)[0])[3])
    (guard,) = [child for child in psutil.Process(one.pid).children() if child.pid != command]
    guard.send_signal(number)
    if number == signal.SIGKILL:
        await_end(guard.pid)
        one.loop.look_until(lambda: set(psutil.Process(one.pid).children()) - {guard, psutil.Process(command)})
    os.kill(command, signal.SIGTERM)
    (told,) = Exit.unpack_all(one.hears(wire.EXIT)[0])
    assert (told.rank, told.job, told.code, told.signal) == (5, 1, 143, 0)
