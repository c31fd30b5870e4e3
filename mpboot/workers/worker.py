"""A worker's life: take an order to launch, carry it out, report; end when the parent is gone."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
from select import poll

from mpboot.workers.launch import Launch, NoRoom
from mpboot.workers.pipes import NO_FORK
from mpboot.workers.rsh import Cancelled
from mpboot.workers.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from mpboot.workers.pipes import Reader, Writer


def run(settings: Dict[str, Any], first: Any, orders: Reader, results: Writer) -> None:
    """Orders, ``first`` is one: a launch's target (see launch.py), or None to cancel it.

    Results: (launch, "started", (rsh's pid, bytes fed, own pid)), (launch, "ended", verdict), or NO_FORK and it ends.
    """
    wake, wake_write = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(wake_write, False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    _signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    listened_to = poll()
    listened_to.register(results.fd, 0)
    common = Settings(settings)

    def heed() -> None:
        # Anything said during a launch means that it is wanted no more; so does the parent's end.
        try:
            orders.get()
        except (EOFError, OSError):
            pass
        raise Cancelled

    while True:
        try:
            target = first or orders.get()
        except (EOFError, OSError):
            os._exit(0)
        first = None
        if target is None:
            continue  # a cancellation that came too late
        if listened_to.poll(0):
            os._exit(0)  # another carries this launch by now

        def say(what: str, value: Any, launch: int = target[0]) -> None:
            results.put((launch, what, value))

        try:
            say("ended", Launch(common, target, wake, orders.fd, heed, say).run())
        except NoRoom as limit:
            say(NO_FORK, limit.args[0])
            os._exit(0)
        except (BrokenPipeError, EOFError):
            os._exit(0)
