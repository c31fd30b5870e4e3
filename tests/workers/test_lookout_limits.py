"""A watcher that this machine has no room for."""

from __future__ import annotations

import errno
from time import monotonic

from mpboot.net.work import NoFork
from mpboot.workers.lookout import Lookout
from mpboot.workers.pipes import ResultsWriter
from tests.support.stand_ins import PlayedServer
from tests.workers.given import SteppedLoop, order


def test_a_watcher_that_can_not_be_forked_is_asked_for_again() -> None:
    loop, server = SteppedLoop(), PlayedServer()
    out = Lookout(loop, server, [], lambda: None, lambda _: None)  # type: ignore[arg-type]
    out.started(order(3), 77, 500, monotonic())
    assert out.ask()
    (made,) = server.made
    ResultsWriter(made.results).put(NoFork(0, errno.EAGAIN).plain())
    loop.until(lambda: not out._watcher.runs)
    assert out.ask()
    assert len(server.made) == 2
    out.stop()
    for one in server.made:
        one.close()
