"""A worker's life: take an order to launch, carry it out, report; end when the parent is gone."""

from __future__ import annotations

import os
from select import poll

from mpboot.net.work import Ended, LaunchOrder, NoFork, worker_order
from mpboot.workers.launch import NoRoom, RshLaunch
from mpboot.workers.rsh import Interrupts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from mpboot.net.work import Cancel, LaunchSettings, Message
    from mpboot.workers.pipes import Reader, Writer


def run(settings: LaunchSettings, order: Union[LaunchOrder, Cancel], orders: Reader, results: Writer) -> None:
    """Carry out ``order`` and then all ``orders``, until the parent is gone. Never returns.

    A launch is answered by Started (for each rsh that it takes) and Ended; or by NoFork, and the worker ends.
    """
    interrupts = Interrupts(orders)
    listener = poll()
    listener.register(results.fd, 0)

    def say(result: Message) -> None:
        results.put(result.plain())

    while True:
        # A Cancel that comes here comes too late.
        if isinstance(order, LaunchOrder):
            if listener.poll(0):
                os._exit(0)  # nobody listens: another carries this launch by now
            try:
                say(Ended(order.launch, RshLaunch(settings, order, interrupts, say).run()))
            except NoRoom as limit:
                say(NoFork(order.launch, limit.errno))
                os._exit(0)
            except (BrokenPipeError, EOFError):
                os._exit(0)
        try:
            order = worker_order(orders.get())
        except (EOFError, OSError):
            os._exit(0)
