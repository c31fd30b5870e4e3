"""An agent and the keeper of its command."""

from __future__ import annotations

import os
import signal

import psutil

from mpboot.net import wire
from mpboot.net.jobs import FIRST, Run
from mpboot.net.outlet import unpack_out
from tests.node.agents import Start, agent

__all__ = ["agent"]  # the fixture


def test_a_keeper_that_somebody_stops_goes_on(agent: Start) -> None:
    """Else nobody would tell how the command ended."""
    one = agent([(wire.RUN, Run(FIRST, ["/bin/sh", "-c", "echo $$; exec sleep 300"], [], True).pack())])
    one.loop.until(lambda: one.parent.bodies(wire.OUT))
    (keeper,) = psutil.Process(one.pid).children()
    keeper.suspend()
    os.kill(int(unpack_out(one.parent.bodies(wire.OUT)[0])[3]), signal.SIGTERM)
    assert one.hears(wire.EXIT) == [b"[[5,1,143,0]]"]
